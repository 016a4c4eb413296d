/** Docker's own description of its API, as the tests' source of operations, parameters and bodies. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const path = join(process.env["ORLOP_REFERENCE"] ?? "../shared/reference/data", "docker-engine-api-v1.51.yaml");

/** A comparison without its data says so instead of passing. */
export const hasDescription = existsSync(path);

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly enum?: readonly string[];
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "body" | "header";
  readonly type?: string;
  readonly schema?: Schema;
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  /** "/containers/{id}/kill" */
  readonly path: string;
  readonly parameters: readonly Parameter[];
}

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { operationId?: string; parameters?: readonly Parameter[] }>>>
  >;
  readonly definitions: Readonly<Record<string, Schema>>;
}

let document: Document | undefined;

function read(): Document {
  document ??= Bun.YAML.parse(readFileSync(path, "utf8")) as Document;
  return document;
}

export function operations(): Operation[] {
  return Object.entries(read().paths).flatMap(([at, methods]) =>
    Object.entries(methods)
      .filter(([, operation]) => operation.operationId !== undefined)
      .map(([method, operation]) => ({
        id: operation.operationId ?? "",
        method: method.toUpperCase(),
        path: at,
        parameters: operation.parameters ?? [],
      })),
  );
}

/** References followed, parts put together. */
export function resolve(schema: Schema): Schema {
  if (schema.$ref !== undefined)
    return resolve(read().definitions[schema.$ref.replace("#/definitions/", "")] ?? { type: "object" });
  if (schema.allOf === undefined) return schema;
  const parts = schema.allOf.map(resolve);
  const properties = Object.assign({}, ...parts.map((part) => part.properties ?? {}), schema.properties ?? {});
  return { type: "object", properties };
}
