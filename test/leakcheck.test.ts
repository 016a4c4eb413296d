/** Leakcheck notices each kind of thing that it is for. Every case here is a leak made on purpose. */

import { describe, expect } from "bun:test";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kernelTest, type Scratch } from "./kernel/harness.ts";
import { findLeaks, takeSnapshot } from "./leakcheck.ts";
import { waitUntil } from "./wait-until.ts";

/** What leakcheck reports after `leak`, which registers its own undoing. */
async function noticed(scratch: Scratch, leak: () => void | Promise<void>, isBesideOthers?: true): Promise<string> {
  const folders = [join(scratch.directory, "run")];
  const watch = { directory: scratch.directory, folders, ...(isBesideOthers && { isBesideOthers }) };
  const before = takeSnapshot(watch);
  await leak();
  return findLeaks(before, watch).join("\n");
}

/** A process of ours that stays until the test's end. Settles once it has said that it is there. */
async function stay(scratch: Scratch, command: readonly string[]): Promise<void> {
  const [program = "", ...words] = command;
  const child = spawn(program, words, { stdio: ["pipe", "pipe", "inherit"] });
  scratch.defer(async () => {
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  });
  await once(child.stdout, "data");
}

function addLink(scratch: Scratch, name: string): void {
  execFileSync("ip", ["link", "add", name, "type", "bridge"]);
  scratch.defer(() => void execFileSync("ip", ["link", "del", name]));
}

function mountTmpfs(scratch: Scratch, place: string): void {
  mkdirSync(place);
  scratch.defer(() => rmdirSync(place));
  execFileSync("mount", ["-t", "tmpfs", "none", place]);
  scratch.defer(() => void execFileSync("umount", [place]));
}

describe("leakcheck notices", () => {
  kernelTest("a mount", ["root"], async (scratch) => {
    const place = join(scratch.directory, "place");
    const text = await noticed(scratch, () => mountTmpfs(scratch, place));
    expect(text).toBe(`mount: tmpfs on ${place}`);
  });

  kernelTest("a cgroup", ["root", "cgroup1"], async (scratch) => {
    const group = `/sys/fs/cgroup/pids/orlop-leak-${process.pid}`;
    const text = await noticed(scratch, () => {
      mkdirSync(group);
      scratch.defer(() => rmdirSync(group));
    });
    expect(text).toBe(`cgroup: ${group}`);
  });

  kernelTest("a process, its namespace and its descriptors", ["root"], async (scratch) => {
    const text = await noticed(scratch, () => stay(scratch, ["unshare", "--uts", "sh", "-c", "echo here; read -r _"]));
    expect(text).toContain("process: sh -c echo here");
    expect(text).toMatch(/^namespace: uts:\[\d+\]$/m);
    expect(text).toMatch(/^descriptor: (pipe|socket): of sh -c/m);
  });

  kernelTest("a process that left its parent, by the directory that it is in", ["root"], async (scratch) => {
    const text = await noticed(scratch, async () => {
      const script = `cd ${scratch.directory}; setsid sleep 1000 >/dev/null 2>&1 & echo $!`;
      const pid = Number(execFileSync("sh", ["-c", script]));
      scratch.defer(() => void process.kill(pid, "SIGKILL"));
      const isItself = (): boolean => !readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("sh");
      await waitUntil(isItself, 5000, "it is its own program");
    });
    expect(text).toMatch(/^process: (setsid )?sleep 1000$/m);
  });

  kernelTest("a file in a watched folder", [], async (scratch) => {
    mkdirSync(join(scratch.directory, "run"));
    const text = await noticed(scratch, () => writeFileSync(join(scratch.directory, "run/left"), ""));
    expect(text).toBe(`file: ${join(scratch.directory, "run/left")}`);
  });

  kernelTest("a network link", ["root"], async (scratch) => {
    const name = `orlop${process.pid % 10_000}`;
    const text = await noticed(scratch, () => {
      execFileSync("ip", ["link", "add", name, "type", "bridge"]);
      scratch.defer(() => void execFileSync("ip", ["link", "del", name]));
    });
    expect(text).toContain(`network link: ${name}`);
  });

  kernelTest("a default network's bridge without its engine", ["root"], async (scratch) => {
    const text = await noticed(scratch, () => addLink(scratch, "olbeef-0"));
    expect(text).toContain("network link: olbeef-0");
  });

  kernelTest("more networks than wait for their container", ["root"], async (scratch) => {
    const text = await noticed(scratch, () => {
      for (const digit of [1, 2, 3, 4, 5, 6]) addLink(scratch, `olvbeef000000${digit}0`);
    });
    expect(text).toContain("network link: olvbeef*0 (2×)");
  });

  kernelTest("beside other tests, what is this one's alone", ["root"], async (scratch) => {
    const [own, others] = [join(scratch.directory, "own"), join(tmpdir(), `orlop-others-${process.pid}`)];
    const leak = async (): Promise<void> => {
      for (const place of [own, others]) mountTmpfs(scratch, place);
      addLink(scratch, `orlop${process.pid % 10_000}`);
      await stay(scratch, ["sh", "-c", "echo here; read -r _"]);
    };
    const kinds = (await noticed(scratch, leak, true))
      .split("\n")
      .map((line) => line.replace(/^(descriptor): .*/, "$1"));
    expect([...new Set(kinds)]).toEqual([
      `mount: tmpfs on ${own}`,
      "process: sh -c echo here; read -r _",
      "descriptor",
    ]);
  });
});
