/** The stored record of a volume. Its data is a directory in the state directory. */

import type { VolumeOptions } from "../../storage/local-volume.ts";
import type { Row } from "../../store/rows.ts";

export interface VolumeRecord {
  readonly name: string;
  /** Unix time in nanoseconds, as a decimal string. */
  readonly createdNs: string;
  /** null, as in Docker, if the request had none. */
  readonly labels: Readonly<Record<string, string>> | null;
  /** null as for `labels`. */
  readonly options: VolumeOptions | null;
  /** Created without a name, for a container: `prune` removes it even without `all`. */
  readonly anonymous: boolean;
  /** The container that it was created for. While this is set, the volume is removed if that container does not exist. */
  readonly madeFor?: string;
}

export function encodeVolume(record: VolumeRecord): Row {
  return { kind: "volume", id: record.name, name: record.name, record: JSON.stringify(record) };
}

/** Not validated: the database holds only what `encodeVolume` wrote. */
export function decodeVolume(row: Row): VolumeRecord {
  return JSON.parse(row.record) as VolumeRecord;
}
