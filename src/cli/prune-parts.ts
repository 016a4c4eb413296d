/** What the prune commands have in common: each removes one kind of thing, and prints what went. */
import type { EngineClient } from "../client/engine-client.ts";
import type { CliContext } from "./context.ts";

export type PruneContext = Pick<CliContext, "print"> & { readonly engine: EngineClient };

type Filters = Readonly<Record<string, readonly string[]>>;

/** How many bytes are free again. */
export async function pruneContainers({ engine, print }: PruneContext, filters: Filters): Promise<number> {
  const { ContainersDeleted, SpaceReclaimed } = await engine.containers.prune(filters);
  await printGone("Containers", ContainersDeleted, print);
  return SpaceReclaimed;
}

export async function pruneNetworks({ engine, print }: PruneContext, filters: Filters): Promise<void> {
  const { NetworksDeleted } = await engine.networks.prune(filters);
  await printGone("Networks", NetworksDeleted, print);
}

/** How many bytes are free again. */
export async function pruneVolumes({ engine, print }: PruneContext, filters: Filters): Promise<number> {
  const { VolumesDeleted, SpaceReclaimed } = await engine.volumes.prune(filters);
  await printGone("Volumes", VolumesDeleted, print);
  return SpaceReclaimed;
}

/** How many bytes are free again. @param all those that have a name, too */
export async function pruneImages({ engine, print }: PruneContext, filters: Filters, all: boolean): Promise<number> {
  const { ImagesDeleted, SpaceReclaimed } = await engine.images.prune({ ...filters, dangling: [String(!all)] });
  const gone = ImagesDeleted?.map(({ Untagged, Deleted }) =>
    Untagged === undefined ? `deleted: ${Deleted}` : `untagged: ${Untagged}`,
  );
  await printGone("Images", gone, print);
  return SpaceReclaimed;
}

async function printGone(
  kind: string,
  names: readonly string[] | null | undefined,
  print: CliContext["print"],
): Promise<void> {
  if (names !== null && names !== undefined && names.length > 0) await print(`Deleted ${kind}:\n${names.join("\n")}\n`);
}
