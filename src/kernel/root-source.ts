/**
 * Where a container's root file system comes from, as steps. `src/storage` makes them (for the machine itself, a directory, an
 * image), and `src/runtime` puts them into the plan.
 */

import type { Step } from "./step.ts";

export interface RootSource {
  /** Steps in the host's view, before the container's process exists: directories and files of its own. */
  readonly prepare: readonly Step[];
  /**
   * Steps in the container's process, in its own mount namespace: afterwards the whole root file system is mounted on
   * `mountPoint`, and nothing of it is visible to the host.
   */
  readonly mount: readonly Step[];
  /** The host directory that `mount` covers. Containers may share one: each covers it in a namespace of its own. */
  readonly mountPoint: string;
  /** Steps below the root, after `root` has opened it and before the spec's own mounts, e.g. what is hidden of the host. */
  readonly furnish: readonly Step[];
  /** Host paths that belong to the container alone: removed with it. */
  readonly owned: readonly string[];
}
