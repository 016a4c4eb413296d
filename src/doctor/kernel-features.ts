/** Tests kernel features by using them, each in a process of its own that ends at once. */
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  MS_PRIVATE,
  MS_REC,
} from "../kernel/linux.ts";
import type { Step } from "../kernel/step.ts";
import { type Finding, missing, ok, warning } from "./finding.ts";
import type { Machine } from "./machine.ts";

const why = "doctor tries it";

/** Namespaces of every container, and one that only later features need. */
const namespaces = [
  { name: "mount", flag: CLONE_NEWNS, option: "" },
  { name: "UTS", flag: CLONE_NEWUTS, option: "CONFIG_UTS_NS" },
  { name: "IPC", flag: CLONE_NEWIPC, option: "CONFIG_IPC_NS" },
  { name: "PID", flag: CLONE_NEWPID, option: "CONFIG_PID_NS" },
  { name: "network", flag: CLONE_NEWNET, option: "CONFIG_NET_NS" },
  { name: "cgroup", flag: CLONE_NEWCGROUP, option: "CONFIG_CGROUPS" },
] as const;

export function checkKernelVersion(machine: Machine): Finding {
  const [major = 0, minor = 0] = machine.kernelRelease.split(".").map((part) => Number.parseInt(part, 10));
  // mount_setattr(2), the newest call that the executor makes on its main path.
  if (major > 5 || (major === 5 && minor >= 12)) return ok("kernel", machine.kernelRelease);
  return warning(
    "kernel",
    `${machine.kernelRelease} is older than 5.12`,
    "upgrade it: read-only binds are recursive from 5.12 on",
  );
}

export async function checkNamespaces(machine: Machine): Promise<Finding[]> {
  const failures = await inTurn(namespaces, async ({ name, flag, option }) => {
    const failure = await machine.probe([unshare(flag)]);
    return failure === undefined ? undefined : missing(`${name} namespace`, failure, namespaceFix(option));
  });
  const broken = failures.filter((finding) => finding !== undefined);
  const time = await machine.probe([unshare(CLONE_NEWTIME)]);
  const user = await machine.probe([unshare(CLONE_NEWUSER)]);
  return [
    ...(broken.length > 0 ? broken : [ok("namespaces", namespaces.map(({ name }) => name).join(", "))]),
    time === undefined
      ? ok("time namespace", "containers have their own clock offsets")
      : warning("time namespace", time, "a kernel from 5.6 on with CONFIG_TIME_NS; containers work without it"),
    user === undefined ? ok("user namespaces", "work") : warning("user namespaces", user, userNamespaceFix(machine)),
  ];
}

function namespaceFix(option: string): string {
  const build = option === "" ? "" : `, or a kernel with ${option}`;
  return `if this is inside a container, start that with --privileged${build}`;
}

function userNamespaceFix(machine: Machine): string {
  if (machine.readText("/proc/sys/user/max_user_namespaces")?.trim() === "0")
    return "sysctl -w user.max_user_namespaces=28633";
  if (machine.readText("/proc/sys/kernel/unprivileged_userns_clone")?.trim() === "0")
    return "sysctl -w kernel.unprivileged_userns_clone=1";
  return "a kernel with CONFIG_USER_NS; only user namespaces, which containers do not get yet, need it";
}

/** The calls that make a container's root: fsopen, fsmount, openat2, move_mount, pivot_root. */
export async function checkMounts(machine: Machine): Promise<Finding> {
  const failure = await machine.probe([
    unshare(CLONE_NEWNS),
    { op: "propagation", path: "/", flags: MS_REC | MS_PRIVATE, why },
    { op: "mount", fstype: "tmpfs", source: "tmpfs", target: "/tmp", attributes: 0, options: [], why },
    { op: "root", path: "/tmp", why },
    { op: "root-mkdir", path: "/proc", mode: 0o755, why },
    { op: "root-mount", fstype: "proc", source: "proc", target: "/proc", attributes: 0, options: [], why },
    { op: "pivot", propagation: 0, why },
  ]);
  if (failure === undefined) return ok("mounts", "fsopen, openat2, move_mount, pivot_root");
  return missing(
    "mounts",
    failure,
    "a kernel from 5.12 on; if this is inside a container, start that with --privileged",
  );
}

/** struct sock_filter { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW }. */
const allowAll = Uint8Array.of(0x06, 0, 0, 0, 0, 0, 0xff, 0x7f);

export async function checkSeccomp(machine: Machine): Promise<Finding> {
  const failure = await machine.probe([{ op: "seccomp", flags: 0, program: allowAll, why }]);
  if (failure === undefined) return ok("seccomp", "filters can be loaded");
  return missing(
    "seccomp",
    failure,
    "a kernel with CONFIG_SECCOMP_FILTER (or --security-opt seccomp=unconfined, at your own risk)",
  );
}

/** nfnetlink: NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, in a network namespace of its own. */
const nftGetGeneration = Uint8Array.of(20, 0, 0, 0, 16, 10, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
const NETLINK_NETFILTER = 12;

export async function checkNftables(machine: Machine): Promise<Finding> {
  const failure = await machine.probe([
    unshare(CLONE_NEWNET),
    { op: "netlink", protocol: NETLINK_NETFILTER, messages: nftGetGeneration, why },
  ]);
  const forWhat = "bridge networks need it; --network none and host do not";
  if (failure !== undefined) return warning("nftables", failure, `modprobe nf_tables (${forWhat})`);
  if (!machine.hasProgram("nft"))
    return warning(
      "nftables",
      "the kernel has it, the program nft is missing",
      `apt-get install -y nftables (${forWhat})`,
    );
  return ok("nftables", "kernel and nft");
}

function unshare(flags: number): Step {
  return { op: "unshare", flags, why };
}

/** One after the other: each probe is a process, and the machine may be small. */
async function inTurn<A, B>(items: readonly A[], act: (item: A) => Promise<B>): Promise<B[]> {
  const results: B[] = [];
  for (const item of items) results.push(await act(item));
  return results;
}
