/** Two hundred calls at once on five names: nothing is lost, nothing impossible happens, and the history shows it. */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type Access, type Event, expectNoLostUpdate, expectPossibleLives, namesAfter } from "./concurrent-history.ts";
import { request, useProduct } from "./engine-fixture.ts";

const product = useProduct();
const ask = (method: string, path: string, body?: unknown) => request(product(), method, path, body);

const names = ["ada", "ben", "cleo", "dan", "eve"] as const;
const count = Number(process.env["ORLOP_TEST_CALLS"] ?? 200);
const rounds = Number(process.env["ORLOP_TEST_ROUNDS"] ?? 3);
const made = { Image: "host", Cmd: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.02; done"] };

/** Numbers from a seed, so that a failure can be repeated. */
function randomOf(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
}

interface Call {
  readonly verb: string;
  readonly status: number;
}

interface Found {
  readonly Id: string;
  readonly Name: string;
  readonly State: { readonly Running: boolean; readonly Pid: number; readonly Status: string };
  readonly HostConfig: { readonly CpuShares: number };
}

async function inspect(container: string): Promise<Found> {
  return JSON.parse((await ask("GET", `/containers/${container}/json`)).body) as Found;
}

/** One round: its calls, and what was written to and read of the containers that were there at its begin, by id. */
class Round {
  readonly accesses = new Map<string, Access[]>();
  readonly #random: (most: number) => number;

  constructor(seed: number) {
    this.#random = randomOf(seed);
  }

  async create(name: string): Promise<{ status: number }> {
    const { status, body } = await ask("POST", `/containers/create?name=${name}`, made);
    if (status === 201) this.accesses.set((JSON.parse(body) as { Id: string }).Id, []);
    return { status };
  }

  /** One of the youngest: the others are more likely to be gone. */
  #anyId(): string {
    const ids = [...this.accesses.keys()].slice(-names.length);
    return ids[this.#random(ids.length)] as string;
  }

  /** @param at each call writes a value that no other one does */
  async callOne(at: number): Promise<Call> {
    const name = names[this.#random(names.length)] as string;
    const other = names[this.#random(names.length)] as string;
    const id = this.#anyId();
    const verbs = {
      create: () => this.create(name),
      start: () => ask("POST", `/containers/${name}/start`),
      stop: () => ask("POST", `/containers/${name}/stop?t=1`),
      kill: () => ask("POST", `/containers/${name}/kill`),
      pause: () => ask("POST", `/containers/${name}/pause`),
      unpause: () => ask("POST", `/containers/${name}/unpause`),
      restart: () => ask("POST", `/containers/${name}/restart?t=1`),
      rename: () => ask("POST", `/containers/${name}/rename?name=${other}`),
      update: () => this.#write(id, 100 + at),
      inspect: () => this.read(id),
      remove: () => ask("DELETE", `/containers/${name}`),
      "remove by force": () => ask("DELETE", `/containers/${name}?force=1`),
    };
    const chosen = Object.keys(verbs)[this.#random(Object.keys(verbs).length)] as keyof typeof verbs;
    return { verb: chosen, status: (await verbs[chosen]()).status };
  }

  /** Three writes, then a look. */
  access(id: string, at: number): Promise<{ status: number }> {
    return at % 4 === 3 ? this.read(id) : this.#write(id, 100 + at);
  }

  async #write(id: string, value: number): Promise<{ status: number }> {
    const beginMs = performance.now();
    const { status } = await ask("POST", `/containers/${id}/update`, { CpuShares: value });
    // One that was refused has changed nothing: a read that finds its value fails.
    if (status === 200) this.accesses.get(id)?.push({ kind: "write", value, beginMs, endMs: performance.now() });
    return { status };
  }

  async read(id: string): Promise<{ status: number }> {
    const beginMs = performance.now();
    const { status, body } = await ask("GET", `/containers/${id}/json`);
    const endMs = performance.now();
    if (status === 200)
      this.accesses
        .get(id)
        ?.push({ kind: "read", value: (JSON.parse(body) as Found).HostConfig.CpuShares, beginMs, endMs });
    return { status };
  }
}

/**
 * Unix time in s, of a millisecond in which nothing has happened yet: the engine's clock of events has milliseconds, and the
 * round before removed its last container in this one, or might have.
 */
async function nextMillisecond(): Promise<number> {
  const before = Date.now();
  while (Date.now() === before) await Bun.sleep(0);
  return Date.now() / 1000;
}

async function eventsSince(since: number): Promise<Event[]> {
  const until = Date.now() / 1000 + 0.05;
  const asked = { since: since.toFixed(6), until: until.toFixed(6), filters: { type: ["container"] } };
  const events: Event[] = [];
  for await (const line of await product().engine.system.events(asked)) events.push(JSON.parse(line) as Event);
  return events;
}

test.each(Array.from({ length: rounds }, (_, i) => i + 1))(
  "round %d",
  async (seed) => {
    const since = await nextMillisecond();
    const round = new Round(seed);
    for (const name of names) await round.create(name);
    // Not all in one moment: who comes later finds what the first ones have made.
    const begin = async (at: number): Promise<Call> => {
      await Bun.sleep(at);
      return round.callOne(at);
    };
    const calls = await Promise.all(Array.from({ length: count }, (_, at) => begin(at)));

    // Each was answered with what it did, or why not.
    expect(calls.filter(({ status }) => ![200, 201, 204, 304, 400, 404, 409].includes(status))).toEqual([]);
    const done = (...verbs: string[]): number =>
      calls.filter(({ verb, status }) => verbs.includes(verb) && status < 300).length;

    // As many are there as were made and not removed.
    const containers = await product().engine.containers.list({ all: true });
    const removed = done("remove", "remove by force");
    expect(containers.length).toBe(names.length + done("create") - removed);
    const found = await Promise.all(containers.map(({ Id }) => inspect(Id)));
    for (const { State } of found)
      expect([State.Status, State.Running]).toEqual([State.Status, existsSync(`/proc/${State.Pid || "none"}`)]);

    // The history has what was answered, once each.
    const events = await eventsSince(since);
    const told = (action: string): number => events.filter(({ Action }) => Action === action).length;
    expect({
      create: told("create"),
      destroy: told("destroy"),
      rename: told("rename"),
      update: told("update"),
      pause: told("pause"),
      restart: told("restart"),
      start: told("start"),
    }).toEqual({
      create: names.length + done("create"),
      destroy: removed,
      rename: done("rename"),
      update: done("update"),
      pause: done("pause"),
      restart: done("restart"),
      start: done("start", "restart"),
    });
    expectPossibleLives(events);
    const namesNow = [...namesAfter(events)].sort();
    expect(found.map(({ Id, Name }) => [Id, Name.slice(1)] as [string, string]).sort()).toEqual(namesNow);

    // No update is lost, not by an engine's death either: of those that are left, and of new ones in place of the others.
    for (const name of names) await round.create(name);
    const living = await product().engine.containers.list({ all: true });
    const ids = living.map(({ Id }) => Id);
    await Promise.all(
      Array.from({ length: count }, (_, at) => round.access(ids[at % ids.length] as string, count + at)),
    );
    for (const id of ids) await round.read(id);
    product().killEngine();
    product().disconnect();
    await product().ok("ps");
    for (const id of ids) await round.read(id);
    for (const accesses of round.accesses.values()) expectNoLostUpdate(0, accesses);
    const written = [...round.accesses.values()].flat().filter(({ kind }) => kind === "write");
    expect(written.length).toBeGreaterThan(count / 2); // it was worth looking
    const after = await product().engine.containers.list({ all: true });
    const namesOf = (all: typeof after) => all.map(({ Id, Names }) => [Id, Names[0]] as const).sort();
    expect(namesOf(after)).toEqual(namesOf(living));
    for (const { Id } of after) await product().engine.containers.remove(Id, { force: true });
  },
  120_000,
);
