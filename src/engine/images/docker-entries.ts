/** The manifest.json of a docker-archive (moby image/tarexport): `[{"Config": …, "RepoTags": …, "Layers": …}]`. */

import { OrlopError } from "../../base/errors.ts";
import type { ImageArchive } from "../../images/image-archive.ts";
import { asList, asObject, asText, asTextList, ShapeFault } from "../../spec/json-shape.ts";

export interface DockerEntry {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

/** Of an archive that has one. @throws {OrlopError} bad_image_archive */
export function dockerEntriesOf(archive: ImageArchive): DockerEntry[] {
  const raw = archive.document("manifest.json") as Uint8Array;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
    return asList(value, "manifest.json", 1000, (entry, at) => {
      const object = asObject(entry, at);
      return {
        config: asText(object["Config"], `${at}.Config`),
        tags: asTextList(object["RepoTags"] ?? [], `${at}.RepoTags`),
        layers: asTextList(object["Layers"] ?? [], `${at}.Layers`),
      };
    });
  } catch (error) {
    if (error instanceof ShapeFault || error instanceof SyntaxError || error instanceof TypeError)
      throw OrlopError.of("bad_image_archive", { reason: `its manifest.json: ${error.message}` }, error);
    throw error;
  }
}
