/**
 * In the virtual machine: looks at what the power cut left, then pulls and removes images until the power is cut again. In some
 * changes its own engine or supervisor is killed; the next engine goes on.
 * `last` as its word: one change more, and a clean end.
 */

import { constants, existsSync, openSync, readFileSync, readSync } from "node:fs";
import { PointFile } from "../crash/point-file.ts";
import { checkState, type Files } from "../power/check-state.ts";
import { killNow } from "../power/kill.ts";
import { Product, testOrlopPath } from "../product.ts";
import { randomBytes } from "../registry/pulling.ts";
import { digestOf, ScriptedRegistry } from "../registry/scripted-registry.ts";
import { waitUntil } from "../wait-until.ts";
import { guestLayer } from "./guest-layer.ts";
import { type Change, lines, readKills, readPowerState } from "./power-model.ts";

/** The same at every boot: it is part of the images' names. */
const port = 5000;
const directory = "/pulls";
/** So many images are kept: the oldest goes for the next. */
const keep = 3;
/** A container that comes back at boot. */
const comesBackMs = 60_000;
/** This is the n-th change since the boot. */
let changes = 0;
/** The last one that was not killed; at first a guess. */
let tookMs = 800;

const say = (line: string): void => console.log(line);
const terminal = openSync("/dev/ttyS0", constants.O_RDONLY | constants.O_NOCTTY);
const commandLine = readFileSync("/proc/cmdline", "utf8");
const { tags, underWay, hasAlways } = readPowerState(commandLine);
const kills = readKills(commandLine);
const isLast = process.argv[2] === "last";

/** By diff id. */
const layers = new Map<string, Files>();
const registry = await ScriptedRegistry.open(port);
const nameOf = (tag: number): string => `${registry.host}/a:${tag}`;

/** Base, which is the same in every image; and 2 MB in a few files with 60 small ones. */
function addImage(tag: number): void {
  const large = [0, 1, 2].map((i) => [`large/${i}`, randomBytes(700_000, tag * 10 + i + 3)] as const);
  const small = Array.from({ length: 60 }, (_, i) => [`small/${i}`, Buffer.from(`file ${i} of ${tag}\n`)] as const);
  const contents: Files[] = [
    { "base/a": randomBytes(900_000, 1), "base/b": randomBytes(10, 2) },
    Object.fromEntries([...large, ...small]),
  ];
  const blobs = contents.map((files) => {
    const tar = guestLayer(files);
    layers.set(digestOf(tar), files);
    return tar;
  });
  registry.addImage(String(tag), blobs);
}

const known = [...tags, ...(underWay === undefined ? [] : [underWay.tag])];
for (const tag of known) addImage(tag);
const named = (list: readonly number[], withAlways: boolean): Set<string> =>
  new Set([...list.map((tag) => `image ${nameOf(tag)}`), ...(withAlways ? ["container always, 0"] : [])]);
const after =
  underWay === undefined
    ? tags
    : underWay.kind === "pull"
      ? [...tags, underWay.tag]
      : tags.filter((tag) => tag !== underWay.tag);

// first what lies on the disk, before an engine mends anything
const product = new Product(directory, { program: testOrlopPath, env: { ORLOP_POINT_FILE: "/run/points" } });
const points = new PointFile("/run/points");
const promises = [
  { position: 0, facts: named(tags, hasAlways) },
  { position: 1, facts: named(after, true) },
];
if (existsSync(product.stateDir))
  for (const fault of checkState(product.stateDir, layers, promises, 0)) say(lines.fault(fault));
else if (tags.length > 0) say(lines.fault("the state directory is gone"));
// then what the engine itself says of it
const checked = await product.run(["system", "check"]);
if (checked.exitCode !== 0)
  say(lines.fault(`system check: ${checked.stdout} ${checked.stderr}`.replaceAll("\n", "; ")));
let kept = await tagsHere();
say(lines.has(kept));
if (hasAlways) await checkAlways();

// a fault of our own making, to see that it is found: this step is left out, each time
const fault = /orlop\.fault=(\S+)/.exec(commandLine)?.[1];
const arming = fault === undefined ? undefined : setInterval(() => points.hasActed && points.arm(fault, "skip"), 1);

