/** What is written down of a volume. Its data lies in the state directory; this says what it is. */

import type { VolumeOptions } from "../../storage/local-volume.ts";
import type { Row } from "../../store/rows.ts";

export interface VolumeRecord {
  readonly name: string;
  /** Unix time in nanoseconds, decimal. */
  readonly createdNs: string;
  /** null: none were given, which Docker shows so. */
  readonly labels: Readonly<Record<string, string>> | null;
  /** null as for labels. */
  readonly options: VolumeOptions | null;
  /** Made without a name, for a container that wanted one: what `prune` may take without being asked for all. */
  readonly anonymous: boolean;
  /** The container that it was made for. While this is written here, the volume goes when that container is not there. */
  readonly madeFor?: string;
}

export function encodeVolume(record: VolumeRecord): Row {
  return { kind: "volume", id: record.name, name: record.name, record: JSON.stringify(record) };
}

/** Only what `encodeVolume` wrote is in the database, so its word is taken. */
export function decodeVolume(row: Row): VolumeRecord {
  return JSON.parse(row.record) as VolumeRecord;
}
