/**
 * Power loss: what an engine does to its disk is recorded below the file system, and replayed up to any moment, with any part
 * of what was not flushed left out. In every such state what was acknowledged is there, whole, and nothing is there by half.
 * Once as it is, and once with the engine and its supervisor killed now and then: what the next engine shows counts as acknowledged.
 *
 * ORLOP_POWER_STATES: how many states of each (40; 1000 before a release). ORLOP_POWER_KILLS: how many kills (4; 30 before a
 * release). ORLOP_POWER_SEED: other choices.
 */

import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../chaos/random.ts";
import { kernelTest } from "../kernel/harness.ts";
import { type Acknowledged, checkState, type Files } from "./check-state.ts";
import { RecordedDisk, type Recording } from "./recorded-disk.ts";
import { type Kills, recordWork } from "./work.ts";

const states = Number(process.env["ORLOP_POWER_STATES"] ?? 40);
const killed = Number(process.env["ORLOP_POWER_KILLS"] ?? 4);
const seed = Number(process.env["ORLOP_POWER_SEED"] ?? 1);
const diskBytes = 80 << 20;

const modes: readonly (readonly [string, Kills | undefined])[] = [
  ["", undefined],
  [`, processes killed ${killed} times`, { count: killed, random: new Random(seed + 1) }],
];

for (const [name, kills] of modes)
  kernelTest(
    `${states} states that a power loss could leave${name} (seed ${seed})`,
    ["root", "product", "gcc"],
    async (scratch) => {
      const disk = await RecordedDisk.open(
        join(scratch.directory, "disk"),
        join(scratch.directory, "state"),
        diskBytes,
      );
      scratch.defer(() => disk.close());
      const layers = new Map<string, Files>();
      const promises = await recordWork({ directory: scratch.directory, disk, layers, kills });
      await disk.close();
      const mountPoint = join(scratch.directory, "replayed");
      mkdirSync(mountPoint);
      expect(
        checkStates({ recording: disk.read(), image: join(scratch.directory, "image"), mountPoint, layers, promises }),
      ).toEqual([]);
    },
    120_000 + states * 2000,
  );

interface Replay {
  readonly recording: Recording;
  readonly image: string;
  readonly mountPoint: string;
  readonly layers: ReadonlyMap<string, Files>;
  readonly promises: readonly Acknowledged[];
}

/** Everything that is wrong with these states. */
function checkStates({ recording, image, mountPoint, layers, promises }: Replay): string[] {
  const random = new Random(seed);
  const violations: string[] = [];
  for (let i = 0; i < states; i++) {
    const at = Math.floor(random.next() * recording.length);
    const share = random.pick([0, 0.1, 0.5, 0.9, 1]);
    const { disk: bytes, position } = recording.stateAt(at, () => random.next() < share);
    writeFileSync(image, bytes);
    execFileSync("mount", ["-o", "loop", image, mountPoint]);
    try {
      const faults = checkState(mountPoint, layers, promises, position);
      violations.push(...faults.map((fault) => `entry ${at}, ${share}: ${fault}`));
    } finally {
      execFileSync("umount", [mountPoint]);
    }
  }
  return violations;
}
