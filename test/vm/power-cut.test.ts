/**
 * The power of a virtual machine is cut while it pulls and removes images; after each boot what was answered is there, whole,
 * and what was not is absent or finished by the next pull. Before a cut the engine, its supervisor or both are killed: what the
 * next engine shows counts as answered, however soon the power goes. A container that was stopped by hand and has to come back at
 * a boot does.
 *
 * ORLOP_VM_CUTS: how often (2; 20 before a release). ORLOP_VM_KILLS: how many kills before each (1; 0: none). ORLOP_VM_SEED:
 * other moments; one's own come again as far as a machine repeats itself.
 * ORLOP_VM_FAULT=step.layer-end leaves a step out in the guest: the test must fail then.
 */

import { expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../chaos/random.ts";
import { testBesideOthers } from "../kernel/harness.ts";
import { pickVictim } from "../power/kill.ts";
import { makeGuestDisk } from "./guest-disk.ts";
import { fetchGuestKernel } from "./guest-kernel.ts";
import { encodeKills, lines, type PlannedKill, PowerModel } from "./power-model.ts";
import { runGuest } from "./run-guest.ts";

const repository = join(import.meta.dir, "../..");
const cache = join(repository, ".cache/vm");
const cuts = Number(process.env["ORLOP_VM_CUTS"] ?? 2);
const kills = Number(process.env["ORLOP_VM_KILLS"] ?? 1);
const seed = Number(process.env["ORLOP_VM_SEED"] ?? 1);
const fault = process.env["ORLOP_VM_FAULT"];
/** In the first, second … change after a boot. */
const changesMax = 4;
const bootMs = 30 * 60_000;

/** When the power is cut: in the n-th change of a boot, somewhere in the time that the one before took; behind its kill when it has one. */
class CutMoment {
  readonly #nth: number;
  readonly #share: number;
  readonly #isKilled: boolean;
  #seen = 0;
  #beganMs = 0;
  #tookMs = 1500;

  constructor(nth: number, share: number, isKilled: boolean) {
    this.#nth = nth;
    this.#share = share;
    this.#isKilled = isKilled;
  }

  /** How long after this line; undefined: it is not the one. */
  take(line: string, nowMs: number): number | undefined {
    if (line.startsWith("power done")) this.#tookMs = nowMs - this.#beganMs;
    if (line.startsWith("power begin")) {
      this.#beganMs = nowMs;
      this.#seen++;
    } else if (line !== lines.killed) return undefined;
    const isIt = this.#seen === this.#nth && (line === lines.killed) === this.#isKilled;
    return isIt ? this.#share * this.#tookMs : undefined;
  }
}

testBesideOthers(
  `a power cut in mid-pull, ${cuts} times, ${kills} kills before each (seed ${seed})`,
  ["root", "product", "qemu", "busybox"],
  async ({ directory }) => {
    mkdirSync(cache, { recursive: true });
    const kernel = fetchGuestKernel(cache);
    const disk = makeGuestDisk(directory, kernel, {
      repository,
      take: ["src", "test", "dist/test", "package.json", "tsconfig.json"],
      programs: ["bun", "nft", "ip"],
      modules: ["overlay", "nf_tables", "bridge"],
      script: 'bun test/vm/guest-pulls.ts "$(sed -n "s/.*orlop.boot=\\([a-z]*\\).*/\\1/p" /proc/cmdline)"\n',
    });
    const random = new Random(seed);
    const model = new PowerModel();
    const underWay: string[] = [];
    for (let i = 0; i <= cuts; i++) {
      const isLast = i === cuts;
      const nth = Math.ceil(random.between(0, changesMax));
      const share = random.next();
      const killed = planKills(isLast ? 1 : nth, random);
      const moment = new CutMoment(
        nth,
        share,
        killed.some((kill) => kill.nth === nth),
      );
      const words = [`orlop.boot=${isLast ? "last" : "cut"}`, model.commandLine, encodeKills(killed)];
      if (fault !== undefined) words.push(`orlop.fault=${fault}`);
      underWay.push(`${model.commandLine} ${encodeKills(killed)}`);
      const { exitCode, output } = await runGuest(kernel, disk, {
        timeoutMs: bootMs,
        words,
        onLine(line, { cut, type }) {
          model.take(line);
          if (line.startsWith("power begin")) type("go"); // it is told before it is done: a line may be lost with the power
          const afterMs = moment.take(line, performance.now());
          if (afterMs !== undefined && !isLast) setTimeout(cut, afterMs);
        },
      });
      if (!output.includes(lines.ready) || (isLast && exitCode !== 0) || model.faults.length > 0) console.log(output);
      expect({ boot: i, faults: model.faults, isReady: output.includes(lines.ready) }).toEqual({
        boot: i,
        faults: [],
        isReady: true,
      });
      if (isLast) expect(exitCode).toBe(0);
    }
    console.log(`${model.pulls} pulls answered, ${model.kills} kills; at each boot: ${underWay.join(" ")}`);
  },
  bootMs * (cuts + 1),
);

/** In the changes up to the one in which the power goes, each in another one. */
function planKills(changes: number, random: Random): PlannedKill[] {
  const all = Array.from({ length: changes }, (_, i) => i + 1);
  const chosen = Array.from({ length: Math.min(kills, changes) }, () => {
    const [nth = 1] = all.splice(Math.floor(random.next() * all.length), 1);
    return { nth, victim: pickVictim(random), share: random.next() };
  });
  return chosen;
}
