/** Who the program is, what it may, and how it is started. */

import { expect } from "bun:test";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as linux from "../../src/kernel/linux.ts";
import { encodePlan } from "../../src/kernel/plan.ts";
import { type Bare, because, runChild, runWithMounts } from "./child.ts";
import { executorPath, kernelTest } from "./harness.ts";

const cap = (...numbers: number[]): bigint => numbers.reduce((mask, number) => mask | (1n << BigInt(number)), 0n);
const CAP_CHOWN = 0;
const CAP_KILL = 5;
const CAP_NET_BIND_SERVICE = 10;

/** Lines of /proc/self/status, e.g. CapEff, as printed by the program. */
async function statusOf(steps: readonly Bare[]): Promise<Map<string, string>> {
  const { output } = await runChild({ steps, run: ["cat", "/proc/self/status"] });
  const lines = output.split("\n").map((line) => line.split(":\t") as [string, string]);
  return new Map(lines.map(([name, value]) => [name, (value ?? "").replace(/\s+/g, " ").trim()]));
}

const hex = (mask: bigint): string => mask.toString(16).padStart(16, "0");

kernelTest("user: ids and exactly these groups", ["root", "executor"], async () => {
  const status = await statusOf([{ op: "user", uid: 12, gid: 34, groups: ["56", "78"] }]);
  expect([status.get("Uid"), status.get("Gid"), status.get("Groups")]).toEqual(["12 12 12 12", "34 34 34 34", "56 78"]);
});

kernelTest("user: none of our own groups is left", ["root", "executor"], async () => {
  expect((await statusOf([{ op: "user", uid: 0, gid: 0, groups: [] }])).get("Groups")).toBe("");
});

kernelTest("user: a group that is no number is refused", ["root", "executor"], async () => {
  const failure = statusOf([{ op: "user", uid: 0, gid: 0, groups: ["12x"] }]);
  await expect(failure).rejects.toMatchObject({ errno: "EINVAL", detail: "group 12x" });
});

kernelTest("capabilities: root keeps what is given, in every set", ["root", "executor"], async () => {
  const mask = cap(CAP_CHOWN, CAP_KILL);
  const status = await statusOf([
    { op: "bounding", mask },
    { op: "user", uid: 0, gid: 0, groups: [] },
    { op: "capabilities", effective: mask, permitted: mask, inheritable: 0, ambient: 0 },
  ]);
  const sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((name) => status.get(name));
  expect(sets).toEqual([hex(0n), hex(mask), hex(mask), hex(mask), hex(0n)]);
});

kernelTest("capabilities: a user has none, and the bounding set is as for root", ["root", "executor"], async () => {
  const mask = cap(CAP_CHOWN, CAP_KILL);
  const status = await statusOf([
    { op: "bounding", mask },
    { op: "user", uid: 1000, gid: 1000, groups: [] },
    { op: "capabilities", effective: 0, permitted: 0, inheritable: 0, ambient: 0 },
  ]);
  expect(["CapPrm", "CapEff", "CapBnd"].map((name) => status.get(name))).toEqual([hex(0n), hex(0n), hex(mask)]);
});

kernelTest("capabilities: ambient ones reach a user's program", ["root", "executor"], async () => {
  const mask = cap(CAP_NET_BIND_SERVICE);
  const status = await statusOf([
    { op: "user", uid: 1000, gid: 1000, groups: [] },
    { op: "capabilities", effective: mask, permitted: mask, inheritable: mask, ambient: mask },
  ]);
  expect(["CapEff", "CapAmb"].map((name) => status.get(name))).toEqual([hex(mask), hex(mask)]);
});

kernelTest("no-new-privileges", ["root", "executor"], async () => {
  expect((await statusOf([])).get("NoNewPrivs")).toBe("0");
  expect((await statusOf([{ op: "no-new-privileges" }])).get("NoNewPrivs")).toBe("1");
});

/** struct sock_filter: code, jump if true, jump if false, operand. */
function instruction(code: number, yes: number, no: number, operand: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(yes, 2);
  bytes.writeUInt8(no, 3);
  bytes.writeUInt32LE(operand >>> 0, 4);
  return bytes;
}

