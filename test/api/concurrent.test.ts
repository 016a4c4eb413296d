/** Two hundred calls at once on five names: nothing is lost, nothing impossible happens, and the history shows it. */

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { request, useProduct } from "./engine-fixture.ts";

const product = useProduct();
const ask = (method: string, path: string, body?: unknown) => request(product(), method, path, body);

const names = ["ada", "ben", "cleo", "dan", "eve"] as const;
const count = Number(process.env["ORLOP_TEST_CALLS"] ?? 200);
const rounds = 3;

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
  readonly name: string;
  readonly shares?: number;
  readonly status: number;
}

async function callOne(random: (most: number) => number): Promise<Call> {
  const name = names[random(names.length)] as string;
  const other = names[random(names.length)] as string;
  const shares = 100 + random(1000);
  const made = { Image: "host", Cmd: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.02; done"] };
  const verbs = {
    create: () => ask("POST", `/containers/create?name=${name}`, made),
    start: () => ask("POST", `/containers/${name}/start`),
    stop: () => ask("POST", `/containers/${name}/stop?t=1`),
    kill: () => ask("POST", `/containers/${name}/kill`),
    pause: () => ask("POST", `/containers/${name}/pause`),
    unpause: () => ask("POST", `/containers/${name}/unpause`),
    restart: () => ask("POST", `/containers/${name}/restart?t=1`),
    rename: () => ask("POST", `/containers/${name}/rename?name=${other}`),
    update: () => ask("POST", `/containers/${name}/update`, { CpuShares: shares }),
    inspect: () => ask("GET", `/containers/${name}/json`),
    remove: () => ask("DELETE", `/containers/${name}`),
    "remove by force": () => ask("DELETE", `/containers/${name}?force=1`),
  };
  const chosen = Object.keys(verbs)[random(Object.keys(verbs).length)] as keyof typeof verbs;
  const { status } = await verbs[chosen]();
  return { verb: chosen, name, status, ...(chosen === "update" ? { shares } : {}) };
}

/** What may follow what in one container's life, by its events. */
const next: Readonly<Record<string, readonly string[]>> = {
  made: ["start", "destroy"],
  running: ["die", "pause"],
  paused: ["unpause", "die"], // cgroup v2 ends what stands still
  ended: ["start", "destroy"],
};
const becomes: Readonly<Record<string, string>> = {
  start: "running",
  die: "ended",
  pause: "paused",
  unpause: "running",
};

/**
 * Unix time in s, of a millisecond in which nothing has happened yet: the engine's clock of events has milliseconds, and the
 * round before removed its last container in this one, or might have.
 */
async function nextMillisecond(): Promise<number> {
  const before = Date.now();
  while (Date.now() === before) await Bun.sleep(0);
  return Date.now() / 1000;
}

test.each(Array.from({ length: rounds }, (_, i) => i + 1))(
  "round %d",
  async (seed) => {
    const since = await nextMillisecond();
    const random = randomOf(seed);
    for (const name of names)
      await ask("POST", `/containers/create?name=${name}`, { Image: "host", Cmd: ["sleep", "1000"] });
    const calls = await Promise.all(Array.from({ length: count }, () => callOne(random)));

    // Each was answered with what it did, or why not.
    expect(calls.filter(({ status }) => ![200, 201, 204, 304, 400, 404, 409].includes(status))).toEqual([]);

    // As many are there as were made and not removed.
    const containers = await product().engine.containers.list({ all: true });
    const done = (verb: string): number =>
      calls.filter((call) => call.verb.startsWith(verb) && call.status < 300).length;
    expect(containers.length).toBe(names.length + done("create") - done("remove"));
    expect(new Set(containers.map(({ Names }) => Names[0])).size).toBe(containers.length);

    for (const { Id } of containers) {
      const { body } = await ask("GET", `/containers/${Id}/json`);
      const { State, HostConfig } = JSON.parse(body) as {
        State: { Running: boolean; Paused: boolean; Pid: number; Status: string };
        HostConfig: { CpuShares: number };
      };
      // A state is true, and an update that was acknowledged is there, or a later one is.
      expect([State.Status, State.Running]).toEqual([State.Status, existsSync(`/proc/${State.Pid || "none"}`)]);
      const shares = calls
        .filter((call) => call.shares !== undefined && call.status === 200)
        .map((call) => call.shares);
      expect([0, ...shares]).toContain(HostConfig.CpuShares);
    }

    // The history of each container is one that a container can have.
    const until = Date.now() / 1000 + 0.05;
    const lines: string[] = [];
    for await (const line of await product().engine.system.events({
      since: since.toFixed(6),
      until: until.toFixed(6),
      filters: { type: ["container"] },
    }))
      lines.push(line);
    const states = new Map<string, string>();
    for (const line of lines) {
      const { Action, Actor } = JSON.parse(line) as { Action: string; Actor: { ID: string } };
      const state = states.get(Actor.ID);
      if (Action === "create") {
        expect([Action, state]).toEqual(["create", undefined]);
        states.set(Actor.ID, "made");
      } else if (Action === "destroy" || Action in becomes) {
        const possible = next[state ?? ""] ?? [];
        expect({ id: Actor.ID.slice(0, 6), state, Action, possible }).toEqual({
          id: Actor.ID.slice(0, 6),
          state,
          Action,
          possible: expect.arrayContaining([Action]),
        });
        states.set(Actor.ID, becomes[Action] ?? "gone");
      }
    }
    for (const { Id } of containers) await product().engine.containers.remove(Id, { force: true });
  },
  120_000,
);