const always = ["--name", "always", "--restart", "always", "--network", "none", "host", "sleep", "100000"];
if (!hasAlways) {
  await product.run(["rm", "-f", "always"]); // made, perhaps, and not acknowledged
  await product.ok("run", "-d", ...always);
}
await product.ok("stop", "-t", "0", "always"); // until the next boot
say(lines.always);
say(lines.ready);
let next = underWay?.kind === "pull" && !kept.includes(underWay.tag) ? underWay.tag : Math.max(0, ...known) + 1;
for (changes = 1; ; changes++) {
  const oldest = kept.length > keep && !isLast ? kept[0] : undefined;
  await change(oldest === undefined ? { kind: "pull", tag: next } : { kind: "remove", tag: oldest });
  if (kept.includes(next)) next++; // else it was killed: the next pull goes on with it
  if (isLast) break;
}
clearInterval(arming);
await product.stop();
points[Symbol.dispose]();
await registry[Symbol.asyncDispose]();

async function change(wanted: Change): Promise<void> {
  say(lines.begin(wanted));
  readSync(terminal, Buffer.alloc(64)); // the host has heard it
  const kill = kills.find(({ nth }) => nth === changes);
  const beganMs = performance.now();
  if (kill === undefined) {
    await make(wanted);
    keptAfter(wanted);
    tookMs = performance.now() - beganMs;
    say(lines.done(wanted));
    return;
  }
  const answered = make(wanted).then(
    () => true,
    () => false,
  );
  await Bun.sleep(kill.share * tookMs);
  await killNow(product, kill.victim);
  say(lines.killed);
  const before = kept;
  if (await answered) keptAfter(wanted);
  await checkKept(before, wanted);
}

async function make({ kind, tag }: Change): Promise<void> {
  if (kind === "remove") return void (await product.engine.images.remove(nameOf(tag), false));
  if (!known.includes(tag)) {
    known.push(tag);
    addImage(tag);
  }
  const asked = registry.requests.length;
  for await (const _message of product.engine.images.pull(nameOf(tag), {}));
  checkFetched(asked);
}

function keptAfter({ kind, tag }: Change): void {
  kept = kept.filter((one) => one !== tag);
  if (kind === "pull") kept = [...kept, tag];
}

/** After a kill: what the next engine shows is what was answered, and perhaps what was under way. It counts from now on. */
async function checkKept(before: readonly number[], { tag }: Change): Promise<void> {
  await product.ok("info"); // there is an engine again
  const here = await tagsHere();
  for (const one of new Set([...before, ...kept, ...here]))
    if (here.includes(one) !== kept.includes(one) && (one !== tag || kept !== before))
      say(lines.fault(`after a kill image ${one} is ${here.includes(one) ? "there" : "gone"}`));
  kept = here;
  say(lines.has(kept));
}

/** What was stopped by hand, and has to come back at a boot, does. */
async function checkAlways(): Promise<void> {
  const state = async (): Promise<string> =>
    product.engine.containers.inspect("always").then(
      ({ State }) => State.Status,
      () => "gone",
    );
  const runs = waitUntil(async () => (await state()) === "running", comesBackMs, "it runs");
  await runs.catch(async () => say(lines.fault(`after a boot the container that always runs is ${await state()}`)));
}

async function tagsHere(): Promise<number[]> {
  const names = (await product.engine.images.list()).flatMap(({ RepoTags }) => RepoTags ?? []);
  const own = names.filter((name) => name.startsWith(`${registry.host}/`));
  return own.map((name) => Number(name.slice(name.lastIndexOf(":") + 1))).sort((a, b) => a - b);
}

/** What another image has brought and the disk still has is not asked for again. */
function checkFetched(from: number): void {
  const base = digestOf(guestLayer({ "base/a": randomBytes(900_000, 1), "base/b": randomBytes(10, 2) }));
  const again = registry.requests.slice(from).filter(({ path }) => path.includes(base));
  if (kept.length > 0 && again.length > 0) say(lines.fault("the layer that every image has was downloaded again"));
}
