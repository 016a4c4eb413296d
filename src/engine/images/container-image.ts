/** What a container's record keeps of its image: enough to start the container, even when the image's names are gone. */

import type { Digest } from "../../spec/digest.ts";
import type { ContainerDefaults } from "../../spec/oci-image.ts";

export interface ContainerImage {
  readonly id: Digest;
  /** Diff ids, the lowest first. */
  readonly layers: readonly Digest[];
  /** Diff ids of layers that hide /etc of those below (LayerFacts). */
  readonly hidingEtc: readonly Digest[];
  /** The image's configuration, of which volumes, ports and health check are used. */
  readonly config: ContainerDefaults;
}
