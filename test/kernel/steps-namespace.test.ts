/** Namespaces one by one, and what is set in them. */

import { expect } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import * as linux from "../../src/kernel/linux.ts";
import { loopbackUp } from "../../src/kernel/netlink/loopback.ts";
import { type Bare, runChild, runSteps, runWithMounts } from "./child.ts";
import { kernelTest, type Need } from "./harness.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const hostNamespace = (name: string): string => readlinkSync(`/proc/self/ns/${name}`);

/** name below /proc/self/ns, flag, what else a test of it needs. */
const namespaces: [string, number, Need[]][] = [
  ["mnt", linux.CLONE_NEWNS, []],
  ["uts", linux.CLONE_NEWUTS, []],
  ["ipc", linux.CLONE_NEWIPC, []],
  ["pid", linux.CLONE_NEWPID, []],
  ["net", linux.CLONE_NEWNET, []],
  ["cgroup", linux.CLONE_NEWCGROUP, []],
  ["time", linux.CLONE_NEWTIME, ["timens"]],
];

for (const [name, flag, needs] of namespaces) {
  kernelTest(`spawn: a new ${name} namespace, and no other`, ["root", "executor", ...needs], async () => {
    const { output } = await runChild({ flags: flag, run: "ls -l /proc/self/ns" });
    for (const [other, otherFlag] of namespaces) {
      const isHost = output.includes(hostNamespace(other));
      expect([other, isHost]).toEqual([other, otherFlag !== flag]);
    }
  });
}

kernelTest("unshare: a cgroup namespace after the start", ["root", "executor"], async () => {
  const { output } = await runChild({
    steps: [{ op: "unshare", flags: linux.CLONE_NEWCGROUP }],
    run: "readlink /proc/self/ns/cgroup",
  });
  expect(output.trim()).not.toBe(hostNamespace("cgroup"));
});

kernelTest(
  "a user namespace: ids are mapped by the parent, and the child is root in it",
  ["root", "executor", "userns"],
  async () => {
    const { output } = await runChild({
      flags: linux.CLONE_NEWUSER,
      steps: [{ op: "await" }],
      after: [{ op: "id-map", uidMap: "0 100000 1000\n", gidMap: "0 200000 1000\n", deny: 0 }, { op: "release" }],
      run: "id -u; id -g; id -G; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups",
    });
    expect(output.replace(/ +/g, " ")).toBe("0\n0\n0\n 0 100000 1000\n 0 200000 1000\nallow\n");
  },
);

kernelTest("a user namespace without setgroups", ["root", "executor", "userns"], async () => {
  const { output } = await runChild({
    flags: linux.CLONE_NEWUSER,
    steps: [{ op: "await" }],
    after: [{ op: "id-map", uidMap: "0 1000 1\n", gidMap: "0 1000 1\n", deny: 1 }, { op: "release" }],
    run: "cat /proc/self/setgroups",
  });
  expect(output).toBe("deny\n");
});

kernelTest(
  "ids that cannot be mapped fail the plan, and the waiting child is gone",
  ["root", "executor", "userns"],
  async () => {
    const failure = runChild({
      flags: linux.CLONE_NEWUSER,
      steps: [{ op: "await" }],
      after: [{ op: "id-map", uidMap: "nonsense", gidMap: "0 0 1\n", deny: 0 }, { op: "release" }],
      run: "true",
    });
    await expect(failure).rejects.toMatchObject({ errno: "EINVAL", detail: "uid_map", step: { op: "id-map" } });
  },
);

kernelTest(
  "a time namespace: offsets are written between unshare and spawn",
  ["root", "executor", "timens"],
  async () => {
    const { output } = await runChild({
      before: [
        { op: "unshare", flags: linux.CLONE_NEWTIME },
        { op: "write", path: "/proc/self/timens_offsets", data: bytes("boottime 1000000000 0\n") },
      ],
      run: "cut -d. -f1 /proc/uptime",
    });
    expect(Number(output)).toBeGreaterThan(1_000_000_000);
  },
);

kernelTest("setns: joins a network namespace", ["root", "executor"], async ({ defer }) => {
  const other = await holdNamespaces(linux.CLONE_NEWNET, defer);
  const { output } = await runChild({
    steps: [{ op: "setns", path: `/proc/${other}/ns/net`, flags: linux.CLONE_NEWNET }],
    run: "readlink /proc/self/ns/net",
  });
  expect(output.trim()).toBe(readlinkSync(`/proc/${other}/ns/net`));
});

