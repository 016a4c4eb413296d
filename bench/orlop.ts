/** Orlop: a container's life through the API of a warm engine, and whole commands. The supervisor runs already. */

import type { ContainerCreate } from "../src/client/container-types.ts";
import type { Product } from "../test/product.ts";
import type { Bundle } from "./bundle.ts";
import { type Case, commandCase, type Peer } from "./case.ts";

export async function openOrlop(product: Product, bundle: Bundle): Promise<Peer> {
  const busybox = { Cmd: ["/bin/true"], HostConfig: { NetworkMode: "none", Rootfs: bundle.rootfs } };
  const host = { Image: "host", Cmd: ["/bin/true"], HostConfig: { NetworkMode: "none" } };
  return {
    version: await product.ok("--version"),
    cases: [
      throughApi("orlop API, --rm, --rootfs", product, autoRemove(busybox)),
      throughApi("orlop API, --rm, host", product, autoRemove(host)),
      throughApi("orlop API, durable, --rootfs", product, busybox),
      commandCase(orlopCommand, product.command("run", "--rm", "--network", "none", "host", "true")),
    ],
    [Symbol.asyncDispose]: async () => undefined, // who started the supervisor stops it
  };
}

const orlopCommand = "orlop run --rm host true";

function autoRemove(config: ContainerCreate): ContainerCreate {
  return { ...config, HostConfig: { ...config.HostConfig, AutoRemove: true } };
}

/** Create, start, wait for the exit, remove. With --rm the engine removes, and the wait is for that. */
function throughApi(name: string, { engine }: Product, config: ContainerCreate): Case {
  const { containers } = engine;
  const removed = config.HostConfig?.AutoRemove === true;
  return {
    name,
    async run() {
      const { Id } = await containers.create(config);
      const wait = await containers.wait(Id, removed ? "removed" : "next-exit");
      await containers.start(Id);
      const { StatusCode } = await wait.exit();
      if (StatusCode !== 0) throw new Error(`${name}: exit code ${StatusCode}`);
      if (!removed) await containers.remove(Id);
    },
  };
}
