/** Files of the container itself, not of its image: made on the host, bind-mounted into its root. */

import { MOUNT_ATTR_RDONLY, MS_PRIVATE } from "../kernel/linux.ts";
import type { Step } from "../kernel/step.ts";
import type { RuntimeSpec } from "../spec/runtime-spec.ts";

/**
 * A file of the container itself, not of its image, such as /etc/hosts or /etc/hostname. Written at each start and bind-mounted into the
 * root, so that nothing is copied up in the overlay, and the engine can change it.
 */
export interface OwnFile {
  readonly path: string;
  readonly mode: number;
  /** undefined: the engine has written it already. */
  readonly content: string | undefined;
  readonly why: string;
}

export interface OwnFilesInput {
  readonly files: readonly OwnFile[];
  /** A host directory of the container's own, which exists: `files` are made in it. */
  readonly filesDirectory: string;
  readonly spec: RuntimeSpec;
}

/** On the host side, while the container's process makes its frame. */
export function makeOwnFiles(input: OwnFilesInput): Step[] {
  if (input.files.length === 0) return [];
  return [...input.files.flatMap((file) => makeOwnFile(file, input.filesDirectory)), ...keepOwnFiles(input)];
}

function makeOwnFile({ path, mode, content, why }: OwnFile, directory: string): Step[] {
  if (content === undefined) return [];
  return [{ op: "file", path: hostPathOf(path, directory), mode, data: new TextEncoder().encode(content), why }];
}

/** The container may change them, but must not be able to keep the engine from writing them. */
function keepOwnFiles({ files, filesDirectory }: OwnFilesInput): Step[] {
  const paths = files.map(({ path }) => hostPathOf(path, filesDirectory));
  const why = "nobody inside can lease or execute what is written here when its networks change";
  return [{ op: "keep-open", paths, why }];
}

/** Above a mount of the directory they are in; below the rest, so that the user's own mount of such a file wins. */
export function bindOwnFiles({ files, filesDirectory, spec }: OwnFilesInput): Record<"below" | "above", Step[]> {
  const places = (spec.mounts ?? []).map((mount) => mount.destination);
  const covered = files.filter(({ path }) => places.some((place) => path.startsWith(`${place}/`)));
  const set = spec.root?.readonly === true ? MOUNT_ATTR_RDONLY : 0;
  const bind = ({ path, why }: OwnFile): Step => ({
    op: "root-bind",
    source: hostPathOf(path, filesDirectory),
    target: path,
    flags: 0,
    set,
    clear: 0,
    propagation: MS_PRIVATE,
    why,
  });
  return {
    below: files.filter((file) => !covered.includes(file)).map(bind),
    above: covered.filter(({ path }) => !places.includes(path)).map(bind),
  };
}

/** "/etc/resolv.conf" is kept as "resolv.conf". */
function hostPathOf(path: string, directory: string): string {
  return `${directory}/${path.slice(path.lastIndexOf("/") + 1)}`;
}