kernelTest(
  "setns: joins a PID namespace last, and is the monitor's child in it",
  ["root", "executor"],
  async ({ defer }) => {
    const other = await holdNamespaces(linux.CLONE_NEWPID | linux.CLONE_NEWNS, defer);
    const at = (name: string, flags: number): Bare => ({ op: "setns", path: `/proc/${other}/ns/${name}`, flags });
    const { output, status } = await runChild({
      steps: [at("pid", linux.CLONE_NEWPID), at("mnt", linux.CLONE_NEWNS)],
      run: "echo $$ $PPID; exit 5",
    });
    const [pid, parent] = output.trim().split(" ").map(Number);
    expect(pid).toBeGreaterThan(1);
    expect(parent).toBe(0); // outside of its namespace
    expect(status).toBe(5 << 8);
  },
);

kernelTest(
  "setns: a failure after joining a PID namespace still names its step",
  ["root", "executor"],
  async ({ defer }) => {
    const other = await holdNamespaces(linux.CLONE_NEWPID, defer);
    const failure = runChild({
      steps: [
        { op: "setns", path: `/proc/${other}/ns/pid`, flags: linux.CLONE_NEWPID },
        { op: "cwd", path: "/missing", make: 0 },
      ],
      run: "true",
    });
    await expect(failure).rejects.toMatchObject({ errno: "ENOENT", detail: "/missing", index: 2 });
  },
);

kernelTest(
  "target and join: in its namespaces, and the monitor's child there",
  ["root", "executor"],
  async ({ defer }) => {
    const flags = linux.CLONE_NEWPID | linux.CLONE_NEWNS | linux.CLONE_NEWNET;
    const other = await holdNamespaces(flags, defer);
    const { output, status } = await runChild({
      before: [{ op: "target", pid: other, started: startOf(other) }],
      steps: [{ op: "join", target: 0, flags }],
      run: "readlink /proc/self/ns/net; echo $$ $PPID; exit 5",
    });
    const [net, pids] = output.trim().split("\n");
    expect(net).toBe(readlinkSync(`/proc/${other}/ns/net`));
    expect(pids).toMatch(/^\d+ 0$/); // its parent is outside
    expect(status).toBe(5 << 8);
  },
);

kernelTest("target: another process with the same number is refused", ["root", "executor"], async ({ defer }) => {
  const other = await holdNamespaces(linux.CLONE_NEWNET, defer);
  const step = { op: "target", pid: other, started: startOf(other) + 1 } as const;
  await expect(runChild({ before: [step], run: "true" })).rejects.toMatchObject({ errno: "ESRCH", index: 0 });
});

kernelTest("kill-target: the very process ends", ["root", "executor"], async ({ defer }) => {
  const other = Bun.spawn(["sleep", "1000"]);
  defer(() => other.kill());
  const before = [
    { op: "target", pid: other.pid, started: startOf(other.pid) },
    { op: "kill-target", target: 0 },
  ] as const;
  await runChild({ before, run: "true" });
  await other.exited;
  expect(other.signalCode).toBe("SIGKILL");
});

kernelTest("kill-target: without a target it fails", ["root", "executor"], async () => {
  const failure = runChild({ before: [{ op: "kill-target", target: 0 }], run: "true" });
  await expect(failure).rejects.toMatchObject({ errno: "EINVAL", index: 0 });
});

kernelTest("join: without a target it fails", ["root", "executor"], async () => {
  const failure = runChild({ steps: [{ op: "join", target: 0, flags: linux.CLONE_NEWNET }], run: "true" });
  await expect(failure).rejects.toMatchObject({ errno: "EINVAL", index: 1 });
});

/** Field 22 of /proc/PID/stat. */
function startOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[19]);
}

kernelTest("hostname and domainname", ["root", "executor"], async () => {
  const { output } = await runChild({
    flags: linux.CLONE_NEWUTS,
    steps: [
      { op: "hostname", name: "box" },
      { op: "domainname", name: "example" },
    ],
    run: "cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname",
  });
  expect(output).toBe("box\nexample\n");
});

