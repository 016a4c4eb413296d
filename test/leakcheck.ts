/**
 * What a test left on the machine: everything of ours in the kernel and in our folders, before and after.
 *
 * Other people's tests may run on the same machine, so processes count when they can be attributed to this test (by
 * descent, or because they mention its directory), and mounts when they are not below another test's directory.
 */

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { extraOf, sandboxNaming, standingBridges } from "./leakcheck-networks.ts";
import { patienceMs } from "./wait-until.ts";

export interface Watch {
  /** The test's own directory: a process that mentions it is ours. */
  readonly directory: string;
  /** Folders whose files are counted too (run and state directories of an engine that stays). */
  readonly folders?: readonly string[];
  /** Other tests come and go meanwhile: groups, links, rules and mounts elsewhere are theirs. Only for a test that makes none. */
  readonly isBesideOthers?: true;
}

/** "kind: thing" → how many of it. */
export type Snapshot = ReadonlyMap<string, number>;

interface Process {
  readonly pid: number;
  /** The command line, or "[name]" for one that has none any more. */
  readonly name: string;
}

/** Where tests and other engines' private daemons have their directories; mounts there that are not ours do not concern us. */
const sharedDirectory = `${tmpdir()}/`;
/** Groups of other engines. */
const othersGroups = /\/(docker|libpod_parent|libpod-[^/]*|crun-[^/]*|user\.slice|system\.slice)(\/|$)/;
/** Daemons of other engines that a test compares with. */
const peers = /^\/usr\/s?bin\/(dockerd|containerd)\b/;
/** Servers of a test file, which it ends itself, perhaps behind its product. */
const ownServers = /^docker-registry serve /;
const namespaceLink = /^(cgroup|ipc|mnt|net|pid|time|user|uts):\[\d+\]$/;

const groupKind = "cgroup: ";
const linkKind = "network link: ";

/** Teardown may go on behind an answer: this long it may take until nothing is left. */
const settleMs = 20_000;
const pollMs = 20;

/** Everything of ours that exists now. */
export function takeSnapshot(watch: Watch): Snapshot {
  const counts = new Map<string, number>();
  const named = sandboxNaming();
  const count = (name: string): void => {
    const thing = named(withoutPid(name));
    counts.set(thing, (counts.get(thing) ?? 0) + 1);
  };
  const processes = ourProcesses(watch.directory);
  for (const mount of hostMounts(watch)) count(`mount: ${mount}`);
  if (watch.isBesideOthers !== true) {
    for (const group of controlGroups()) count(`${groupKind}${group}`);
    for (const link of readdirSync("/sys/class/net")) count(`${linkKind}${link}`);
    for (const rule of nftablesRules()) count(`nftables: ${rule}`);
  }
  for (const process of processes.filter(({ name }) => !ownServers.test(name))) {
    count(`process: ${process.name}`);
    for (const namespace of namespacesOf(process.pid)) counts.set(`namespace: ${namespace}`, 1);
    if (peers.test(process.name)) continue; // its descriptors are its own business: it keeps pipes for later
    for (const descriptor of descriptorsOf(process.pid)) count(`descriptor: ${descriptor} of ${process.name}`);
  }
  for (const folder of watch.folders ?? []) for (const file of filesBelow(folder)) count(`file: ${file}`);
  return withoutStanding(counts);
}

/** What holds every container's group stays, as Docker's does; groups in it are counted. */
const groupOfAll = /^cgroup: .*\/orlop$/;

/** What an engine keeps while it runs, the note that there were networks, and what one that rests tells the next. */
function withoutStanding(counts: ReadonlyMap<string, number>): Snapshot {
  const bridges = standingBridges();
  const isStanding = (thing: string): boolean =>
    groupOfAll.test(thing) ||
    thing.endsWith("/guarded-links.json") ||
    thing.endsWith("/run/events.jsonl") ||
    thing.endsWith("/orlop.db-spare") || // room for removals on a full disk
    (thing.startsWith(linkKind) && bridges.has(thing.slice(linkKind.length)));
  return new Map([...counts].filter(([thing]) => !isStanding(thing)));
}

/** An engine that was started anew has another one. */
function withoutPid(thing: string): string {
  return thing.replace(/(?<=^descriptor: \/proc\/)\d+(?=\/)/, "self");
}

/** What there is more of now than before, one line each. */
export function findLeaks(before: Snapshot, watch: Watch): string[] {
  const more = [...takeSnapshot(watch)].map(
    ([thing, now]) => [thing, extraOf(thing, before.get(thing) ?? 0, now)] as const,
  );
  return more
    .filter(([thing, extra]) => extra > 0 && !isOthersGroup(thing, watch) && !isBelowOthers(thing, before))
    .map(([thing, extra]) => (extra === 1 ? thing : `${thing} (${extra}×)`));
}

/** Waits until nothing is left that was not there before, and says what is when that does not happen. */
async function waitForNoLeaks(before: Snapshot, watch: Watch, timeoutMs: number): Promise<string[]> {
  const deadline = Date.now() + patienceMs(timeoutMs);
  for (;;) {
    const leaks = findLeaks(before, watch);
    if (leaks.length === 0 || Date.now() > deadline) return leaks;
    await Bun.sleep(pollMs);
  }
}

/** The same as an assertion. */
export async function expectNoLeaks(before: Snapshot, watch: Watch, timeoutMs = settleMs): Promise<void> {
  const leaks = await waitForNoLeaks(before, watch, timeoutMs);
  if (leaks.length > 0) throw new Error(`left behind:\n  ${leaks.join("\n  ")}`);
}

