/** The fields of a body in Docker's description, by path: "HostConfig.Mounts[].Target", "Labels.*". */

import { operations, resolve, type Schema } from "../api/description.ts";

/** Of the operation's body. */
export function fieldPaths(operation: string): string[] {
  const found = operations().find(({ id }) => id === operation);
  const schema = found?.parameters.find((parameter) => parameter.in === "body")?.schema;
  if (schema === undefined) throw new Error(`${operation} has no body`);
  return [...leavesOf(schema, "")];
}

function* leavesOf(schema: Schema, path: string): Generator<string, void> {
  const { type, items, additionalProperties, properties = {} } = resolve(schema);
  const inner = type === "array" ? items : typeof additionalProperties === "object" ? additionalProperties : undefined;
  if (inner !== undefined) yield* leavesOf(inner, path + (type === "array" ? "[]" : ".*"));
  else if (Object.keys(properties).length === 0) yield path;
  for (const [name, property] of Object.entries(properties))
    if (inner === undefined) yield* leavesOf(property, path === "" ? name : `${path}.${name}`);
}