for (const [way, env] of [
  ["openat2", {}],
  ["openat", { ORLOP_POINT: "proc.openat2:38" }],
] as const) {
  kernelTest(`sysctl by ${way}: of the new network namespace, not of the host`, ["root", "executor"], async () => {
    const { output } = await runChild({
      flags: linux.CLONE_NEWNET | linux.CLONE_NEWPID | linux.CLONE_NEWNS,
      steps: [{ op: "sysctl", key: "net/ipv4/ip_unprivileged_port_start", value: "17" }],
      run: "cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
      env,
    });
    expect(output).toBe("17\n");
    expect(await Bun.file("/proc/sys/net/ipv4/ip_unprivileged_port_start").text()).not.toBe("17\n");
  });

  kernelTest(`sysctl by ${way}: a key cannot lead out of /proc/sys`, ["root", "executor"], async () => {
    const failure = runChild({
      flags: linux.CLONE_NEWPID,
      steps: [{ op: "sysctl", key: "../self/comm", value: "x" }],
      run: "true",
      env,
    });
    await expect(failure).rejects.toThrow(/^sysctl: (EXDEV|ENOSYS): /);
  });
}

kernelTest(
  "sysctl does not depend on how the container's own /proc is mounted",
  ["root", "executor"],
  async ({ directory }) => {
    const { output } = await runWithMounts({
      flags: linux.CLONE_NEWNET | linux.CLONE_NEWPID,
      steps: [
        { op: "root", path: directory },
        { op: "root-mount", fstype: "proc", source: "proc", target: "/proc", attributes: 1, options: ["subset=pid"] },
        { op: "sysctl", key: "net/ipv4/ip_unprivileged_port_start", value: "17" },
      ],
      run: "cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
    });
    expect(output).toBe("17\n");
  },
);

kernelTest("oom-score: of the child alone", ["root", "executor"], async () => {
  const { output } = await runChild({
    steps: [{ op: "oom-score", score: "321" }],
    run: "cat /proc/self/oom_score_adj",
  });
  expect(output).toBe("321\n");
  expect(await Bun.file("/proc/self/oom_score_adj").text()).not.toBe("321\n");
});

kernelTest("netlink: loopback comes up, with its addresses", ["root", "executor"], async () => {
  const run = "grep -c '127.0.0.1' /proc/self/net/fib_trie";
  const up = await runChild({ flags: linux.CLONE_NEWNET, steps: [loopbackUp()], run });
  const down = await runChild({ flags: linux.CLONE_NEWNET, run });
  expect(Number(up.output)).toBeGreaterThan(0);
  expect(Number(down.output)).toBe(0);
});

kernelTest("netlink: a refusal names the message", ["root", "executor"], async () => {
  const message = Buffer.alloc(32);
  message.writeUInt32LE(32, 0);
  message.writeUInt16LE(16, 4); // RTM_NEWLINK
  message.writeInt32LE(4242, 20); // no such interface
  const failure = runChild({
    flags: linux.CLONE_NEWNET,
    steps: [{ op: "netlink", protocol: 0, messages: message }],
    run: "true",
  });
  await expect(failure).rejects.toMatchObject({ errno: "ENODEV", detail: "message 1" });
  const cut = runSteps([{ op: "netlink", protocol: 0, messages: message.subarray(0, 20) }]);
  await expect(cut).rejects.toMatchObject({ errno: "EPROTO" });
});

kernelTest("keyring: a session of its own", ["root", "executor"], async () => {
  const run = "cat /proc/keys";
  const { output } = await runChild({ steps: [{ op: "keyring", name: "orlop-test-keyring" }], run });
  expect(output).toContain("orlop-test-keyring");
});

kernelTest("propagation: what is mounted inside is not seen outside", ["root", "executor"], async ({ directory }) => {
  const mounted: Bare = { op: "mount", fstype: "tmpfs", source: "t", target: directory, attributes: 0, options: [] };
  const { output } = await runWithMounts({ steps: [mounted], run: `grep -c ${directory} /proc/self/mountinfo` });
  expect(output).toBe("1\n");
  expect(await Bun.file("/proc/self/mountinfo").text()).not.toContain(directory);
});

/** A process that holds new namespaces until the test's end; its pid. */
async function holdNamespaces(flags: number, defer: (undo: () => Promise<void>) => void): Promise<number> {
  const letters: [number, string][] = [
    [linux.CLONE_NEWNET, "--net"],
    [linux.CLONE_NEWPID, "--pid"],
    [linux.CLONE_NEWNS, "--mount"],
  ];
  const words = letters.filter(([flag]) => (flags & flag) !== 0).map(([, word]) => word);
  const script = "echo $$; exec sleep 60";
  const holder = Bun.spawn(["unshare", "--fork", ...words, "--kill-child", "sh", "-c", script], { stdout: "pipe" });
  defer(async () => {
    holder.kill("SIGKILL");
    await holder.exited;
  });
  await holder.stdout.getReader().read(); // it is there
  const children = await Bun.file(`/proc/${holder.pid}/task/${holder.pid}/children`).text();
  return Number(children.trim());
}
