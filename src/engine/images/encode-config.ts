/** Encodes the configuration of an image that is made here (OCI image-spec config.md). */

import type { Digest } from "../../spec/digest.ts";
import type { ContainerDefaults } from "../../spec/oci-image.ts";
import type { Platform } from "../../spec/platform.ts";

export interface NewConfig {
  readonly platform: Platform;
  readonly config: ContainerDefaults;
  readonly author: string;
  /** Diff ids of the layers, the lowest first. */
  readonly diffIds: readonly Digest[];
  /** In the specification's form. */
  readonly history: readonly unknown[];
}

export function encodeImageConfig({ platform, config, author, diffIds, history }: NewConfig): Uint8Array {
  const { ExposedPorts, Volumes, ...plain } = config;
  const document = {
    created: new Date().toISOString(),
    ...(author === "" ? {} : { author }),
    ...platform,
    config: {
      ...plain,
      ...(ExposedPorts === undefined ? {} : { ExposedPorts: setOf(ExposedPorts) }),
      ...(Volumes === undefined ? {} : { Volumes: setOf(Volumes) }),
    },
    rootfs: { type: "layers", diff_ids: diffIds },
    history,
  };
  return new TextEncoder().encode(JSON.stringify(document));
}

/** A set as Go encodes it: an object with empty values. */
function setOf(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}
