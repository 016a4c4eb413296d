/** What a container keeps of its image: enough to start it again, whatever happens to the image's names. */

import type { Digest } from "../../spec/digest.ts";
import type { ContainerDefaults } from "../../spec/oci-image.ts";

export interface ContainerImage {
  readonly id: Digest;
  /** Diff ids, the lowest first. */
  readonly layers: readonly Digest[];
  /** Diff ids of layers that hide /etc of those below (LayerFacts). */
  readonly hidingEtc: readonly Digest[];
  /** As the image has it: its volumes, ports and health check are read from here. */
  readonly config: ContainerDefaults;
}
