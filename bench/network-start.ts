/** Whole commands: without a network, in the default one, with published ports; and Docker's in its default network. */

import { join } from "node:path";
import { Dockerd } from "../test/dockerd.ts";
import { makeBundle } from "./bundle.ts";
import { type Case, commandCase } from "./case.ts";
import { measureInTurns } from "./measure.ts";
import type { Bench } from "./network.ts";
import { figuresOf } from "./statistics.ts";

const pauseMs = 30;
const range = "20000-20999";

export async function measureStarts({ product, directory, rounds, row }: Bench): Promise<void> {
  await using docker = await openBridgedDocker(directory);
  const ours = (...flags: string[]): Case =>
    commandCase(
      ["orlop run --rm", ...flags].join(" "),
      product.command("run", "--rm", ...flags.flatMap((flag) => flag.split(" ")), "host", "true"),
    );
  const cases = [
    ours("--network none"),
    ours(),
    ours("-p 18080:80"),
    ours(`-p ${range}:${range}`),
    ...(docker === undefined ? [] : [docker.run]),
  ];
  const times = await measureInTurns(cases, rounds, pauseMs);
  const median = (name: string | undefined): number => figuresOf(times.get(name ?? "") ?? []).median;
  const [none = 0, bridge = 0, , thousand = 0, dockers] = cases.map(({ name }) => median(name));
  for (const { name } of cases) {
    const { median: middle, p90, min } = figuresOf(times.get(name) ?? []);
    row(name, `${middle.toFixed(1)} ms (p90 ${p90.toFixed(1)}, min ${min.toFixed(1)})`);
  }
  row("default network / no network", (bridge / none).toFixed(2), "≤ 1.15");
  if (dockers !== undefined)
    row("orlop run / docker run, default networks", `1/${(dockers / bridge).toFixed(1)}`, "≤ 1/20");
  row(`-p ${range}`, `${thousand.toFixed(0)} ms`, "≤ 100 ms");
}

interface BridgedDocker extends AsyncDisposable {
  readonly run: Case;
}

/** Docker with its own default bridge; undefined where it is not installed. */
async function openBridgedDocker(directory: string): Promise<BridgedDocker | undefined> {
  if (Bun.which("dockerd") === null) return undefined;
  const apart = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"];
  const daemon = await Dockerd.start(join(directory, "dockerd"), ["--iptables=true"], apart);
  await daemon.ok("import", makeBundle(join(directory, "bundle")).archive, "bench");
  return {
    run: commandCase("docker run --rm", ["docker", "run", "--rm", "bench", "true"], { DOCKER_HOST: daemon.host }),
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}
