/** `orlop system prune` and `system df -v`, and the longer names of commands: the program itself on a real engine. */
import { expect } from "bun:test";
import { useProduct } from "../api/engine-fixture.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";

const needs: readonly Need[] = ["root", "product", "overlay", "busybox"];
const product = useProduct();
const lines = (text: string): string[] => text.trimEnd().split("\n");

kernelTest("system prune removes what nothing uses, and asks first", needs, async ({ directory }) => {
  const rootfs = makeBusyboxRoot(directory);
  const { ok, run } = { ok: product().ok.bind(product()), run: product().run.bind(product()) };
  await ok("run", "--name", "ended", "--rootfs", rootfs, "-v", "/data", "-v", "kept:/kept", "touch", "/data/file");
  await ok("commit", "ended", "made:1");
  await ok("run", "-d", "--name", "stays", "--rootfs", rootfs, "sleep", "1000");
  await ok("network", "create", "idle");
  const asked = await run(["system", "prune", "--volumes"], { stdin: "n\n" });
  expect(asked.stdout).toContain("all stopped containers");
  expect(lines(await ok("ps", "-aq"))).toHaveLength(2);

  const pruned = await ok("system", "prune", "-f");
  expect(pruned).toMatch(/^Deleted Containers:\n[0-9a-f]{64}\n\nDeleted Networks:\nidle\n\nTotal reclaimed space: /);
  expect(await ok("ps", "-a", "--format", "json")).toContain('"Names":"stays"');
  expect(lines(await ok("volume", "ls", "-q"))).toHaveLength(2);

  const refused = await run(["system", "prune", "-f", "--volumes", "--filter", "until=1h"]);
  expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining("a volume's age says nothing")]);
  expect(lines(await ok("volume", "ls", "-q"))).toHaveLength(2);
  const all = await ok("system", "prune", "-af", "--volumes");
  expect(all).toMatch(/^Deleted Volumes:\n[0-9a-f]{64}\n\nDeleted Images:\nuntagged: made:1\n/);
  expect(await ok("volume", "ls", "-q")).toBe("kept");
  await ok("rm", "-f", "stays");
  await ok("volume", "rm", "kept");
});

kernelTest("system df -v tells of each image, container and volume", needs, async ({ directory }) => {
  const { ok } = { ok: product().ok.bind(product()) };
  const write = "head -c 2500000 /dev/zero > /here; head -c 1500000 /dev/zero > /data/there";
  await ok("run", "--name", "first", "--rootfs", makeBusyboxRoot(directory), "true");
  await ok("commit", "first", "made:1");
  await ok("run", "--name", "wrote", "-v", "data:/data", "made:1", "sh", "-c", write);
  const [images, containers, volumes] = (await ok("system", "df", "-v")).split(/^.* space usage:\n\n/m).slice(1);
  const columns = (text = "") => lines(text).map((line) => line.split(/ {3,}/));
  expect(columns(images)[1]?.slice(0, 2)).toEqual(["made", "1"]);
  expect(columns(images)[1]?.at(-1)).toBe("1");
  expect(columns(containers).map((row) => [row[1], row[3], row[4], row.at(-1)])).toEqual([
    ["IMAGE", "LOCAL VOLUMES", "SIZE", "NAMES"],
    ["made:1", "1", "2.5MB", "wrote"],
    [expect.any(String), "0", "0B", "first"],
  ]);
  expect(columns(volumes)).toEqual([
    ["VOLUME NAME", "LINKS", "SIZE"],
    ["data", "1", "1.5MB"],
  ]);
  await ok("container", "remove", "wrote", "first");
  expect(await ok("container", "list", "-aq")).toBe("");
  expect(await ok("image", "list", "-q", "made")).not.toBe("");
  await ok("image", "remove", "made:1");
  await ok("volume", "remove", "data");
});
