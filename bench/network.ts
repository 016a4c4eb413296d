/**
 * What networks cost: `bun bench/network.ts` prints rows for docs/benchmarks-network.md. Needs root, nftables, busybox-static, iperf3,
 * iproute2; with docker.io, Docker's bridge is measured in turns with ours (its daemon in a network namespace of its own).
 *
 *   bun bench/network.ts [--only start|ports|throughput|thousand] [--rounds 30] [--containers 1000]
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeBusyboxRoot } from "../test/busybox-root.ts";
import { Product } from "../test/product.ts";
import { describeMachine } from "./machine.ts";
import { measurePorts } from "./network-ports.ts";
import { measureStarts } from "./network-start.ts";
import { measureThousand } from "./network-thousand.ts";
import { measureThroughput } from "./network-throughput.ts";
import { makeRunDirectory } from "./run-directory.ts";

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    rounds: { type: "string", default: "30" },
    containers: { type: "string", default: "1000" },
  },
});

/** What every part measures with. */
export interface Bench {
  readonly product: Product;
  readonly directory: string;
  /** Busybox. */
  readonly rootfs: string;
  readonly rounds: number;
  /** A row of the table: what, its figure, what it is to be. */
  row(what: string, figure: string, target?: string): void;
}

const parts: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  start: measureStarts,
  ports: measurePorts,
  throughput: measureThroughput,
  thousand: (bench) => measureThousand(bench, Number(options.containers)),
};

const directory = mkdtempSync(join(tmpdir(), "orlop-bench-"));
using run = makeRunDirectory();
const product = new Product(directory, { runDir: run.path });
console.log(`${describeMachine().join("\n")}\n\n| what | figure | target |\n|---|---|---|`);
try {
  await product.ok("ps");
  const bench: Bench = {
    product,
    directory,
    rootfs: makeBusyboxRoot(directory),
    rounds: Number(options.rounds),
    row: (what, figure, target = "") => console.log(`| ${what} | ${figure} | ${target} |`),
  };
  for (const [name, measure] of Object.entries(parts))
    if (options.only === "" || options.only === name) await measure(bench);
} finally {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
}
