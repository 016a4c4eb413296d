/** Query parameters of archives: where from, where to, and how. */

import { raw, request } from "../api/engine-fixture.ts";
import { tarOfFiles } from "../images/layer-tar.ts";
import { flagRow, type QueryRow, unchunked, withContainers } from "./query-row.ts";
import { acts } from "./row.ts";
import { type Fragment, NEIGHBOUR, type Stage } from "./stage.ts";

const paths: Readonly<Record<string, string>> = {
  "/etc/which": "which",
  "etc/which": "which",
  "/etc/../etc/./which": "which",
  "/srv/deep": "deep/,deep/file",
  "/srv/deep/": "deep/,deep/file",
  "/srv/deep/.": "./,./file",
};

const ofImage = (stage: Stage): Fragment => ({ Image: stage.image("one"), Cmd: ["true"] });
const badPaths = ["", "a\0b"];

/** Names in an archive, as tar lists them. */
function namesIn(body: string): string {
  const { stdout } = Bun.spawnSync(["tar", "-t"], { stdin: Buffer.from(unchunked(body), "latin1") });
  return stdout.toString().trim().split("\n").sort().join();
}

/** Puts these files there, with one that holds /srv/deep, and looks. */
function put<T>(
  stage: Stage,
  query: string,
  files: Readonly<Record<string, string>>,
  look: (status: number) => Promise<T>,
): Promise<T> {
  return withContainers(stage, { "q-files": { ...ofImage(stage), User: "12:34" } }, async () => {
    const archive = tarOfFiles(files);
    const head = `PUT /containers/q-files/archive?${query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-tar\r\n`;
    const bytes = Buffer.concat([Buffer.from(`${head}Content-Length: ${archive.length}\r\n\r\n`), archive]);
    return look((await raw(stage.product, bytes)).status);
  });
}

async function archived(stage: Stage, path: string): Promise<string> {
  return (await request(stage.product, "GET", `/containers/q-files/archive?path=${encodeURIComponent(path)}`)).body;
}

export const archiveQueries: Readonly<Record<string, QueryRow>> = {
  "ContainerArchiveInfo path": {
    ...acts(
      Object.keys(paths),
      (path, stage) =>
        withContainers(stage, { "q-files": ofImage(stage) }, async () => {
          const target = `/containers/q-files/archive?path=${encodeURIComponent(path)}`;
          const { headers } = await request(stage.product, "HEAD", target);
          const value = /X-Docker-Container-Path-Stat: (\S+)/i.exec(headers)?.[1] ?? "";
          return (JSON.parse(Buffer.from(value, "base64").toString()) as { name: string }).name;
        }),
      (path) => (path.includes("which") ? "which" : path.endsWith(".") ? "." : "deep"),
    ),
    bad: { method: "HEAD", target: `/containers/${NEIGHBOUR}/archive?path=VALUE`, values: badPaths },
  },
  "ContainerArchive path": {
    ...acts(
      Object.keys(paths),
      (path, stage) =>
        withContainers(stage, { "q-files": ofImage(stage) }, async () => namesIn(await archived(stage, path))),
      (path) => paths[path] ?? "",
    ),
    bad: { method: "GET", target: `/containers/${NEIGHBOUR}/archive?path=VALUE`, values: badPaths },
  },
  "PutContainerArchive path": {
    ...acts(
      ["/srv/deep", "srv/deep", "/srv/deep/", "/srv/x/../deep/."],
      (path, stage) =>
        put(stage, `path=${encodeURIComponent(path)}`, { added: "new" }, async () =>
          namesIn(await archived(stage, "/srv/deep")),
        ),
      "deep/,deep/added,deep/file",
    ),
    bad: { method: "PUT", target: `/containers/${NEIGHBOUR}/archive?path=VALUE`, values: badPaths },
  },
  "PutContainerArchive noOverwriteDirNonDir": flagRow(
    (query, stage) =>
      put(
        stage,
        `path=/srv&${query}`,
        { deep: "a file now" },
        async (status) => `${status} ${namesIn(await archived(stage, "/srv/deep"))}`,
      ),
    "400 deep/,deep/file",
    "200 deep",
  )("noOverwriteDirNonDir"),
  "PutContainerArchive copyUIDGID": flagRow(
    (query, stage) =>
      put(stage, `path=/srv&${query}`, { owned: "" }, async () => {
        const stdin = Buffer.from(unchunked(await archived(stage, "/srv/owned")), "latin1");
        return (
          / (\d+\/\d+) /.exec(Bun.spawnSync(["tar", "-tv", "--numeric-owner"], { stdin }).stdout.toString())?.[1] ?? ""
        );
      }),
    "12/34",
    "0/0",
  )("copyUIDGID"),
};
