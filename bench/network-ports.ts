/** What one published port adds to a container's life, through the API; with nothing else published, and beside a thousand. */

import type { ContainerCreate } from "../src/client/container-types.ts";
import type { Case } from "./case.ts";
import { measureInTurns } from "./measure.ts";
import type { Bench } from "./network.ts";
import { figuresOf } from "./statistics.ts";

const pauseMs = 30;
const thousand = 1000;
const firstPort = 21_000;

export async function measurePorts(bench: Bench): Promise<void> {
  const { containers } = bench.product.engine;
  await measureAdded(bench, "none");
  const PortBindings = Object.fromEntries(
    Array.from({ length: thousand }, (_, index) => [
      `${firstPort + index}/tcp`,
      [{ HostPort: String(firstPort + index) }],
    ]),
  );
  const HostConfig = { Rootfs: bench.rootfs, PortBindings };
  const { Id } = await containers.create({ Cmd: ["/bin/sleep", "100000"], HostConfig });
  await containers.start(Id);
  await measureAdded(bench, "1,000");
  await containers.remove(Id, { force: true });
}

async function measureAdded({ product, rootfs, rounds, row }: Bench, others: string): Promise<void> {
  const plain = life("without", product, rootfs, {});
  const published = life("with", product, rootfs, { "80/tcp": [{ HostPort: "18080" }] });
  const times = await measureInTurns([plain, published], 2 * rounds, pauseMs);
  const median = (name: string): number => figuresOf(times.get(name) ?? []).median;
  const added = median("with") - median("without");
  row(
    `one published port adds, beside ${others} published (create to removed: ${median("without").toFixed(1)} ms without)`,
    `${added.toFixed(1)} ms`,
    "≤ 1 ms",
  );
}

type Bindings = NonNullable<NonNullable<ContainerCreate["HostConfig"]>["PortBindings"]>;

/** From the request for it until it is gone. */
function life(name: string, product: Bench["product"], rootfs: string, PortBindings: Bindings): Case {
  const { containers } = product.engine;
  const config = { Cmd: ["/bin/true"], HostConfig: { Rootfs: rootfs, AutoRemove: true, PortBindings } };
  return {
    name,
    async run() {
      const { Id } = await containers.create(config);
      const wait = await containers.wait(Id, "removed");
      await containers.start(Id);
      await wait.exit();
    },
  };
}
