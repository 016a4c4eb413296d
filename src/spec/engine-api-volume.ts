/** The body of `POST /volumes/create` (VolumeCreateOptions of the Engine API). */

import { field, refused, shape, table, text } from "./engine-api-read.ts";

const body = shape({
  Name: field(text, ""),
  Driver: field(text, ""),
  DriverOpts: field(table(text), null as Readonly<Record<string, string>> | null),
  Labels: field(table(text), null as Readonly<Record<string, string>> | null),
  ClusterVolumeSpec: refused,
});

export type VolumeCreateBody = ReturnType<typeof body>;

/** @throws {OrlopError} unknown_field, bad_value: both name the field, e.g. "DriverOpts.size" */
export function parseVolumeCreate(value: unknown): VolumeCreateBody {
  return body(value, "");
}
