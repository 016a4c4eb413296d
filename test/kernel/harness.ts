/** Tests on the real kernel: each declares what it needs of the machine, and gets a scratch directory of its own. */

import { beforeAll, test } from "bun:test";
import { accessSync, existsSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { hasDescription } from "../api/description.ts";
import { expectNoLeaks, takeSnapshot, type Watch } from "../leakcheck.ts";

/** What a test may need, each with how to tell and, for a person, what to do. */
const needTable = {
  root: { met: () => process.getuid?.() === 0, remedy: "run as root" },
  executor: { met: () => existsSync(executorPath), remedy: "bun scripts/build-native.ts" },
  /** The whole program, and its test build. */
  product: { met: () => existsSync(join(executorPath, "../orlop")), remedy: "bun scripts/build.ts" },
  cgroup1: { met: () => mounts(" - cgroup ").length > 0, remedy: "a machine with cgroup v1 or hybrid" },
  /** The unified hierarchy at /sys/fs/cgroup. */
  cgroup2: { met: () => mounts(" /sys/fs/cgroup ").some((line) => line.includes(" - cgroup2 ")), remedy: "cgroup v2" },
  /** A cgroup2 mount anywhere: enough for BPF device programs. */
  "cgroup2-mount": { met: () => mounts(" - cgroup2 ").length > 0, remedy: "mount -t cgroup2" },
  userns: { met: () => readable("/proc/self/ns/user") && userLimit() > 0, remedy: "sysctl user.max_user_namespaces" },
  timens: { met: () => readable("/proc/self/ns/time"), remedy: "a kernel with CONFIG_TIME_NS" },
  seccomp: { met: () => readable("/proc/sys/kernel/seccomp/actions_avail"), remedy: "a kernel with CONFIG_SECCOMP" },
  overlay: { met: () => /\toverlay$/m.test(readFileSync("/proc/filesystems", "utf8")), remedy: "modprobe overlay" },
  "memfd-noexec": { met: () => existsSync("/proc/sys/vm/memfd_noexec"), remedy: "Linux 6.3" },
  libfuzzer: {
    met: () =>
      [...new Bun.Glob("/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a").scanSync("/")].length > 0,
    remedy: "apt-get install clang libclang-rt-14-dev",
  },
  strace: { met: () => Bun.which("strace") !== null, remedy: "apt-get install strace" },
  setpriv: { met: () => Bun.which("setpriv") !== null, remedy: "apt-get install util-linux" },
  gcc: { met: () => Bun.which("gcc") !== null, remedy: "apt-get install gcc" },
  nft: { met: () => Bun.which("nft") !== null, remedy: "apt-get install nftables" },
  ip: { met: () => Bun.which("ip") !== null, remedy: "apt-get install iproute2" },
  qemu: { met: () => Bun.which("qemu-system-x86_64") !== null, remedy: "apt-get install qemu-system-x86" },
  systemd: { met: () => existsSync("/lib/systemd/systemd"), remedy: "apt-get install systemd systemd-sysv" },
  docker: { met: () => Bun.which("docker") !== null, remedy: "apt-get install docker.io" },
  /** Platforms, trees of images: newer than Debian 12's. */
  docker28: { met: () => dockerVersion() >= 28, remedy: "Docker's command line 28 or later" },
  dockerd: { met: () => existsSync("/usr/sbin/dockerd"), remedy: "apt-get install docker.io" },
  node: { met: () => nodeVersion() > 0, remedy: "apt-get install nodejs" },
  /** For the current versions of npm packages that users have; Debian 12 has 18. */
  node20: { met: () => nodeVersion() >= 20, remedy: "Node.js 20 or later" },
  /** Docker's description of its API, which is no part of the repository. */
  description: {
    met: () => hasDescription,
    remedy: "set ORLOP_REFERENCE to the folder of docker-engine-api-v1.51.yaml",
  },
  "build-for-all": {
    met: () => canBeRunByAll(join(executorPath, "../orlop")),
    remedy: "a repository in a directory that every user may enter",
  },
  podman: { met: () => Bun.which("podman") !== null, remedy: "apt-get install podman" },
  umoci: { met: () => Bun.which("umoci") !== null, remedy: "apt-get install umoci" },
  servers: {
    met: () => ["psql", "redis-server", "nginx", "docker-registry", "curl"].every((name) => Bun.which(name) !== null),
    remedy: "apt-get install postgresql redis-server nginx-light docker-registry curl",
  },
  "docker-compose": { met: () => Bun.which("docker-compose") !== null, remedy: "apt-get install docker-compose" },
  nginx: { met: () => Bun.which("nginx") !== null, remedy: "apt-get install nginx-light" },
  dnsmasq: { met: () => Bun.which("dnsmasq") !== null, remedy: "apt-get install dnsmasq-base" },
  curl: { met: () => Bun.which("curl") !== null, remedy: "apt-get install curl" },
  firewalld: {
    met: () => ["firewalld", "dbus-daemon"].every((name) => Bun.which(name) !== null),
    remedy: "apt-get install firewalld",
  },
  "iptables-legacy": {
    met: () => Bun.which("iptables-legacy") !== null && existsSync("/proc/net/ip_tables_names"),
    remedy: "apt-get install iptables, and a kernel with ip_tables (CONFIG_IP_NF_IPTABLES_LEGACY)",
  },
  busybox: { met: () => Bun.which("busybox") !== null, remedy: "apt-get install busybox-static" },
} as const satisfies Record<string, { met: () => boolean; remedy: string }>;

export type Need = keyof typeof needTable;

/** On a machine that is known to be slow (software emulation), tests get this many times longer. */
const slowness = Number(process.env["ORLOP_TEST_SLOWNESS"] ?? 1);

/** What CI may lack too, as no Debian package has it. */
const notInDebian: readonly Need[] = ["docker28"];

/** cgroup v1 and v2 exclude each other: CI runs the whole suite once on each, the second time in a virtual machine. */
const eitherOr: readonly Need[] = ["cgroup1", "cgroup2"];

/** The executor built with step points. */
export const executorPath = process.env["ORLOP_EXECUTOR"] ?? join(import.meta.dir, "../../dist/test/orlop-executor");

/** A test that did not end in time is still undone: its supervisors would disturb the next ones. */
export const undoMs = 60_000;

export async function inTime(body: void | Promise<void>, limitMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limitMs / 1000} s`)), limitMs);
  });
  try {
    await Promise.race([body, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A step point that the executors of this run are to have: a fault that the tests must notice (test/seeded). */
export const seededPoint: Readonly<Record<string, string>> =
  process.env["ORLOP_POINT"] === undefined ? {} : { ORLOP_POINT: process.env["ORLOP_POINT"] };

/** The one without. */
export const releaseExecutorPath = join(import.meta.dir, "../../dist/orlop-executor");

/** What a test gets. */
export interface Scratch {
  /** Its own empty directory, removed afterwards. */
  readonly directory: string;
  /** Runs this afterwards, last registered first. */
  defer(undo: () => void | Promise<void>): void;
}

/** A test on the real kernel, which must leave nothing behind. A need that is not met skips it; with CI=true it fails, saying what to do. */
export function kernelTest(
  name: string,
  needs: readonly Need[],
  body: (scratch: Scratch) => void | Promise<void>,
  timeoutMs = 120_000,
): void {
  defineTest(name, needs, body, { timeoutMs });
}

/** As kernelTest, for one that runs while others do. It must make no group, link or rule: nobody could tell whose they are. */
export function testBesideOthers(
  name: string,
  needs: readonly Need[],
  body: (scratch: Scratch) => Promise<void>,
  timeoutMs: number,
): void {
  defineTest(name, needs, body, { timeoutMs, isBesideOthers: true });
}

interface Terms extends Pick<Watch, "isBesideOthers"> {
  readonly timeoutMs: number;
}

function defineTest(
  name: string,
  needs: readonly Need[],
  body: (scratch: Scratch) => void | Promise<void>,
  { timeoutMs, ...watch }: Terms,
): void {
  const missing = needs.filter((need) => !needTable[need].met());
  if (missing.length === 0) {
    const limitMs = timeoutMs * slowness;
    test(name, () => inScratch((scratch) => inTime(body(scratch), limitMs), watch), limitMs + undoMs);
    return;
  }
  const reason = missing.map((need) => `${need} (${needTable[need].remedy})`).join(", ");
  const otherMachine = missing.every((need) => eitherOr.includes(need));
  if (process.env["CI"] === "true" && !otherMachine) {
    test(name, () => {
      throw new Error(`this machine lacks: ${reason}`);
    });
    return;
  }
  test.skip(`${name} [needs ${reason}]`, () => undefined);
}

/** `test` for tests of a product that is there already. A need that is not met skips them; with CI=true they run, and fail. */
export function testWhere(...needs: readonly Need[]): typeof test {
  return areTried(needs) ? test : (test.skip as typeof test);
}

/** `beforeAll` of a file whose tests all have these needs: nothing is made ready for tests that are skipped. */
export function beforeAllWhere(needs: readonly Need[], body: () => void | Promise<void>, timeoutMs?: number): void {
  if (areTried(needs)) beforeAll(body, timeoutMs);
}

function areTried(needs: readonly Need[]): boolean {
  const missing = needs.filter((need) => !needTable[need].met());
  return missing.length === 0 || (process.env["CI"] === "true" && !missing.some((need) => notInDebian.includes(need)));
}

async function inScratch(
  body: (scratch: Scratch) => void | Promise<void>,
  terms: Pick<Watch, "isBesideOthers">,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "orlop-test-"));
  const watch = { directory, ...terms };
  const before = takeSnapshot(watch);
  const undo: (() => void | Promise<void>)[] = [];
  // The first thing that went wrong is the reason; what cannot be undone afterwards only follows from it.
  let failure: { readonly error: unknown } | undefined;
  const attempt = async (work: () => void | Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failure ??= { error };
    }
  };
  await attempt(() => body({ directory, defer: (step) => undo.push(step) }));
  for (const step of undo.reverse()) await attempt(step);
  if (failure === undefined) await attempt(() => expectNoLeaks(before, watch));
  await attempt(() => rm(directory, { recursive: true, force: true }));
  if (failure !== undefined) throw failure.error;
}

const nodeVersion = (): number => versionOf(["node", "--version"]);
const dockerVersion = (): number => versionOf(["docker", "--version"]);

/** The major version that it prints; 0: there is none. */
function versionOf(command: readonly [string, ...string[]]): number {
  if (Bun.which(command[0]) === null) return 0;
  return Number(/(\d+)\./.exec(Bun.spawnSync([...command]).stdout.toString())?.[1] ?? 0);
}

function canBeRunByAll(path: string): boolean {
  for (let at = path; at !== "/"; at = dirname(at)) if (!existsSync(at) || (statSync(at).mode & 1) === 0) return false;
  return true;
}

function mounts(pattern: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(pattern));
}

function readable(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false; // absent is the answer, not an error
  }
}

function userLimit(): number {
  const path = "/proc/sys/user/max_user_namespaces";
  return readable(path) ? Number(readFileSync(path, "utf8")) : 0;
}
