/** docs/benchmarks.md: tables of what was measured, with the machine. */

import type { Resident } from "./memory.ts";
import { type Figures, figuresOf } from "./statistics.ts";

export interface Measured {
  readonly machine: readonly string[];
  readonly versions: readonly string[];
  readonly rounds: number;
  readonly pauseMs: number;
  /** Milliseconds by case. */
  readonly backToBack: ReadonlyMap<string, readonly number[]>;
  readonly withPauses: ReadonlyMap<string, readonly number[]>;
  readonly burst: { readonly count: number; readonly width: number; readonly totalMs: ReadonlyMap<string, number> };
  readonly memory: readonly Resident[];
}

export function formatReport(measured: Measured): string {
  const { rounds, pauseMs, burst } = measured;
  return `# Benchmarks

Made by \`bun bench/run.ts\`: ${rounds} runs of each case, in turns of five, after warming up; once back to back, once with a pause of
${pauseMs} ms before each run, because loops without pauses hide what the kernel does later. All without a network
(\`--network none\`, own network namespace), all with a program that does nothing. Losses are not left out.

Where a start's time goes: [benchmarks-start.md](benchmarks-start.md). Images: [benchmarks-images.md](benchmarks-images.md). Logs,
bursts and netd: [benchmarks-control.md](benchmarks-control.md).

${measured.machine.map((line) => `- ${line}`).join("\n")}
- ${measured.versions.join(", ")}

## One container, from nothing to nothing

Milliseconds. Cases with a command's name are whole commands, process start included.

${timesTable(measured)}

## ${burst.count} containers, ${burst.width} at a time

| case | total |
|---|---|
${[...burst.totalMs].map(([name, ms]) => `| ${name} | ${(ms / 1000).toFixed(2)} s |`).join("\n")}

## Memory that stays

| process | RSS | PSS |
|---|---|---|
${measured.memory.map(({ what, rssKib, pssKib }) => `| ${what} | ${kib(rssKib)} | ${kib(pssKib)} |`).join("\n")}
`;
}

function timesTable({ backToBack, withPauses }: Measured): string {
  const rows = [...backToBack].map(([name, times]) => {
    const paused = withPauses.get(name) ?? [];
    return `| ${name} | ${formatFigures(figuresOf(times))} | ${formatFigures(figuresOf(paused))} |`;
  });
  const head = "| case | median | p90 | min | with pauses: median | p90 | min |\n|---|---|---|---|---|---|---|";
  return [head, ...rows].join("\n");
}

function formatFigures({ median, p90, min }: Figures): string {
  return [median, p90, min].map((ms) => ms.toFixed(ms < 100 ? 1 : 0)).join(" | ");
}

function kib(value: number): string {
  return value < 10_000 ? `${Math.round(value)} KiB` : `${(value / 1024).toFixed(1)} MiB`;
}
