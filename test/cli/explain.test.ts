/** `orlop explain` of commands that ask the engine: what they would do, while nothing is done. */

import { expect } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { useProduct } from "../api/engine-fixture.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";

const needs: readonly Need[] = ["root", "product", "overlay", "busybox"];
const product = useProduct();

/** Everything of the engine that these commands would change. */
async function seen(): Promise<string> {
  const asked = [["inspect", "web", "off"], ["ps", "-aq"], ["images"], ["network", "ls"], ["diff", "off"]];
  const said = await Promise.all(asked.map((words) => product().ok(...words)));
  return said.join("\n");
}

kernelTest("explain tells the steps of commands, and nothing of them is done", needs, async ({ directory, defer }) => {
  const rootfs = makeBusyboxRoot(directory);
  await product().ok("run", "-d", "--name", "web", "--network", "none", "--rootfs", rootfs, "sleep", "1000");
  defer(async () => void (await product().ok("rm", "-f", "web", "off")));
  await product().ok("create", "--name", "off", "--network", "none", "--rootfs", rootfs, "true");
  writeFileSync(join(directory, "file"), "content");
  const before = await seen();
  for (const [words, steps] of [
    [
      ["exec", "-u", "7:8", "web", "ls", "/"],
      ["exit-record", "user", "exec"],
    ],
    [
      ["container", "exec", "-d", "web", "ls"],
      ["target", "join", "exec"],
    ],
    [
      ["cp", "web:/etc", join(directory, "out")],
      ["setns", "tree-stat", "tree-walk"],
    ],
    [
      ["cp", "off:/etc", join(directory, "out")],
      ["unshare", "overlay", "tree-stat", "tree-walk"],
    ],
    [
      ["cp", join(directory, "file"), "off:/etc/new"],
      ["unshare", "overlay", "layer-into", "layer-file", "layer-data"],
    ],
    [
      ["commit", "web", "made"],
      ["setns", "tree-walk"],
    ],
    [
      ["stop", "web"],
      ["kill-group", "rmdir"],
    ],
    [["network", "create", "--subnet", "10.213.77.0/24", "--no-ipv6", "lan"], ["try-netlink"]],
  ] as const) {
    const told = JSON.parse(await product().ok("explain", "--json", ...words)) as { op: string; why: string }[];
    const ops = told.map(({ op }) => op);
    expect([words, steps.filter((step) => !ops.includes(step))]).toEqual([words, []]);
    expect(told.every(({ why }) => why !== "")).toBe(true);
  }
  expect(await product().ok("explain", "stop", "-t", "3", "web")).toContain("SIGKILL (9) 3 s later");
  for (const [words, said] of [
    [["stop", "off"], "is not running"],
    [["exec", "off", "ls"], "is not running"],
    [["exec", "nobody", "ls"], "No such container: nobody"],
    [["cp", "web:/missing", "."], "Could not find the file /missing"],
    [["cp", join(directory, "file"), "web:/missing/"], "no such directory"],
    [["network", "create", "host"], "predefined host network"],
    [["rm", "-f", "web"], "orlop rm cannot be explained"],
    [["pull", "alpine"], "orlop pull cannot be explained"],
    [["system", "stop"], "orlop system stop cannot be explained"],
    [["network"], "orlop network cannot be explained"],
    [["nonsense"], '"orlop nonsense" is not a command'],
  ] as const) {
    const { exitCode, stderr } = await product().run(["explain", ...words]);
    expect([words, exitCode, stderr]).toEqual([words, 1, expect.stringContaining(said)]);
  }
  expect(await seen()).toBe(before);
  expect([existsSync(join(directory, "out")), readdirSync(join(rootfs, "etc")).includes("new")]).toEqual([
    false,
    false,
  ]);
});