/** EPERM for uname(2), everything else allowed. */
const denyUname = Buffer.concat([
  instruction(0x20, 0, 0, 0), // load the system call's number
  instruction(0x15, 0, 1, process.arch === "x64" ? 63 : 160),
  instruction(0x06, 0, 0, 0x00050001), // SECCOMP_RET_ERRNO | EPERM
  instruction(0x06, 0, 0, 0x7fff0000), // SECCOMP_RET_ALLOW
]);

kernelTest("seccomp: a filter decides", ["root", "executor", "seccomp"], async () => {
  const filtered = await runChild({ steps: [{ op: "seccomp", flags: 0, program: denyUname }], run: ["uname"] });
  expect(filtered.output).not.toContain("Linux");
  expect((await runChild({ run: ["uname"] })).output).toContain("Linux");
  expect((await statusOf([{ op: "seccomp", flags: 0, program: denyUname }])).get("Seccomp")).toBe("2");
});

kernelTest("seccomp: an empty or impossible filter is refused", ["root", "executor", "seccomp"], async () => {
  const load = (program: Uint8Array) => runChild({ steps: [{ op: "seccomp", flags: 0, program }], run: "true" });
  await expect(load(new Uint8Array(0))).rejects.toMatchObject({ errno: "EINVAL" });
  await expect(load(instruction(0xffff, 0, 0, 0))).rejects.toMatchObject({ errno: "EINVAL" });
});

kernelTest("rlimit, umask and cwd hold in the program", ["root", "executor"], async ({ directory }) => {
  const { output } = await runChild({
    steps: [
      { op: "rlimit", resource: 7, soft: 100, hard: 200 },
      { op: "rlimit", resource: 4, soft: 0xffffffffffffffffn, hard: 0xffffffffffffffffn },
      { op: "umask", mask: 0o27 },
      { op: "cwd", path: join(directory, "made/deep"), make: 1 },
    ],
    run: "ulimit -Sn; ulimit -Hn; ulimit -Sc; umask; pwd",
  });
  expect(output).toBe(`100\n200\nunlimited\n0027\n${directory}/made/deep\n`);
});

kernelTest(
  "pivot: a directory of the host that somebody left open is not there any more (CVE-2024-21626)",
  ["root", "executor"],
  async ({ directory }) => {
    const root = join(directory, "root");
    mkdirSync(root);
    const steps: Bare[] = [
      { op: "propagation", path: "/", flags: linux.MS_REC | linux.MS_SLAVE },
      { op: "bind", source: root, target: root, flags: 0, set: 0, clear: 0 },
      { op: "root", path: root },
      { op: "root-mount", fstype: "proc", source: "proc", target: "/proc", attributes: 0, options: [] },
      { op: "pivot", propagation: 0 },
      { op: "cwd", path: "/proc/self/fd/9", make: 0 },
      { op: "exec", argv: ["/true"], env: [] },
    ];
    const flags = (linux.CLONE_NEWNS | linux.CLONE_NEWPID) >>> 0;
    const plan = encodePlan(because([{ op: "spawn", flags, group: "", steps: steps.length }, ...steps]));
    const host = openSync("/etc", "r");
    try {
      // descriptor 9 comes from whoever started the executor: an engine's mistake
      const stdio = ["pipe", "pipe", "inherit", ...Array(6).fill("ignore"), host];
      const child = Bun.spawn([executorPath, "plan"], { stdio: stdio as ["pipe", "pipe", "inherit"] });
      child.stdin.write(plan);
      child.stdin.end();
      const answer = await new Response(child.stdout).text();
      expect(answer).toContain("/proc/self/fd/9");
      expect(answer).not.toContain("leads out of the container"); // which is what `cwd` says of one that is
    } finally {
      closeSync(host);
    }
  },
);

const program = (argv: readonly string[]) => runChild({ run: argv });

kernelTest("exec: what is nowhere in PATH is ENOENT, and named", ["root", "executor"], async () => {
  await expect(program(["no-such-program"])).rejects.toMatchObject({
    errno: "ENOENT",
    detail: "no-such-program",
    step: { op: "exec" },
  });
  await expect(program(["/no/such/program"])).rejects.toMatchObject({ errno: "ENOENT", detail: "/no/such/program" });
  await expect(program([""])).rejects.toMatchObject({ errno: "ENOENT" });
  await expect(program([])).rejects.toMatchObject({ errno: "EINVAL" });
});

