/** What other users of the machine get of images, containers and volumes: nothing that could be run, read or written. */

import { afterAll, beforeAll, expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay", "nft"];
const directory = mkdtempSync(join(tmpdir(), "orlop-users-"));
const product = new Product(directory, { env: nothingReady });
const rootfs = join(directory, "rootfs");
const setUpMs = 60_000;
const nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"] as const;

beforeAll(async () => {
  chmodSync(directory, 0o755); // as /var/lib and /run are
  makeBusyboxRoot(directory);
  execFileSync("cp", [join(rootfs, "bin/busybox"), join(rootfs, "makes-root")]);
  chmodSync(join(rootfs, "makes-root"), 0o4755);
  execFileSync("mkdir", ["-m", "777", join(rootfs, "everybody's")]);
  execFileSync("tar", ["-C", rootfs, "-cf", join(directory, "image.tar"), "."]);
  await product.ok("import", join(directory, "image.tar"), "open:1");
}, setUpMs);

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
}, setUpMs);

/** Of the paths that there are: which this user can read, write or run. */
function reachable(): string[] {
  const places = [product.runDir, product.stateDir];
  const all = execFileSync("find", [...places, "-not", "-type", "l", "-print0"], { maxBuffer: 1 << 26 });
  const look =
    'for p; do if [ -d "$p" ]; then [ -w "$p" ] || [ -r "$p" ]; else [ -r "$p" ] || [ -w "$p" ] || [ -x "$p" ]; fi && echo "$p"; done; true';
  const found = execFileSync("setpriv", [...nobody, "xargs", "-0", "sh", "-c", look, "sh"], { input: all });
  return found
    .toString()
    .split("\n")
    .filter((path) => path !== "");
}

/** The engine's id is told to whoever asks; a network namespace can be read and is of no use without rights. */
const harmless = (path: string): boolean =>
  path === join(product.stateDir, "engine-id") || path.startsWith(join(product.runDir, "netns/"));

kernelTest("nobody but root reaches a file of an image, a container or a volume", needs, async () => {
  await product.ok("network", "create", "local-users");
  const ids: string[] = [];
  for (const flags of [[], ["--rm"]]) {
    const run = ["-d", ...flags, "--network", "local-users", "-v", "kept:/kept", "open:1"];
    const id = await product.ok(
      "run",
      ...run,
      "/bin/sh",
      "-c",
      "cp -p /makes-root /kept; cp -p /makes-root /own; sleep 1000",
    );
    await product.ok("exec", id, "/bin/sh", "-c", "until [ -u /own ]; do sleep 0.1; done; echo x >/etc/hosts");
    ids.push(id);
  }
  expect(
    reachable()
      .filter((path) => !harmless(path))
      .slice(0, 10),
  ).toEqual([]);
  await product.ok("rm", "-f", ...ids);
  await product.ok("network", "rm", "local-users");
});

kernelTest("nor where an earlier version left the layers open", needs, async () => {
  await product.stop();
  chmodSync(join(product.stateDir, "layers"), 0o755);
  expect(reachable().some((path) => path.endsWith("/makes-root"))).toBe(true);
  await product.ok("info");
  expect(
    reachable()
      .filter((path) => !harmless(path))
      .slice(0, 10),
  ).toEqual([]);
});
