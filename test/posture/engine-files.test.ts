/** Files that a container and the engine both have: what a container does with them neither stops the engine nor fills what is the machine's. */

import { afterAll, beforeAll, expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { compileProbe } from "./probe.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay", "gcc"];
const directory = mkdtempSync(join(tmpdir(), "orlop-files-"));
const runDir = join(directory, "run");
const product = new Product(directory, { env: nothingReady, runDir });
const rootfs = join(directory, "rootfs");
const waitMs = 20_000;
const setUpMs = 60_000;
const networks = ["doors-one", "doors-two"] as const;
const ownFiles = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"] as const;

beforeAll(async () => {
  makeBusyboxRoot(directory);
  compileProbe("hold-probe", rootfs);
  compileProbe("open-probe", directory);
  mkdirSync(runDir);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "run", runDir]);
  await product.ok("info");
}, setUpMs);

afterAll(async () => {
  await product.stop();
  execFileSync("umount", [runDir]);
  rmSync(directory, { recursive: true, force: true });
}, setUpMs);

/** Starts it, and gives what it says until this word. */
async function saidUntil(word: string, name: string, ...run: string[]): Promise<string[]> {
  await product.ok("run", "-d", "--name", name, "--rootfs", rootfs, ...run);
  let said: string[] = [];
  const isSaid = async (): Promise<boolean> => {
    said = (await product.ok("logs", name)).split("\n");
    return said.includes(word);
  };
  await waitUntil(isSaid, waitMs, `${name} says ${word}`);
  return said.filter((line) => line !== word);
}

/** What the probe could hold: its own file shows that it could hold others'. */
const heldOwnAlone = [...ownFiles.map((path) => `${path} free`), "/tmp/its-own held"];

for (const how of ["lease", "execute"])
  for (const flags of [[], ["--rm"]])
    kernelTest(
      `no ${how} by a container ${flags.join("")} keeps the engine from writing its hosts file`,
      [...needs, "nft"],
      async () => {
        for (const network of networks) await product.ok("network", "create", network);
        const run = [...flags, "--network", networks[0], "/hold-probe", how, ...ownFiles, "/tmp/its-own"];
        expect(await saidUntil("done", "holder", ...run)).toEqual(heldOwnAlone);
        const { Id } = await product.engine.containers.inspect("holder");
        const ownAddresses = async (): Promise<number> =>
          (await product.ok("exec", "holder", "cat", "/etc/hosts")).split(Id.slice(0, 12)).length - 1;
        await product.ok("network", "connect", networks[1], "holder");
        const both = await ownAddresses();
        await product.ok("network", "disconnect", networks[0], "holder");
        expect(both).toBeGreaterThan(1);
        expect(await ownAddresses()).toBe(both / 2);
        await product.ok("rm", "-f", "holder");
        for (const network of networks) await product.ok("network", "rm", network);
      },
    );

kernelTest("nor by one that shares its network", [...needs, "nft"], async () => {
  await saidUntil("ready", "owner", "/bin/sh", "-c", "echo ready; exec sleep 1000");
  for (const how of ["lease", "execute"]) {
    const run = ["--network", "container:owner", "/hold-probe", how, ...ownFiles, "/tmp/its-own"];
    expect(await saidUntil("done", "guest", ...run)).toEqual(heldOwnAlone);
    await product.ok("rm", "-f", "guest");
  }
  await product.ok("rm", "-f", "owner");
});

kernelTest("a container that fills its hosts file fills a disk, and not the machine's /run", needs, async () => {
  const free = (): number => statfsSync(runDir).bavail;
  const before = free();
  await saidUntil("ready", "filler", "--rm", "--network", "none", "/bin/sh", "-c", "echo ready; exec sleep 1000");
  const [pages, megabytes] = [1024, 16];
  for (const path of ownFiles)
    await product.ok("exec", "filler", "dd", "if=/dev/zero", `of=${path}`, "bs=1M", `count=${megabytes}`);
  // the files of the engine and its sockets take some
  expect(before - free()).toBeLessThan(pages);
  await product.ok("rm", "-f", "filler");
});

kernelTest("a device in the place of /etc/passwd is not opened on the machine", needs, async (scratch) => {
  const script = "rm /etc/passwd; mknod /etc/passwd c 1 3; echo ready; exec sleep 1000";
  await saidUntil("ready", "faker", "--network", "none", "/bin/sh", "-c", script);
  const { Id } = await product.engine.containers.inspect("faker");
  const device = join(product.stateDir, "containers", Id, "layers/root/upper/etc/passwd");
  const mark = join(scratch.directory, "mark");
  writeFileSync(mark, "");
  const probe = Bun.spawn([join(directory, "open-probe"), device, mark], {
    stdout: Bun.file(join(scratch.directory, "said")),
  });
  scratch.defer(async () => {
    probe.kill();
    await probe.exited;
  });
  const said = (): string[] => readFileSync(join(scratch.directory, "said"), "utf8").split("\n");
  await waitUntil(() => said().includes("watching"), waitMs, "it watches");
  expect(await product.ok("exec", "faker", "id", "-u")).toBe("0"); // by number: nobody has a name there
  expect((await product.run(["exec", "-u", "root", "faker", "id", "-u"])).exitCode).toBe(126);
  readFileSync(mark); // whatever came before has been said by the time that this is
  await waitUntil(() => said().includes(`opened ${mark}`), waitMs, "it sees what is opened");
  expect(said().filter((line) => line !== "")).toEqual(["watching", `opened ${mark}`]);
  await product.ok("rm", "-f", "faker");
});
