/** Attempts to break out: refused by default, and each seen to work where its wall is taken away, so that it proves something. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { type Bait, escapesWith } from "./escapes.ts";
import { compileProbe } from "./probe.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay", "gcc", "cgroup1"];
const directory = mkdtempSync(join(tmpdir(), "orlop-escape-"));
const product = new Product(directory, { env: nothingReady });
const rootfs = join(directory, "rootfs");
const servers: Server[] = [];
let child: Bun.Subprocess | undefined;

execFileSync("truncate", ["-s", "1M", join(directory, "disk")]);
const loopDevice = execFileSync("losetup", ["--find", "--show", join(directory, "disk")], { encoding: "utf8" }).trim();

const bait: Bait = {
  disk: `7 ${loopDevice.replace("/dev/loop", "")}`,
  abstractSocket: `orlop-bait-${process.pid}`,
  loopbackPort: await listen({ host: "127.0.0.1", port: 0 }),
  directory: join(directory, "given"),
  word: `orlop-bait-process-${process.pid}`,
  shmId: execFileSync("ipcmk", ["-M", "64"], { encoding: "utf8" }).trim().split(" ").at(-1) ?? "",
};

beforeAll(async () => {
  makeBusyboxRoot(directory);
  execFileSync("mkdir", ["-p", bait.directory]);
  compileProbe("escape-probe", rootfs);
  execFileSync("gcc", ["-static", "-x", "c", "-o", join(rootfs, "suid-id"), "-"], {
    input: '#include <stdio.h>\n#include <unistd.h>\nint main(void) { return printf("%d\\n", (int)geteuid()) < 0; }\n',
  });
  chmodSync(join(rootfs, "suid-id"), 0o4755);
  child = Bun.spawn(["sleep", "1000"], { argv0: bait.word });
  await listen({ path: `\0${bait.abstractSocket}` });
});

afterAll(async () => {
  await product.stop();
  child?.kill();
  for (const server of servers) server.close();
  execFileSync("losetup", ["--detach", loopDevice]);
  execFileSync("ipcrm", ["-m", bait.shmId]);
  rmSync(directory, { recursive: true, force: true });
});

/** The port, where it has one. */
async function listen(where: { path: string } | { host: string; port: number }): Promise<number> {
  const server = createServer((socket) => void socket.on("error", () => undefined).end());
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(where, resolve));
  return (server.address() as AddressInfo).port;
}

async function isOut(flags: readonly string[], script: string): Promise<boolean> {
  const { stdout } = await product.run(["run", "--rm", "--rootfs", rootfs, ...flags, "/bin/sh", "-c", script]);
  return stdout.split("\n").includes("out");
}

test("there are at least 30 attempts", () => expect(escapesWith(bait).length).toBeGreaterThanOrEqual(30));

describe("breaking out", () => {
  for (const { attempt, script, flags = [], proof } of escapesWith(bait)) {
    kernelTest(attempt, needs, async () => {
      expect(await isOut(flags, script), "refused by default").toBe(false);
      expect(await isOut([...flags, ...proof], script), `works with ${proof.join(" ")}`).toBe(true);
    });
  }
});
