/** `orlop stats`. */
import type { EngineClient } from "../client/engine-client.ts";
import type { StatsFrame } from "../client/stats-types.ts";
import { command } from "./context.ts";
import { listFormat, printList } from "./format-flags.ts";
import { statsRow, statsTitles } from "./stats-row.ts";

export const stats = command({
  name: "stats",
  summary: "Show what containers use: CPU, memory, network, disks",
  args: "[CONTAINER...]",
  flags: {
    all: { type: "switch", short: "a", help: "Those that are not running, too" },
    noStream: { type: "switch", help: "Print once, and exit" },
    noTrunc: { type: "switch", help: "Full IDs" },
    format: listFormat,
  },
  inEngine: true,
  examples: ["orlop stats", "orlop stats --no-stream web db"],
  async run({ args, flags, ...context }) {
    const { engine } = context;
    const show = (frames: readonly StatsFrame[]): Promise<void> =>
      printList(
        { rows: frames.map((frame) => statsRow(frame, flags.noTrunc)), titles: statsTitles, columns },
        flags.format,
        context,
      );
    if (flags.noStream) {
      const names = await namesOf(engine, args, flags.all);
      await show(await Promise.all(names.map((name) => engine.containers.stats(name))));
      return 0;
    }
    const board = new Board(engine);
    for (;;) {
      // Containers that were named are watched; without names those that there are now.
      for (const name of await namesOf(engine, args, flags.all)) board.watch(name);
      await board.settle();
      if (args.length > 0 && board.failure !== undefined) throw board.failure;
      if (/^table\b/.test(flags.format)) await context.stdout.write("\x1b[2J\x1b[H");
      await show(board.frames());
      await Bun.sleep(PERIOD_MS);
    }
  },
});

const columns = ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"] as const;
const PERIOD_MS = 1000;
/** So long a first look may take. */
const FIRST_MS = 2000;

async function namesOf(engine: EngineClient, named: readonly string[], all: boolean): Promise<readonly string[]> {
  return named.length > 0 ? named : (await engine.containers.list({ all })).map(({ Id }) => Id);
}

/** The newest frame of each container that is watched, while its stream lasts. */
class Board {
  readonly #engine: EngineClient;
  readonly #frames = new Map<string, StatsFrame | undefined>();
  failure: unknown;

  constructor(engine: EngineClient) {
    this.#engine = engine;
  }

  watch(name: string): void {
    if (this.#frames.has(name)) return;
    this.#frames.set(name, undefined);
    void this.#follow(name)
      .catch((error: unknown) => {
        this.failure = error;
      })
      .finally(() => this.#frames.delete(name));
  }

  /** Until each has been looked at once. */
  async settle(): Promise<void> {
    for (let waitedMs = 0; waitedMs < FIRST_MS && [...this.#frames.values()].includes(undefined); waitedMs += 20)
      await Bun.sleep(20);
  }

  frames(): StatsFrame[] {
    return [...this.#frames.values()].filter((frame) => frame !== undefined);
  }

  async #follow(name: string): Promise<void> {
    for await (const frame of await this.#engine.containers.watchStats(name)) this.#frames.set(name, frame);
  }
}