kernelTest(
  "exec: a file that cannot be executed is EACCES, and PATH is searched on",
  ["root", "executor"],
  async ({ directory }) => {
    writeFileSync(join(directory, "tool"), "#!/bin/sh\n");
    await expect(program([join(directory, "tool")])).rejects.toMatchObject({ errno: "EACCES" });
    await expect(program([directory])).rejects.toMatchObject({ errno: "EACCES" });
    const search = (path: string) => {
      const steps: Bare[] = [{ op: "exec", argv: ["tool"], env: [`PATH=${path}`] }];
      return runChild({ steps, run: "never" });
    };
    await expect(search(`/missing:${directory}`)).rejects.toMatchObject({ errno: "EACCES", detail: "tool" });
    mkdirSync(join(directory, "second"));
    writeFileSync(join(directory, "second/tool"), "#!/bin/sh\necho found >&2\n", { mode: 0o755 });
    expect((await search(`/missing:${directory}:${directory}/second`)).output).toBe("found\n");
  },
);

kernelTest("exec: a file of an unknown format is ENOEXEC", ["root", "executor"], async ({ directory }) => {
  writeFileSync(join(directory, "text"), "not a program", { mode: 0o755 });
  await expect(program([join(directory, "text")])).rejects.toMatchObject({ errno: "ENOEXEC" });
});

kernelTest("exec: without PATH in the environment nothing is searched", ["root", "executor"], async () => {
  const failure = runChild({ steps: [{ op: "exec", argv: ["true"], env: [] }], run: "never" });
  await expect(failure).rejects.toMatchObject({ errno: "ENOENT" });
});

kernelTest(
  "exec: the program has only 0, 1, 2, its signals at their defaults, and the given environment",
  ["root", "executor"],
  async () => {
    // 3 is ls's own
    expect((await runChild({ run: "ls /proc/self/fd | tr '\\n' ' '" })).output).toStartWith("0 1 2 3 ");
    const signals = await runChild({ run: ["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"] });
    expect(signals.output).toMatch(/^SigBlk:\t0{16}\nSigIgn:\t0{16}\n$/);
    expect((await runChild({ run: ["env"] })).output).toBe("PATH=/usr/sbin:/usr/bin:/sbin:/bin\n");
  },
);

kernelTest("exec: exit codes and signals come back as a wait status", ["root", "executor"], async () => {
  expect((await runChild({ run: "exit 255" })).status).toBe(255 << 8);
  expect((await runChild({ run: "kill -KILL $$" })).status).toBe(9);
  expect((await runChild({ run: "kill -PIPE $$" })).status).toBe(13);
});

/** All containers have their init from this one file. */
const spoil =
  "readlink $exe; (echo x >> $exe) 2>/dev/null && echo written; for change in 'chmod 711' 'chown 0:0' touch; do $change $exe 2>/dev/null && echo $change; done; true";

kernelTest("the program cannot change the executor it came from (CVE-2019-5736)", ["root", "executor"], async () => {
  const { output } = await runWithMounts({ run: `exe=$(ls -d /proc/$PPID)/exe; ${spoil}` });
  expect(output.trim()).toBe("/orlop-executor");
});

kernelTest("nor where vm.memfd_noexec is 2", ["root", "executor", "memfd-noexec"], async () => {
  const script = `exec >&2; exe=/proc/$PPID/exe; ${spoil}`;
  const plan = encodePlan(
    because([
      { op: "spawn", flags: 0, group: "", steps: 1 },
      { op: "exec", argv: ["/bin/sh", "-c", script], env: [] },
    ]),
  );
  const command = `echo 2 > /proc/sys/vm/memfd_noexec && exec ${executorPath} plan`;
  const child = Bun.spawn(["unshare", "--pid", "--mount-proc", "--fork", "sh", "-c", command], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  child.stdin.write(plan);
  child.stdin.end();
  const output = await new Response(child.stderr).text();
  expect(output.trim()).toBe("/orlop-executor");
  expect(await child.exited).toBe(0);
});
