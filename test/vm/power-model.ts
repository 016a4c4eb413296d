/** What a machine whose power is cut has promised, as its console tells it: what was answered, and what was under way. */

import type { Victim } from "../power/kill.ts";

export interface Change {
  readonly kind: "pull" | "remove";
  readonly tag: number;
}

/** As it travels on the kernel's command line. */
export interface PowerState {
  readonly tags: readonly number[];
  readonly underWay: Change | undefined;
  readonly hasAlways: boolean;
}

const word = "orlop.power=";

/** What the guest prints, and the host reads. A line that the cut tore does not have its last character. */
export const lines = {
  begin: ({ kind, tag }: Change) => `power begin ${kind} ${tag}.`,
  done: ({ kind, tag }: Change) => `power done ${kind} ${tag}.`,
  /** Processes of the engine were killed. */
  killed: "power killed",
  /** What was under way at the cut or a kill is there or not: this is what counts from now on. */
  has: (tags: readonly number[]) => `power has ${tags.join(",")}.`,
  /** A container was started, and stopped, that comes back at every boot. */
  always: "power always",
  ready: "power ready",
  fault: (text: string) => `power fault ${text}`,
} as const;

export class PowerModel {
  #tags: number[] = [];
  #underWay: Change | undefined;
  readonly faults: string[] = [];
  pulls = 0;
  kills = 0;
  #hasAlways = false;

  /** A line of the guest's console. */
  take(line: string): void {
    const [, step, kind, tag] = /^power (begin|done) (pull|remove) (\d+)\.$/.exec(line) ?? [];
    const change = { kind, tag: Number(tag) } as Change;
    if (line === lines.killed) this.kills++;
    if (line === lines.always) this.#hasAlways = true;
    if (step === "begin") this.#underWay = change;
    if (step === "done") this.#done(change);
    const here = /^power has ([\d,]*)\.$/.exec(line)?.[1];
    if (here !== undefined) {
      this.#tags = here.split(",").filter(Boolean).map(Number);
      this.#underWay = undefined;
    }
    const fault = /^power fault (.*)$/.exec(line)?.[1];
    if (fault !== undefined) this.faults.push(fault);
  }

  #done({ kind, tag }: Change): void {
    this.#underWay = undefined;
    this.#tags = this.#tags.filter((one) => one !== tag);
    if (kind === "remove") return;
    this.#tags.push(tag);
    this.pulls++;
  }

  /** For the next boot. */
  get commandLine(): string {
    const { kind, tag } = this.#underWay ?? { kind: "none", tag: 0 };
    return `${word}${this.#tags.join(",")}/${kind}/${tag}/${this.#hasAlways ? "always" : ""}`;
  }
}

/** What the host said at this boot. */
export function readPowerState(commandLine: string): PowerState {
  const said = commandLine.split(/\s+/).find((one) => one.startsWith(word)) ?? `${word}/none/0/`;
  const [tags = "", kind, tag, always] = said.slice(word.length).split("/");
  return {
    tags: tags.split(",").filter(Boolean).map(Number),
    hasAlways: always === "always",
    underWay: kind === "pull" || kind === "remove" ? { kind, tag: Number(tag) } : undefined,
  };
}

/** A kill that the guest makes in one of its changes. */
export interface PlannedKill {
  /** 1: the first change after the boot. */
  readonly nth: number;
  readonly victim: Victim;
  /** When: of the time that the change before took. */
  readonly share: number;
}

const killWord = "orlop.kills=";

export function encodeKills(kills: readonly PlannedKill[]): string {
  return `${killWord}${kills.map(({ nth, victim, share }) => `${nth}:${victim}:${share.toFixed(3)}`).join(",")}`;
}

export function readKills(commandLine: string): PlannedKill[] {
  const said = commandLine.split(/\s+/).find((one) => one.startsWith(killWord)) ?? killWord;
  const entries = said.slice(killWord.length).split(",").filter(Boolean);
  return entries.map((entry) => {
    const [nth, victim, share] = entry.split(":");
    return { nth: Number(nth), victim: victim as Victim, share: Number(share) };
  });
}
