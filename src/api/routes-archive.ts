/** A container's files: archives in and out, its changes. The body of a PUT is the archive, whatever its type says. */

import { OrlopError } from "../base/errors.ts";
import { goMode } from "../engine/containers/archive-path.ts";
import type { FileStatus, PutOptions } from "../engine/containers/container-files.ts";
import { explainSteps } from "../engine/explain.ts";
import { formatTimeNs } from "../engine/logs/log-format.ts";
import { flag, type ParseParameter } from "./query.ts";
import { json } from "./reply.ts";
import { route } from "./route.ts";

const path: ParseParameter<string> = (given, name) => {
  if (given === undefined || given === "" || given.includes("\0"))
    throw OrlopError.of("bad_value", { what: `parameter ${name}`, value: given ?? "", expected: "a path" });
  return given;
};

/** Docker's header: base64 of JSON. */
function statusHeader({ name, size, mode, mtimeNs, target }: FileStatus): Record<string, string> {
  const value = { name, size, mode: goMode(mode), mtime: formatTimeNs(mtimeNs), linkTarget: target };
  return { "X-Docker-Container-Path-Stat": Buffer.from(JSON.stringify(value)).toString("base64") };
}

function putOptionsOf(query: { readonly noOverwriteDirNonDir: boolean; readonly copyUIDGID: boolean }): PutOptions {
  return { noOverwriteDirNonDir: query.noOverwriteDirNonDir, copyUidGid: query.copyUIDGID };
}

const kinds = { modified: 0, added: 1, deleted: 2 } as const;

export const archiveRoutes = [
  route({
    method: "HEAD",
    path: "/containers/:id/archive",
    operation: "ContainerArchiveInfo",
    query: { path },
    async handle({ params, query, engine }) {
      const status = await engine.containers.get(params.id).files.status(query.path);
      return { kind: "text", status: 200, text: "", headers: statusHeader(status) };
    },
  }),
  route({
    method: "GET",
    path: "/containers/:id/archive",
    operation: "ContainerArchive",
    query: { path },
    async handle({ params, query, engine }) {
      const { status, archive } = await engine.containers.get(params.id).files.get(query.path);
      return { kind: "stream", contentType: "application/x-tar", headers: statusHeader(status), chunks: archive };
    },
    explain: async ({ params, query, engine }) =>
      explainSteps(await engine.containers.get(params.id).files.foreseeGet(query.path)),
  }),
  route({
    method: "PUT",
    path: "/containers/:id/archive",
    operation: "PutContainerArchive",
    query: { path, noOverwriteDirNonDir: flag, copyUIDGID: flag },
    body: "stream",
    async handle({ params, query, engine, upload }) {
      await engine.containers.get(params.id).files.put(query.path, upload, putOptionsOf(query));
      return { kind: "text", status: 200, text: "" };
    },
    explain: async ({ params, query, engine, upload }) =>
      explainSteps(await engine.containers.get(params.id).files.foreseePut(query.path, upload, putOptionsOf(query))),
  }),
  route({
    method: "GET",
    path: "/containers/:id/export",
    operation: "ContainerExport",
    async handle({ params, engine }) {
      const archive = await engine.containers.get(params.id).files.export();
      return { kind: "stream", contentType: "application/octet-stream", chunks: archive };
    },
  }),
  route({
    method: "GET",
    path: "/containers/:id/changes",
    operation: "ContainerChanges",
    async handle({ params, engine }) {
      const changes = await engine.containers.get(params.id).files.changes();
      const shown = changes.map(({ kind, path }) => ({
        Path: Buffer.from(path, "latin1").toString("utf8"),
        Kind: kinds[kind],
      }));
      return json(shown.length === 0 ? null : shown); // as Docker has it
    },
  }),
];
