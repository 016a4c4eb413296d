/** A plan for reading: who does it, why, and the system calls that each step becomes. */
import type { ExplainedPlan, ExplainedStep } from "../client/explained-plan.ts";
import { wrap } from "../command/help.ts";

/** How to show importance; on anything but a terminal, not at all. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
}

/** SGR 1 and 2. */
export function styleFor(terminal: boolean): Style {
  const sgr = (code: number) => (text: string) => (terminal ? `\x1b[${code}m${text}\x1b[0m` : text);
  return { bold: sgr(1), dim: sgr(2) };
}

const widthColumns = 100;

/** IDs as people know them, and cut where it would not fit: system calls with long lists of arguments do not. */
export function shortened(line: string): string {
  const text = line.replace(/\b([0-9a-f]{12})[0-9a-f]{52}\b/g, "$1…");
  return text.length <= widthColumns ? text : `${text.slice(0, widthColumns - 1)}…`;
}

const sides = {
  network: "On the host, before anything else: its networks",
  host: "On the host: the executor",
  container: "In the container: its first process, before it becomes the program",
} as const;

const howToRead = `Nothing of this was done. Each step has its name, the reason why it is there, and behind · the system calls that it
becomes. A step whose name begins with "try-" may fail: some kernels or settings do not have what it asks for.
"orlop explain" alone tells the ideas behind it.`;

/** @param commandLine  what is explained */
export function renderPlan({ steps, warnings }: ExplainedPlan, commandLine: string, style: Style): string {
  const title = `What "${commandLine}" would have Linux do, in ${steps.length} steps`;
  const lines = [style.bold(wrap(title, widthColumns)), ""];
  lines.push(...warnings.flatMap((warning) => [style.bold(wrap(`Note: ${warning}`, widthColumns)), ""]));
  lines.push(wrap(howToRead.replaceAll("\n", " "), widthColumns), "");
  let side: ExplainedStep["side"] | undefined;
  for (const [at, step] of steps.entries()) {
    if (step.side !== side) lines.push(...(side === undefined ? [] : [""]), style.bold(sides[step.side]), "");
    side = step.side;
    const number = String(at + 1).padStart(3);
    const heading = wrap(`${step.op}: ${step.why}`, widthColumns - 5).replaceAll("\n", "\n     ");
    lines.push(`${number}. ${heading}`, ...step.calls.map((call) => style.dim(shortened(`     · ${call}`))));
  }
  return `${lines.join("\n")}\n`;
}
