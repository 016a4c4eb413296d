/** Images: for now the built-in one alone. */

import { arch } from "node:os";
import { OrlopError } from "../base/errors.ts";
import { hostCommand, hostImageId, isHostImage } from "../engine/host-image.ts";
import { filters, flag, refused } from "./query.ts";
import { json } from "./reply.ts";
import { route } from "./route.ts";

const hostSummary = {
  Id: hostImageId,
  ParentId: "",
  RepoTags: ["host:latest"],
  RepoDigests: [],
  Created: 0,
  Size: 0,
  SharedSize: -1,
  Labels: null,
  Containers: -1,
};

const hostInspection = {
  Id: hostImageId,
  RepoTags: ["host:latest"],
  RepoDigests: [],
  Parent: "",
  Comment: "this machine itself, copy-on-write",
  Created: "1970-01-01T00:00:00Z",
  Architecture: arch() === "x64" ? "amd64" : arch(),
  Os: "linux",
  Size: 0,
  Config: { Cmd: hostCommand, Entrypoint: null, Env: [], Labels: null, Volumes: null, WorkingDir: "", User: "" },
  GraphDriver: { Name: "overlay", Data: null },
  RootFS: { Type: "layers", Layers: [] },
  Metadata: { LastTagTime: "0001-01-01T00:00:00Z" },
};

export const imageRoutes = [
  route({
    method: "POST",
    path: "/images/create",
    operation: "ImageCreate",
    handle() {
      throw OrlopError.of("unknown_field", { field: "pulling an image" });
    },
  }),
  route({
    method: "GET",
    path: "/images/json",
    operation: "ImageList",
    query: {
      all: flag,
      digests: flag,
      "shared-size": refused,
      manifests: refused,
      filters: filters("reference", "dangling", "label"),
    },
    handle: ({ query }) =>
      json(
        query.filters["label"] || query.filters["dangling"]?.includes("true") ? [] : listed(query.filters["reference"]),
      ),
  }),
  route({
    method: "GET",
    path: "/images/:name/json",
    operation: "ImageInspect",
    query: { manifests: refused },
    handle: ({ params }) => {
      if (!isHostImage(params.name)) throw OrlopError.of("no_such_image", { reference: params.name });
      return json(hostInspection);
    },
  }),
];

function listed(references: readonly string[] | undefined): unknown[] {
  return references === undefined || references.some(isHostImage) ? [hostSummary] : [];
}
