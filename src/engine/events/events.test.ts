/** What is told, kept, and missed by nobody. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attributesOf, type EngineEvent, Events } from "./events.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "orlop-events-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const all = () => true;
const never = new AbortController().signal;

function publish(events: Events, action: string): void {
  events.publish({ type: "container", action, id: "a", attributes: {} });
}

/** The next `count` of them. */
async function take(stream: AsyncGenerator<EngineEvent, void>, count: number): Promise<string[]> {
  const actions: string[] = [];
  while (actions.length < count) {
    const next = await stream.next();
    if (next.done) break;
    actions.push(next.value.action);
  }
  return actions;
}

test("without since only what comes is told, in order, to everybody", async () => {
  const events = new Events();
  publish(events, "before");
  const streams = [events.read({ matches: all }, never), events.read({ matches: all }, never)];
  const taken = streams.map((stream) => take(stream, 2));
  publish(events, "one");
  publish(events, "two");
  expect(await Promise.all(taken)).toEqual([
    ["one", "two"],
    ["one", "two"],
  ]);
});

test("with since what was kept comes first, and nothing is told twice", async () => {
  const events = new Events();
  for (const action of ["one", "two"]) publish(events, action);
  const stream = events.read({ sinceNs: 1n, matches: all }, never);
  expect(await take(stream, 2)).toEqual(["one", "two"]);
  publish(events, "three");
  expect(await take(stream, 1)).toEqual(["three"]);
});

test("times grow, so that since can go on exactly behind the last one", async () => {
  const events = new Events();
  for (let i = 0; i < 100; i++) publish(events, String(i));
  const seen: EngineEvent[] = [];
  for await (const event of events.read({ untilNs: BigInt(Date.now()) * 1_000_000n + 1000n, matches: all }, never))
    seen.push(event);
  expect(seen).toHaveLength(100);
  expect(seen.every((event, i) => i === 0 || event.timeNs > (seen[i - 1]?.timeNs ?? 0n))).toBe(true);
});

test("the reading ends at until, also when nothing comes", async () => {
  const events = new Events();
  publish(events, "one");
  const untilNs = BigInt(Date.now() + 30) * 1_000_000n;
  expect(await take(events.read({ untilNs, matches: all }, never), 9)).toEqual(["one"]);
});

test("a client that leaves ends the reading", async () => {
  const events = new Events();
  const left = new AbortController();
  const next = events.read({ matches: all }, left.signal).next();
  left.abort();
  expect((await next).done).toBe(true);
});

test("a listener that does not keep up is broken off, others go on", async () => {
  const events = new Events();
  const slow = events.read({ sinceNs: 1n, matches: all }, never);
  publish(events, "first");
  await slow.next();
  for (let i = 0; i < 10_001; i++) publish(events, "more");
  expect(take(slow, 20_000)).rejects.toThrow("10000 events behind");
  expect(await take(events.read({ sinceNs: 1n, matches: all }, never), 1024)).toHaveLength(1024);
});

test("labels are told as attributes, kept once, and do not make the history large", async () => {
  const labels = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`label-${at}`, ""]));
  const told = (events: Events, own: Readonly<Record<string, string>>) =>
    events.publish({
      type: "container",
      action: "exec_die",
      id: "x",
      attributes: { name: "x", a: "own" },
      labels: own,
    });
  const kept = (events: Events) => Array.fromAsync(events.read({ sinceNs: 1n, matches: all }, AbortSignal.timeout(10)));
  const [shared, copied] = [new Events(), new Events()];
  for (let i = 0; i < 200; i++) told(shared, labels);
  for (let i = 0; i < 200; i++) told(copied, { ...labels });
  expect(await kept(shared)).toHaveLength(200);
  expect((await kept(copied)).length).toBeLessThan(60);
  told(copied, { a: "label", b: "label" });
  expect(attributesOf((await kept(copied)).at(-1) as EngineEvent)).toEqual({ name: "x", a: "own", b: "label" });
  const path = join(directory, "events.jsonl");
  for (let i = 0; i < 200; i++) told(shared, labels);
  shared.save(path);
  expect(statSync(path).size).toBeLessThan(17 * 1024 * 1024);
});

test("the next engine has what this one kept", async () => {
  const events = new Events();
  publish(events, "one");
  const path = join(directory, "events.jsonl");
  events.save(path);
  const next = new Events();
  next.load(path);
  publish(next, "two");
  expect(await take(next.read({ sinceNs: 1n, matches: all }, never), 2)).toEqual(["one", "two"]);
});
