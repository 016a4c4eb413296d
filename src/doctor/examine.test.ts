/** What doctor says about machines that lack things. No root, no executor: the machines are made up. */
import { expect, test } from "bun:test";
import { type Step, type StepName, signatureOf, stepTable } from "../kernel/step.ts";
import { examine } from "./examine.ts";
import type { Finding } from "./finding.ts";
import type { EngineAnswer } from "./installation.ts";
import type { Machine } from "./machine.ts";

const allCapabilities = "CapEff:\t000001ffffffffff\n";
const table = (Object.keys(stepTable) as StepName[]).map((name) => `${name} ${signatureOf(name)}`).join("\n");
const unified = ["1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw"].join(
  "\n",
);

interface Changes {
  readonly uid?: number;
  readonly kernelRelease?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly freeBytes?: number;
  readonly fails?: (steps: readonly Step[]) => string | undefined;
  readonly executorTable?: string | undefined;
  readonly programs?: readonly string[];
  readonly engine?: EngineAnswer;
}

/** A machine that has everything, but for the changes. The storage probe writes to a real directory: /tmp. */
function examined(changes: Changes = {}): Promise<readonly Finding[]> {
  const files: Record<string, string> = {
    "/proc/self/status": allCapabilities,
    "/proc/self/mountinfo": unified,
    "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids",
    "/etc/resolv.conf": "nameserver 192.0.2.1\n",
    ...changes.files,
  };
  const machine: Machine = {
    uid: changes.uid ?? 0,
    kernelRelease: changes.kernelRelease ?? "6.1.0-28-amd64",
    readText: (path) => files[path],
    exists: (path) => path === "/tmp",
    freeBytes: () => changes.freeBytes ?? 50e9,
    probe: async (steps) => changes.fails?.(steps),
    executorSteps: () => ({ table: "executorTable" in changes ? changes.executorTable : table, said: "no such file" }),
    hasProgram: (name) => (changes.programs ?? ["nft"]).includes(name),
  };
  const engine = changes.engine ?? { kind: "not-running" };
  return examine({
    machine,
    executor: "/x/orlop-executor",
    stateDir: "/tmp/state",
    version: "1",
    host: "unix:///s",
    engine,
  });
}

/** The finding of this name, which must be the only one. */
async function finding(name: string, changes: Changes): Promise<Finding> {
  const found = (await examined(changes)).filter((one) => one.name === name);
  expect(found.length).toBe(1);
  return found[0] as Finding;
}

/** A plan that has this step. */
const having = (op: Step["op"], why: string) => (steps: readonly Step[]) =>
  steps.some((step) => step.op === op) ? why : undefined;

test("a machine that has everything is all well", async () => {
  const findings = await examined();
  expect(findings.filter(({ level }) => level !== "ok")).toEqual([]);
  expect(findings.length).toBeGreaterThan(12);
});

test("everything that is not well has a fix", async () => {
  const findings = await examined({
    fails: (steps) => (steps.length > 0 ? "unshare: EPERM" : undefined),
    freeBytes: 1,
    programs: [],
  });
  const unwell = findings.filter(({ level }) => level !== "ok");
  expect(unwell.length).toBeGreaterThan(8);
  for (const { fix } of unwell) expect(fix).toMatch(/\w/);
});

test.each<[name: string, level: string, found: string, changes: Changes]>([
  ["root", "missing", "this is user 1000", { uid: 1000 }],
  [
    "capabilities",
    "missing",
    "without CAP_SYS_ADMIN",
    { files: { "/proc/self/status": "CapEff:\t000001ffffdfffff\n" } },
  ],
  [
    "raising limits",
    "warning",
    "without CAP_SYS_RESOURCE",
    { files: { "/proc/self/status": "CapEff:\t000001fffeffffff\n" } },
  ],
  [
    "containers' capabilities",
    "warning",
    "without CAP_AUDIT_WRITE",
    { files: { "/proc/self/status": "CapEff:\t000001ffdfffffff\n" } },
  ],
  ["kernel", "warning", "5.10.0 is older than 5.12", { kernelRelease: "5.10.0" }],
  [
    "cgroups",
    "missing",
    "no cgroup file system",
    { files: { "/proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/sda1 rw" } },
  ],
  ["cgroups", "missing", "read-only", { files: { "/proc/self/mountinfo": unified.replace("rw,nosuid", "ro,nosuid") } }],
  [
    "controller memory",
    "warning",
    "missing: no --memory",
    { files: { "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu pids" } },
  ],
  ["executor", "missing", "does not run: no such file", { executorTable: undefined }],
  ["executor", "missing", "of another version", { executorTable: table.replace("umask n", "umask nn") }],
  [
    "executor",
    "missing",
    "no protected copy",
    { fails: (steps) => (steps.length === 0 ? "no protected copy" : undefined) },
  ],
  ["engine", "warning", "is 2, this command is 1", { engine: { kind: "answered", version: "2" } }],
  ["engine", "missing", "permission denied", { engine: { kind: "failed", reason: "permission denied" } }],
  [
    "name servers",
    "ok",
    "127.0.0.53, asked from the host",
    { files: { "/etc/resolv.conf": "nameserver 127.0.0.53\n" } },
  ],
  ["name servers", "warning", "names none", { files: { "/etc/resolv.conf": "# nothing\n" } }],
  ["mounts", "missing", "root-mount: EINVAL", { fails: having("root-mount", "root-mount: EINVAL") }],
  ["seccomp", "missing", "seccomp: EINVAL", { fails: having("seccomp", "seccomp: EINVAL") }],
  ["nftables", "warning", "netlink: EPROTONOSUPPORT", { fails: having("netlink", "netlink: EPROTONOSUPPORT") }],
  ["nftables", "warning", "the program nft is missing", { programs: [] }],
  ["free space", "warning", "1GB at /tmp", { freeBytes: 1e9 }],
  [
    "state directory",
    "missing",
    "mounted ro",
    { files: { "/proc/self/mountinfo": unified.replace("/ / rw", "/ / ro") } },
  ],
  [
    "state directory",
    "warning",
    "mounted nodev",
    { files: { "/proc/self/mountinfo": unified.replace("/ / rw", "/ / rw,nodev") } },
  ],
  ["overlay", "missing", "overlay: ENODEV", { fails: having("overlay", "overlay: ENODEV") }],
])("%s: %s, %s", async (name, level, found, changes) => {
  const one = await finding(name, changes);
  expect(one.level).toBe(level as Finding["level"]);
  expect(one.found).toContain(found);
});

test("where overlays work on tmpfs only, that is said", async () => {
  const fails = (steps: readonly Step[]) =>
    steps.some((step) => step.op === "overlay") && !steps.some((step) => step.op === "mount")
      ? "overlay: EINVAL"
      : undefined;
  expect(await finding("overlay", { fails })).toMatchObject({ level: "warning" });
});

test("advice on user namespaces names the sysctl that forbids them", async () => {
  const fails = (steps: readonly Step[]) =>
    steps.some((step) => step.op === "unshare" && step.flags === 0x10000000) ? "unshare: ENOSPC" : undefined;
  const files = { "/proc/sys/user/max_user_namespaces": "0\n" };
  expect((await finding("user namespaces", { fails, files })).fix).toContain("user.max_user_namespaces");
});

test("where nothing can be tried, nothing is: advice on what follows would mislead", async () => {
  let probes = 0;
  const fails = () => {
    probes++;
    return undefined;
  };
  const names = (await examined({ uid: 1000, fails })).map(({ name }) => name);
  expect(names).not.toContain("mounts");
  expect(probes).toBe(1); // that the executor runs at all
});
