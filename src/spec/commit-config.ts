/** The body of a commit: a ContainerConfig of Docker's API, of which an image keeps what its containers start with. */
import { OrlopError } from "../base/errors.ts";
import { asObject, ShapeFault } from "./json-shape.ts";
import type { ContainerDefaults } from "./oci-image.ts";
import { asContainerDefaults } from "./oci-image-parse.ts";

/** In an image they are. */
const kept = [
  ...["User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "OnBuild"],
  ...["Shell", "Healthcheck"],
];
/** Clients send it because the type has it; the new image's is the container's. */
const known = [...kept, "Image"];

/** @throws {OrlopError} bad_body; unknown_field: what counts for one container alone */
export function parseCommitConfig(body: unknown): ContainerDefaults {
  try {
    const object = asObject(body, "the body");
    for (const [name, value] of Object.entries(object))
      if (!known.includes(name) && !isEmpty(value))
        throw OrlopError.of("unknown_field", { field: `${name} in the configuration of a commit` });
    const given = Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
    return asContainerDefaults(given, "the body");
  } catch (error) {
    if (!(error instanceof ShapeFault)) throw error;
    throw OrlopError.of("bad_value", { what: "the body", value: "", expected: error.message });
  }
}

/** As Go's clients write what nobody has set. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === false || value === "" || value === 0) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
