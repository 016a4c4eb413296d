/** `--init` and `top`. */

import { afterAll, describe, expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];
const waitMs = 10_000;

const directory = mkdtempSync(join(tmpdir(), "orlop-init-"));
const rootfs = existsSync("/proc/self") ? makeBusyboxRoot(directory) : "";
const product = new Product(directory, { env: nothingReady });

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
});

const run = (...words: string[]) => product.run(["run", "--rm", "--init", "--rootfs", rootfs, ...words]);

describe("--init", () => {
  kernelTest("the program is its child, and gives the exit code", needs, async () => {
    const { exitCode, stdout } = await run("sh", "-c", "echo $$ $PPID; tr '\\0' ' ' < /proc/1/cmdline; exit 5");
    expect(exitCode).toBe(5);
    expect(stdout).toMatch(/^2 1\n\/sbin\/docker-init -- sh -c /);
    expect((await run("sh", "-c", "kill -TERM $$")).exitCode).toBe(143);
  });

  kernelTest("the program begins when its init is there, and sees nothing of what that was before", needs, async () => {
    for (let round = 0; round < 20; round++) {
      const { stdout } = await run("cat", "/proc/1/cmdline");
      expect(stdout.replaceAll("\0", " ")).toBe("/sbin/docker-init -- cat /proc/1/cmdline ");
    }
  });

  kernelTest("a program that cannot be run fails the start as it does without", needs, async () => {
    const { exitCode, stderr } = await run("no-such-program");
    expect([exitCode, stderr]).toEqual([127, expect.stringContaining("executable file not found in $PATH")]);
  });

  kernelTest("it passes signals on, reaps what is left to it, and holds nothing of the host", needs, async () => {
    const script = "trap 'echo got it; exit 3' TERM; (sleep 0.01 & exec true); while :; do sleep 0.02; done";
    await product.ok("run", "-d", "--name", "kept", "--init", "-u", "worker", "--rootfs", rootfs, "sh", "-c", script);
    const { Pid } = (await product.engine.containers.inspect("kept")).State;
    await waitUntil(() => readlinkSync(`/proc/${Pid}/exe`).includes("orlop-executor"), waitMs, "the init runs");
    const open = readdirSync(`/proc/${Pid}/fd`).map((fd) => readlinkSync(`/proc/${Pid}/fd/${fd}`));
    expect(open.filter((target) => !/^pipe:|^\/dev\/null$/.test(target))).toEqual([]);
    // What it runs from cannot be written, by root inside either.
    await product.run(["exec", "-u", "0", "kept", "sh", "-c", "true >> /proc/1/exe"]);
    // The shell's own children are there until it looks, and the exec has another parent: what is left to the init is its.
    const left = async () => {
      const rows = (await product.ok("exec", "-u", "0", "kept", "ps", "-o", "ppid,pid")).split("\n");
      return rows.filter((row) => /^\s*1\s/.test(row)).length;
    };
    await waitUntil(async () => (await left()) === 1, waitMs, "it has reaped what was left to it");
    const { stderr } = await product.run(["exec", "-u", "0", "kept", "sh", "-c", "echo x >> /proc/1/exe"]);
    expect(stderr).toMatch(/Text file busy|Permission denied|Operation not permitted/);
    await product.ok("stop", "kept");
    expect((await product.engine.containers.inspect("kept")).State.ExitCode).toBe(3);
    expect(await product.ok("logs", "kept")).toBe("got it");
  });

  kernelTest("with the host's processes too, it reaps", needs, async () => {
    const { exitCode, stdout } = await run(
      "--pid",
      "host",
      "sh",
      "-c",
      // Until this shell is the only one whose parent the init is.
      '(sleep 0.05 & exec true); until [ "$(ps -o ppid | grep -c "^ *$PPID\\$")" = 1 ]; do sleep 0.01; done; echo reaped; exit 4',
    );
    expect([exitCode, stdout]).toEqual([4, "reaped\n"]);
  });
});

describe("top", () => {
  kernelTest("tells of words as much as can be read, however many there are", needs, async () => {
    const script = `x=$(head -c 100000 /dev/zero | tr '\\0' a); for i in $(seq 50); do
      sh -c 'sleep 500; :' $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x & done; wait`;
    await product.ok("run", "-d", "--name", "wordy", "--rootfs", rootfs, "sh", "-c", script);
    const { containers } = product.engine;
    const list = async (): Promise<string[]> =>
      (await containers.top("wordy", "-o pid,args")).Processes.map(([, words = ""]) => words);
    const isWordy = (words: string): boolean => words.startsWith("sh -c sleep 500; : aaaa");
    await waitUntil(async () => (await list()).filter(isWordy).length === 50, waitMs, "all are there");
    const bytes = (await list()).join("").length;
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(bytes).toBeLessThan(5_000_000);
    await product.ok("rm", "-f", "wordy");
  });

  kernelTest("shows what ps shows of the same processes", needs, async () => {
    await product.ok(
      "run",
      "-d",
      "--name",
      "seen",
      "--rootfs",
      rootfs,
      "-u",
      "daemon:daemon".replace("daemon:daemon", "worker"),
      "sh",
      "-c",
      "sleep 500 & exec sleep 600",
    );
    const { containers } = product.engine;
    const words = async () => (await containers.top("seen", "-o pid,stat,args")).Processes.map((row) => row.join(" "));
    const isAtRest = async () => {
      const all = await words();
      return all.length === 2 && all.every((line) => /^\d+ S\S* sleep \d+$/.test(line));
    };
    await waitUntil(isAtRest, waitMs, "both are there, and sleep");
    for (const columns of [
      "pid,ppid,pgid,sid,uid,gid,user,group,comm,args",
      "pid,tty,stat,state,ni,nlwp,vsz,rss",
      "pid,lstart,start_time,stime",
    ]) {
      const { Titles, Processes } = await containers.top("seen", `-o ${columns}`);
      const pids = (await containers.top("seen", "-o pid")).Processes.map(([pid]) => pid ?? "");
      const lines = execFileSync("ps", ["-o", columns, "-p", pids.join(",")], { encoding: "utf8" })
        .trim()
        .split("\n");
      const cells = (line: string) => line.trim().split(/\s+/);
      expect([Titles, ...Processes].map((row) => cells(row.join(" ")))).toEqual(lines.map(cells));
    }
    const { Titles } = await containers.top("seen", "aux");
    expect(Titles).toEqual(["USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND"]);
    expect((await containers.top("seen", "")).Titles).toEqual([
      "UID",
      "PID",
      "PPID",
      "C",
      "STIME",
      "TTY",
      "TIME",
      "CMD",
    ]);
    expect((await product.run(["top", "seen", "-o", "pid,nonsense"])).stderr).toContain(
      "unknown user-defined format specifier",
    );
    expect(await product.ok("top", "seen", "-e", "--forest")).toMatch(/^PID +TTY +TIME +CMD\n.* sleep\n.*_ sleep$/);
    expect((await product.run(["top", "seen", "-o", "comm"])).stderr).toContain("Couldn't find PID field in ps output");
    await product.ok("kill", "seen");
    await waitUntil(
      async () => (await product.run(["top", "seen"])).stderr.includes("is not running"),
      waitMs,
      "it has ended",
    );
  });
});
