/** Merges the configuration of a commit with its container's, by the rules of moby's runconfig.Merge (as in `image-defaults.ts`). Pure. */

import type { ContainerDefaults } from "../../spec/oci-image.ts";

export function mergedConfig(asked: ContainerDefaults, own: ContainerDefaults): ContainerDefaults {
  const union = (key: "ExposedPorts" | "Volumes"): ContainerDefaults => {
    const both = [...new Set([...(asked[key] ?? []), ...(own[key] ?? [])])];
    return both.length === 0 ? {} : { [key]: both };
  };
  const { Entrypoint, Cmd, ...rest } = own;
  return {
    ...rest,
    ...withoutEmpty(asked),
    ...union("ExposedPorts"),
    ...union("Volumes"),
    Env: mergedEnvironment(asked.Env ?? [], own.Env ?? []),
    Labels: { ...own.Labels, ...asked.Labels },
    ...commandOf(asked, { ...(Entrypoint && { Entrypoint }), ...(Cmd && { Cmd }) }),
  };
}

function withoutEmpty(config: ContainerDefaults): ContainerDefaults {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== ""));
}

/** An entrypoint in the request removes the container's command. */
function commandOf(asked: ContainerDefaults, own: ContainerDefaults): ContainerDefaults {
  if ((asked.Entrypoint?.length ?? 0) > 0)
    return { Entrypoint: asked.Entrypoint as readonly string[], ...(asked.Cmd && { Cmd: asked.Cmd }) };
  const Cmd = (asked.Cmd?.length ?? 0) > 0 ? asked.Cmd : own.Cmd;
  const Entrypoint = asked.Entrypoint ?? own.Entrypoint;
  return { ...(Entrypoint && { Entrypoint }), ...(Cmd && { Cmd }) };
}

/** The entries of the request first, then the container's others. */
export function mergedEnvironment(asked: readonly string[], own: readonly string[]): readonly string[] {
  const nameOf = (entry: string): string => entry.split("=", 1)[0] as string;
  const names = new Set(asked.map(nameOf));
  return [...asked, ...own.filter((entry) => !names.has(nameOf(entry)))];
}
