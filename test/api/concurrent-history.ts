/** What a history of concurrent calls must be like: events that a container can have, names that are one's alone, values that are not lost. */

import { expect } from "bun:test";

export interface Event {
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
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

/** Each container's events are in an order that there can be. */
export function expectPossibleLives(events: readonly Event[]): void {
  const states = new Map<string, string>();
  for (const { Action, Actor } of events) {
    const id = Actor.ID;
    const state = states.get(id);
    if (Action === "create") {
      expect([Action, state]).toEqual(["create", undefined]);
      states.set(id, "made");
    } else if (Action === "destroy" || Action in becomes) {
      const possible = next[state ?? ""] ?? [];
      expect({ id: id.slice(0, 6), state, Action, possible }).toEqual({
        id: id.slice(0, 6),
        state,
        Action,
        possible: expect.arrayContaining([Action]),
      });
      states.set(id, becomes[Action] ?? "gone");
    }
  }
}

/** No two containers have one name at any time. The names at the end, by id. */
export function namesAfter(events: readonly Event[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const { Action, Actor } of events) {
    const name = Actor.Attributes["name"] ?? "";
    if (Action === "destroy") names.delete(Actor.ID);
    if (Action !== "create" && Action !== "rename") continue;
    if (Action === "rename")
      expect([Actor.ID, Actor.Attributes["oldName"]?.replace(/^\//, "")]).toEqual([Actor.ID, names.get(Actor.ID)]);
    const others = [...names].filter(([id, taken]) => taken === name && id !== Actor.ID);
    expect({ Action, name, others }).toEqual({ Action, name, others: [] });
    names.set(Actor.ID, name);
  }
  return names;
}

/** A write of a value, or a look at it, with the time from its asking to its answer. */
export interface Access {
  readonly kind: "write" | "read";
  readonly value: number;
  readonly beginMs: number;
  readonly endMs: number;
}

/**
 * Each read, and the last one above all, has a value that was there at some time while it was asked: written by a call that was
 * begun before the read ended, and not yet replaced by another one that was answered before the read began.
 */
export function expectNoLostUpdate(initial: number, accesses: readonly Access[]): void {
  const first: Access = { kind: "write", value: initial, beginMs: 0, endMs: 0 };
  const writes = [first, ...accesses.filter(({ kind }) => kind === "write")];
  for (const read of accesses.filter(({ kind }) => kind === "read")) {
    const isReplaced = (write: Access): boolean =>
      writes.some((later) => later.beginMs > write.endMs && later.endMs < read.beginMs);
    const possible = writes
      .filter((write) => write.beginMs < read.endMs && !isReplaced(write))
      .map(({ value }) => value);
    expect(possible).toContain(read.value);
  }
}
