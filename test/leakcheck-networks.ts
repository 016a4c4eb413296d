/** What of networks belongs to a container, or to an engine that runs: leakcheck counts what does not. */

import { readdirSync, readFileSync } from "node:fs";
import { linkNamesOf } from "../src/network/link-names.ts";

/** So many networks wait for their container beside an engine that runs. */
const readyNetworks = 4;
const readyThing = /\/netns\/\*$|^network link: olv[0-9a-f]*\*0$/;

/** How many more of a thing there are than may be: of networks that wait, those beyond the engine's own few. */
export function extraOf(thing: string, before: number, now: number): number {
  return now - (readyThing.test(thing) ? Math.max(before, readyNetworks) : before);
}

/** Things whose names have a sandbox's number: "*" for it where no container has it, "+" where one has. */
export function sandboxNaming(): (thing: string) => string {
  const taken = new Set(runDirectories().flatMap(sandboxesOfContainers));
  const mark = (id: string): string => (taken.has(id) ? "+" : "*");
  return (thing) =>
    thing
      .replace(/(?<=\/netns\/)[0-9a-f]{7}$/, mark)
      .replace(/(?<=^network link: olv(?:[0-9a-f]{4})?)[0-9a-f]{7}(?=[0-9a-z]$)/, mark);
}

/** Bridges of the default networks of engines that run. */
export function standingBridges(): ReadonlySet<string> {
  return new Set(runDirectories().map((directory) => linkNamesOf(directory).defaultBridge));
}

/** Of every supervisor on this machine. */
function runDirectories(): string[] {
  const words = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => read(`/proc/${pid}/cmdline`).split("\0"));
  return [...new Set(words.flatMap(([, word, directory]) => (word === "supervisor" && directory ? [directory] : [])))];
}

function sandboxesOfContainers(runDirectory: string): string[] {
  return list(`${runDirectory}/containers`).flatMap((id) => {
    const text = read(`${runDirectory}/containers/${id}/network.json`);
    return text === "" ? [] : [(JSON.parse(text) as { readonly id: string }).id];
  });
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // no container was made there yet
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // gone
  }
}
