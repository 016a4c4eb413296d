/** `orlop doctor`. */
import { formatAddress } from "../client/address.ts";
import { EngineClient } from "../client/engine-client.ts";
import { examine } from "../doctor/examine.ts";
import type { Finding, Level } from "../doctor/finding.ts";
import type { EngineAnswer } from "../doctor/installation.ts";
import { thisMachine } from "../doctor/machine.ts";
import { connectWithBun } from "./bun-stream.ts";
import { command } from "./context.ts";

const signs = { ok: "✓", warning: "!", missing: "✗" } as const satisfies Record<Level, string>;
/** SGR colours of the signs: green, yellow, red. */
const colours = { ok: 32, warning: 33, missing: 31 } as const satisfies Record<Level, number>;

export const doctor = command({
  name: "doctor",
  summary: "Show what this machine can and cannot do for containers, and how to fix it",
  description:
    "It tries each thing in a process of its own, changes nothing, and starts no engine. The exit code is 1 when something is missing that Orlop needs (✗); what is marked ! works less well.",
  flags: { json: { type: "switch", help: "As JSON" } },
  examples: ["orlop doctor", "orlop doctor --json"],
  async run({ flags, engine, places, executor, version, print, stdout, terminal }) {
    const findings = await examine({
      machine: thisMachine(executor),
      executor,
      stateDir: places.stateDir,
      version,
      host: formatAddress(engine.address),
      engine: await askEngine(engine),
    });
    if (flags.json) await print(JSON.stringify(findings, undefined, 2));
    else {
      const coloured = (await terminal()).isTerminal(1);
      for (const finding of findings) await stdout.write(`${render(finding, coloured)}\n`);
    }
    return findings.some((finding) => finding.level === "missing") ? 1 : 0;
  },
});

function render({ level, name, found, fix }: Finding, coloured: boolean): string {
  const sign = coloured ? `\x1b[${colours[level]}m${signs[level]}\x1b[0m` : signs[level];
  const line = `${sign} ${name}: ${found}`;
  return fix === undefined ? line : `${line}\n    → ${fix}`;
}

/** How long a busy engine may take to answer. */
const engineLimitMs = 3000;

/** Asks a running engine, without starting one. */
async function askEngine(engine: EngineClient): Promise<EngineAnswer> {
  const asking = new EngineClient({ address: engine.address, connect: connectWithBun });
  const late = new Promise<EngineAnswer>((resolve) => {
    const answer = { kind: "failed", reason: `no answer within ${engineLimitMs / 1000} s` } as const;
    setTimeout(() => resolve(answer), engineLimitMs).unref();
  });
  const answered = asking.system.version().then(
    (version): EngineAnswer => ({ kind: "answered", version: version.Version }),
    (error: unknown): EngineAnswer => {
      const reason = error instanceof Error ? error.message : String(error);
      return reason.includes("nobody listens") ? { kind: "not-running" } : { kind: "failed", reason };
    },
  );
  return Promise.race([answered, late]);
}
