/**
 * The power of a virtual machine is cut while it pulls and removes images; after each boot what was answered is there, whole,
 * and what was not is absent or finished by the next pull.
 *
 * ORLOP_VM_CUTS: how often (2; 20 before a release). ORLOP_VM_SEED repeats the moments, as far as a machine repeats itself.
 * ORLOP_VM_FAULT=step.layer-end leaves a step out in the guest: the test must fail then.
 */

import { expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../chaos/random.ts";
import { kernelTest } from "../kernel/harness.ts";
import { makeGuestDisk } from "./guest-disk.ts";
import { fetchGuestKernel } from "./guest-kernel.ts";
import { lines, PowerModel } from "./power-model.ts";
import { runGuest } from "./run-guest.ts";

const repository = join(import.meta.dir, "../..");
const cache = join(repository, ".cache/vm");
const cuts = Number(process.env["ORLOP_VM_CUTS"] ?? 2);
const seed = Number(process.env["ORLOP_VM_SEED"] ?? Date.now() % 1_000_000);
const fault = process.env["ORLOP_VM_FAULT"];
/** In the first, second … change after a boot. */
const changesMax = 4;
const bootMs = 10 * 60_000;

/** When the power is cut: in the n-th change of a boot, somewhere in the time that the one before took. */
class CutMoment {
  readonly #nth: number;
  readonly #share: number;
  #seen = 0;
  #beganMs = 0;
  #tookMs = 1500;

  constructor(nth: number, share: number) {
    this.#nth = nth;
    this.#share = share;
  }

  /** How long after this line; undefined: it is not the one. */
  take(line: string, nowMs: number): number | undefined {
    if (line.startsWith("power done")) this.#tookMs = nowMs - this.#beganMs;
    if (!line.startsWith("power begin")) return undefined;
    this.#beganMs = nowMs;
    this.#seen++;
    return this.#seen === this.#nth ? this.#share * this.#tookMs : undefined;
  }
}

kernelTest(
  `a power cut in mid-pull, ${cuts} times (seed ${seed})`,
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
      const moment = new CutMoment(Math.ceil(random.between(0, changesMax)), random.next());
      const words = [`orlop.boot=${isLast ? "last" : "cut"}`, model.commandLine];
      if (fault !== undefined) words.push(`orlop.fault=${fault}`);
      underWay.push(model.commandLine);
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
    console.log(`${model.pulls} pulls answered; at each boot: ${underWay.join(" ")}`);
  },
  bootMs * (cuts + 1),
);
