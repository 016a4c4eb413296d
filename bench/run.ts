/**
 * Measures Orlop and whichever of crun, runc, Docker and Podman are installed, and writes docs/benchmarks.md.
 *
 *   bun bench/run.ts [--rounds 30] [--pause 30] [--only REGEXP] [--output FILE]
 *
 * Two processes: the outer one starts Orlop's supervisor in the host's mount namespace, where it belongs; the inner one
 * measures in a mount namespace of its own, without the v2 tree of a hybrid machine, because crun refuses to work there.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Product } from "../test/product.ts";
import { type Bundle, makeBundle } from "./bundle.ts";
import type { Peer } from "./case.ts";
import { openDocker } from "./docker.ts";
import { describeMachine } from "./machine.ts";
import { measureBurst, measureInTurns } from "./measure.ts";
import { measureMemory } from "./memory.ts";
import { openRuntime } from "./oci-runtimes.ts";
import { openOrlop } from "./orlop.ts";
import { openPodman } from "./podman.ts";
import { formatReport } from "./report.ts";
import { makeRunDirectory } from "./run-directory.ts";

const burst = { count: 40, width: 8 };

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "30" },
    pause: { type: "string", default: "30" },
    only: { type: "string", default: "" },
    output: { type: "string", default: join(import.meta.dir, "../docs/benchmarks.md") },
    /** Given by the outer process to the inner one. */
    directory: { type: "string" },
    "run-directory": { type: "string" },
  },
});

if (options.directory === undefined || options["run-directory"] === undefined) await runOuter();
else await runInner(options.directory, options["run-directory"]);

async function runOuter(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "orlop-bench-"));
  using run = makeRunDirectory();
  const runDir = run.path;
  const product = new Product(directory, { runDir });
  try {
    await product.ok("info");
    const inner = `umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"`;
    const words = [
      process.execPath,
      import.meta.path,
      ...process.argv.slice(2),
      "--directory",
      directory,
      "--run-directory",
      runDir,
    ];
    const child = Bun.spawn(["unshare", "-m", "sh", "-c", inner, "sh", ...words], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    process.exitCode = await child.exited;
  } finally {
    await product.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function runInner(directory: string, runDir: string): Promise<void> {
  const machine = describeMachine(); // before our own load
  const product = new Product(directory, { runDir });
  const bundle = makeBundle(join(directory, "bundle"));
  await using stack = new AsyncDisposableStack();
  const peers: Peer[] = [];
  for (const open of peerOpeners(product, bundle, runDir)) {
    const peer = await open();
    if (peer !== undefined) peers.push(stack.use(peer));
  }
  const only = new RegExp(options.only);
  const cases = peers.flatMap((peer) => peer.cases).filter(({ name }) => only.test(name));
  const rounds = Number(options.rounds);
  const pauseMs = Number(options.pause);
  const backToBack = await measureInTurns(cases, rounds, 0);
  const withPauses = await measureInTurns(cases, rounds, pauseMs);
  const totalMs = new Map<string, number>();
  for (const each of cases) totalMs.set(each.name, await measureBurst(each, burst.count, burst.width));
  const report = formatReport({
    machine,
    versions: peers.map(({ version }) => version),
    rounds,
    pauseMs,
    backToBack,
    withPauses,
    burst: { ...burst, totalMs },
    memory: await measureMemory(product, bundle.rootfs),
  });
  writeFileSync(options.output, report);
  console.log(report);
}

/** Each gives undefined when its program is not installed. */
function peerOpeners(
  product: Product,
  bundle: Bundle,
  runDir: string,
): (() => Promise<Peer | undefined> | Peer | undefined)[] {
  return [
    () => openOrlop(product, bundle),
    () => openRuntime("crun", bundle, runDir),
    () => openRuntime("runc", bundle, runDir),
    () => openPodman(bundle, runDir),
    () => openDocker(bundle, runDir),
  ];
}
