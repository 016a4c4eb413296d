/** A volume in the Engine API's spelling. */

import type { Volume } from "../engine/volumes/volume.ts";

export function volumeJson({ record, path }: Volume): Record<string, unknown> {
  return {
    // Docker gives whole seconds
    CreatedAt: new Date(Number(BigInt(record.createdNs) / 1_000_000n)).toISOString().replace(/\.\d+/, ""),
    Driver: "local",
    Labels: record.labels,
    Mountpoint: path,
    Name: record.name,
    Options: record.options,
    Scope: "local",
  };
}
