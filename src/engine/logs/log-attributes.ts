/** The attributes that the log options labels, env and tag add to each record of a json-file log. */

import { OrlopError } from "../../base/errors.ts";
import { Pattern } from "../../base/pattern.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import { hostImageId } from "../images/host-image.ts";

export interface TaggedContainer {
  readonly id: string;
  readonly name: string;
  readonly body: Pick<ContainerCreateBody, "Image" | "Labels" | "Env" | "HostConfig">;
  /** "" without an image of its own. */
  readonly imageId: string;
}

/** A limit for all attributes together, because each record repeats them. */
const ATTRIBUTES_MAX_BYTES = 16 * 1024;

/** @throws {OrlopError} bad_value */
export function logAttributesOf(container: TaggedContainer): Record<string, string> {
  const { Labels, Env, HostConfig } = container.body;
  const { Config } = HostConfig.LogConfig;
  const variables = Object.fromEntries(
    Env.filter((entry) => entry.includes("=")).map((entry) => [
      entry.slice(0, entry.indexOf("=")),
      entry.slice(entry.indexOf("=") + 1),
    ]),
  );
  const attributes = {
    ...chosen(Labels, Config["labels"], Config["labels-regex"], "labels-regex"),
    ...chosen(variables, Config["env"], Config["env-regex"], "env-regex"),
    ...(Config["tag"] === undefined || Config["tag"] === "" ? {} : { tag: expandTag(Config["tag"], container) }),
  };
  const size = Buffer.byteLength(JSON.stringify(attributes));
  if (size > ATTRIBUTES_MAX_BYTES)
    throw OrlopError.of("bad_value", {
      what: "log options labels, env and tag",
      value: `${size} bytes for each record`,
      expected: `at most ${ATTRIBUTES_MAX_BYTES}`,
    });
  return attributes;
}

/** The entries that are listed ("a,b"), or whose names match. */
function chosen(
  table: Readonly<Record<string, string>>,
  list: string | undefined,
  pattern: string | undefined,
  option: string,
): Record<string, string> {
  const names = (list ?? "").split(",");
  const expression = pattern === undefined || pattern === "" ? undefined : patternOf(pattern, option);
  return Object.fromEntries(
    Object.entries(table).filter(([name]) => names.includes(name) || (expression?.test(name) ?? false)),
  );
}

function patternOf(text: string, option: string): Pattern {
  try {
    return new Pattern(text);
  } catch (error) {
    throw OrlopError.of(
      "bad_value",
      { what: `log option ${option}`, value: text, expected: "a regular expression" },
      error,
    );
  }
}

const SHORT = 12;

/** Docker's template fields; the rest of Go's template language is refused. */
function expandTag(template: string, { id, name, body, imageId }: TaggedContainer): string {
  const image = (imageId || hostImageId).replace(/^sha256:/, "");
  const fields: Readonly<Record<string, string>> = {
    ID: id.slice(0, SHORT),
    FullID: id,
    Name: name,
    ImageName: body.Image,
    ImageID: image.slice(0, SHORT),
    ImageFullID: `sha256:${image}`,
    DaemonName: "orlop",
  };
  return template.replaceAll(/\{\{(.*?)\}\}/g, (whole, inner: string) => {
    const field = /^\s*\.(\w+)\s*$/.exec(inner)?.[1] ?? "";
    if (Object.hasOwn(fields, field)) return fields[field] ?? "";
    const expected = `{{.FIELD}} with FIELD one of ${Object.keys(fields).join(", ")}`;
    throw OrlopError.of("bad_value", { what: "log option tag", value: whole, expected });
  });
}
