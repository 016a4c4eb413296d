/** The security posture, read from inside containers that were started as a user starts them. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { pendingRows, refusals, rows, testedElsewhere } from "./rows.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];

const directory = mkdtempSync(join(tmpdir(), "orlop-posture-"));
const product = new Product(directory, { env: nothingReady });
const given = join(directory, "given");
let rootfs = "";

beforeAll(() => {
  rootfs = makeBusyboxRoot(directory);
  appendFileSync(join(rootfs, "etc/group"), "extra:x:77:worker\nstaff:x:60:\n");
  mkdirSync(join(given, "below"), { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "none", join(given, "below")]);
});

afterAll(async () => {
  await product.stop();
  execFileSync("umount", [join(given, "below")]);
  rmSync(directory, { recursive: true, force: true });
});

const run = (flags: readonly string[], script: string) =>
  product.run(["run", "--rm", "--rootfs", rootfs, "--volume", `${given}:/given:ro`, ...flags, "/bin/sh", "-c", script]);

describe("inside a container", () => {
  for (const { row, flags = [], probe, expected } of rows) {
    kernelTest(row, needs, async () => {
      const { stdout, stderr } = await run(flags, probe);
      const said = stdout.replace(/\n$/, "").replace(/ $/, "");
      if (typeof expected === "string") expect(said + stderr).toBe(expected);
      else expect(stdout + stderr).toMatch(expected);
    });
  }
});

describe("namespaces", () => {
  const all = ["mnt", "uts", "pid", "ipc", "net", "time", "cgroup"] as const;
  for (const name of all) {
    kernelTest(
      `a ${name} namespace of its own`,
      [...needs, ...(name === "time" ? (["timens"] as const) : [])],
      async () => {
        const { stdout } = await run([], `readlink /proc/self/ns/${name}`);
        expect(stdout).toMatch(new RegExp(`^${name}:`));
        expect(stdout.trim()).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
      },
    );
  }

  kernelTest("the user namespace is the machine's", needs, async () => {
    const { stdout } = await run([], "readlink /proc/self/ns/user");
    expect(stdout.trim()).toBe(readlinkSync("/proc/self/ns/user"));
  });
});

describe("limits", () => {
  kernelTest("no rlimit is set: they are the supervisor's", needs, async () => {
    const { stdout } = await run([], "cat /proc/self/limits");
    expect(stdout).toBe(readFileSync(`/proc/${product.supervisorPid()}/limits`, "utf8"));
  });

  kernelTest("processes and memory are unlimited", [...needs, "cgroup1"], async () => {
    const { stdout } = await run([], "cd /sys/fs/cgroup; cat pids/pids.max memory/memory.limit_in_bytes");
    expect(stdout).toMatch(/^max\n9223372036854771712\n$/);
  });
});

describe("refused, with one line that says why", () => {
  for (const { row, flags, says } of refusals) {
    kernelTest(row, needs, async () => {
      const { exitCode, stderr } = await run(flags, "echo it ran");
      expect(exitCode).toBe(125);
      expect(stderr).toMatch(says);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
      expect(await product.ok("ps", "-aq")).toBe("");
    });
  }
});

kernelTest("sockets: the API for root and its group, the others for root alone", needs, async () => {
  await product.ok("info");
  const mode = (name: string): string => (statSync(join(product.runDir, name)).mode & 0o777).toString(8);
  expect([".", "orlop.sock", "control.sock", "supervisor.sock"].map(mode)).toEqual(["711", "660", "600", "600"]);
});

kernelTest("stop: SIGTERM first, SIGKILL when that does not help", needs, async () => {
  const start = async (trap: string): Promise<string> => {
    const script = `${trap}; echo ready; while :; do sleep 0.02; done`;
    const id = await product.ok("run", "-d", "--rootfs", rootfs, "/bin/sh", "-c", script);
    await waitUntil(async () => (await product.ok("logs", id)) === "ready", 10_000, "its trap is set");
    return id;
  };
  const polite = await start("trap 'exit 42' TERM");
  const deaf = await start("trap '' TERM");
  await product.ok("stop", polite);
  await product.ok("stop", "--time", "0", deaf);
  expect(await product.ok("wait", polite)).toBe("42");
  expect(await product.ok("wait", deaf)).toBe("137");
  await product.ok("rm", polite, deaf);
});

kernelTest("keyring: a new session keyring", [...needs, "gcc"], async () => {
  const program = join(rootfs, "session-keyring");
  execFileSync("gcc", ["-static", "-x", "c", "-o", program, "-"], {
    input: `#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) { return printf("%ld\\n", syscall(SYS_keyctl, 0L, -3L, 0L)) < 0; } /* KEYCTL_GET_KEYRING_ID, the session's */`,
  });
  const inside = async () => Number((await run(["--security-opt", "seccomp=unconfined"], "/session-keyring")).stdout);
  const ids = [await inside(), await inside(), Number(execFileSync(program, { encoding: "utf8" }))];
  expect(ids.slice(0, 2).every((id) => id > 0)).toBe(true);
  expect(new Set(ids).size).toBe(3);
});

describe("seen by another test", () => {
  test.each(Object.entries(testedElsewhere))("%s", (_row, file) => {
    expect(existsSync(join(import.meta.dir, "..", file))).toBe(true);
  });
});

describe("pending", () => {
  for (const row of pendingRows) test.todo(row);
});