/** Mounts of this (the host's) mount namespace: what on what. */
function hostMounts({ directory, isBesideOthers }: Watch): string[] {
  const isElsewhere = (target: string): boolean => isBesideOthers === true || target.startsWith(sharedDirectory);
  const lines = readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n");
  return lines
    .map((line) => {
      const [fields = "", source = ""] = line.split(" - ");
      return { target: fields.split(" ")[4] ?? "", fstype: source.split(" ")[0] ?? "" };
    })
    .filter(({ target }) => target.startsWith(directory) || !isElsewhere(target))
    .map(({ target, fstype }) => `${fstype} on ${target}`);
}

/** Groups in every mounted hierarchy. */
function controlGroups(): string[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8").matchAll(/^\S+ (\S+) cgroup2? /gm);
  return [...mounts].flatMap((mount) => groupsBelow(mount[1] ?? "")).filter((group) => !othersGroups.test(group));
}

function groupsBelow(directory: string): string[] {
  const names = list(directory, true).map((name) => join(directory, name));
  return names.flatMap((name) => [name, ...groupsBelow(name)]);
}

/** A group that appeared, and in which only processes of others run. */
function isOthersGroup(thing: string, watch: Watch): boolean {
  if (!thing.startsWith(groupKind)) return false;
  const text = readText(join(thing.slice(groupKind.length), "cgroup.procs"));
  const pids = text.split("\n").filter(Boolean).map(Number);
  const ours = new Set(ourProcesses(watch.directory).map(({ pid }) => pid));
  return pids.length > 0 && !pids.some((pid) => ours.has(pid));
}

/** A group that appeared below one which was there before, and which is none of Orlop's: a session's, another machine's. */
function isBelowOthers(thing: string, before: Snapshot): boolean {
  if (!thing.startsWith(groupKind)) return false;
  for (let at = thing; at.includes("/"); at = at.slice(0, at.lastIndexOf("/")))
    if (at !== thing && before.has(at) && !/\/orlop(\/|-|$)/.test(at)) return true;
  return false;
}

function nftablesRules(): string[] {
  if (Bun.which("nft") === null) return [];
  const text = execFileSync("nft", ["--stateless", "list", "ruleset"], { encoding: "utf8" });
  const table = /^table inet orlop(_[0-9a-f]{4})? \{\n[\s\S]*?^\}\n/gm;
  // The static rules of an engine stay as long as it runs; what counts is which ports they lead somewhere.
  const ports = [...text.matchAll(table)].flatMap(([own]) =>
    [...own.matchAll(/[a-z]+ \. [^,{}]* : [^,{}]*/g)].map(String),
  );
  const others = text
    .replace(table, "")
    .split("\n")
    .filter((line) => line.trim() !== "");
  return [...ports.filter((line) => !line.includes("\n")).map((line) => line.trim()), ...others];
}

/** Processes that this test started, directly or not. The test's own process is not one of them. */
function ourProcesses(directory: string): Process[] {
  const all = list("/proc", true)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const parents = new Map(all.map((pid) => [pid, parentOf(pid)]));
  const descends = (pid: number): boolean => {
    for (let at = parents.get(pid); at !== undefined && at > 1; at = parents.get(at)) {
      if (at === process.pid) return true;
    }
    return false;
  };
  return all
    .filter((pid) => pid !== process.pid && (descends(pid) || mentions(pid, directory)))
    .map((pid) => ({ pid, name: nameOf(pid) }))
    .filter(({ name }) => name !== "");
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** A container's init has a clean environment, but its root comes from the test's directory. */
function mentions(pid: number, directory: string): boolean {
  const links = ["exe", "cwd", "root"].map((name) => readLink(`/proc/${pid}/${name}`));
  if (links.some((link) => link.startsWith(directory))) return true;
  // Of mountinfo only what is mounted: a container that shows the machine itself shows /tmp too.
  const texts = ["cmdline", "environ"].map((name) => readText(`/proc/${pid}/${name}`));
  if (texts.some((text) => text.includes(directory))) return true;
  return pid !== 1 && sharesNoMounts(pid) && readText(`/proc/${pid}/mountinfo`).includes(directory);
}

/** In a mount namespace of its own. */
function sharesNoMounts(pid: number): boolean {
  const namespace = readLink(`/proc/${pid}/ns/mnt`);
  return namespace !== "" && namespace !== readLink("/proc/self/ns/mnt");
}

function nameOf(pid: number): string {
  const words = readText(`/proc/${pid}/cmdline`).split("\0").join(" ").trim();
  if (words !== "") return words;
  const name = readText(`/proc/${pid}/comm`).trim();
  return name === "" ? "" : `[${name}]`;
}

/** Namespaces that this process is in or holds open, without this process's own. */
function namespacesOf(pid: number): string[] {
  const joined = list(`/proc/${pid}/ns`).map((name) => readLink(`/proc/${pid}/ns/${name}`));
  const held = list(`/proc/${pid}/fd`).map((name) => readLink(`/proc/${pid}/fd/${name}`));
  const own = new Set(list("/proc/self/ns").map((name) => readLink(`/proc/self/ns/${name}`)));
  return [...joined, ...held].filter((link) => namespaceLink.test(link) && !own.has(link));
}

/** What its descriptors are, numbers of anonymous things left out. */
function descriptorsOf(pid: number): string[] {
  return (
    list(`/proc/${pid}/fd`)
      .map((name) => readLink(`/proc/${pid}/fd/${name}`))
      // Bun opens the log behind standard error once more when it has something to say: once, and for good.
      .filter((link) => link !== "" && !link.endsWith("/engine.log"))
      .map((link) => link.replace(/\[\d+\]$/, ""))
  );
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
  } catch {
    return []; // not made yet, or going away while we look: the next look decides
  }
}

function list(directory: string, onlyDirectories = false): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => !onlyDirectories || entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return []; // the process or group is gone
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // the process or group is gone
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // the process is gone, or it is a kernel thread
  }
}
