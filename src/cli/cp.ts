/** `orlop cp`: files between a container and here. */

import { existsSync, lstatSync, realpathSync, statSync } from "node:fs";
import { basename, posix } from "node:path";
import { OrlopError } from "../base/errors.ts";
import type { ContainersClient } from "../client/containers-client.ts";
import { byteStringOfText } from "../spec/tar-entry.ts";
import { TarReader } from "../spec/tar-reader.ts";
import { readArchive } from "./archive-files.ts";
import { type CliContext, command } from "./context.ts";
import { placeOf, renamed } from "./copy-place.ts";
import { archiveOf, LocalWriter } from "./local-tree.ts";

export const cp = command({
  name: "cp",
  summary: "Copy files between a container and here; - is an archive on standard input or output",
  args: "SOURCE DESTINATION",
  flags: {
    archive: { type: "switch", short: "a", help: "Give copied files to the container's user" },
    followLink: { type: "switch", short: "L", help: "Follow a symbolic link that is named as the source" },
    quiet: { type: "switch", short: "q", help: "Print nothing (nothing is printed)", hidden: true },
  },
  examples: [
    "orlop cp web:/etc/nginx .",
    "orlop cp site/. web:/usr/share/nginx/html",
    "orlop cp web:/var/log - | tar -t",
  ],
  async run({ args, flags, ...context }) {
    const [source = "", target = ""] = args;
    const from = placeIn(source);
    const to = placeIn(target);
    if (from !== undefined && to !== undefined) throw refuse(target, "a path here, where the source is in a container");
    if (from !== undefined) await copyOut(context, from, target, flags.followLink);
    else if (to !== undefined) await copyIn(context, source, to, flags);
    else throw refuse(source, "CONTAINER:PATH as source or destination");
    return 0;
  },
});

interface ContainerPlace {
  readonly container: string;
  readonly path: string;
}

/** "CONTAINER:PATH"; a path that begins with "/" or "." is never one. */
function placeIn(written: string): ContainerPlace | undefined {
  const colon = written.indexOf(":");
  if (colon < 1 || written.startsWith("/") || written.startsWith(".")) return undefined;
  return { container: written.slice(0, colon), path: written.slice(colon + 1) };
}

function refuse(value: string, expected: string): OrlopError {
  return OrlopError.of("bad_value", { what: "argument", value, expected });
}

async function copyOut(
  { engine, stdout }: Pick<CliContext, "engine" | "stdout">,
  { container, path }: ContainerPlace,
  target: string,
  follow: boolean,
): Promise<void> {
  const link = follow ? await statusOrNothing(engine.containers, container, path) : undefined;
  const real = link?.isLink === true ? link.target : path;
  const { status, archive } = await engine.containers.getArchive(container, real);
  if (target === "-") {
    for await (const piece of archive) await stdout.write(piece);
    return;
  }
  const name = link?.isLink === true ? link.name : status.name;
  const stat = existsSync(target) ? statSync(target) : undefined;
  const source = { name, isDirectory: status.isDirectory };
  const place = placeOf(source, {
    path: target,
    exists: stat !== undefined,
    isDirectory: stat?.isDirectory() ?? false,
  });
  if (!existsSync(place.directory))
    throw OrlopError.of("copy_mismatch", { path: target, reason: `${place.directory} is not there` });
  const top = byteStringOfText(status.name);
  const to = byteStringOfText(place.name);
  const writer = new LocalWriter(realpathSync(place.directory), (entry) => renamed(entry, top, to));
  const reader = new TarReader(writer);
  for await (const piece of archive) reader.write(piece);
  reader.end();
  writer.end();
}

async function copyIn(
  context: CliContext,
  source: string,
  { container, path }: ContainerPlace,
  flags: { readonly archive: boolean; readonly followLink: boolean },
): Promise<void> {
  const { containers } = context.engine;
  const found = await statusOrNothing(containers, container, path);
  const resolved = found?.isLink === true ? found.target : path;
  const target = found?.isLink === true ? await statusOrNothing(containers, container, resolved) : found;
  if (source === "-") {
    if (target?.isDirectory !== true)
      throw OrlopError.of("copy_mismatch", { path: `${container}:${path}`, reason: "it must be a directory" });
    await containers.putArchive(container, resolved, readArchive("-", context), flags.archive);
    return;
  }
  const stat = existsSync(source) || isLink(source) ? undefined : refuse(source, "a file or directory that is there");
  if (stat !== undefined) throw stat;
  const isWhole = /(^|\/)\.?$/.test(source);
  const follow = flags.followLink || isWhole;
  const local = follow ? statSync(source) : lstatSync(source);
  const place = placeOf(
    { name: /(^|\/)\.$/.test(source) ? "." : basename(posix.resolve(source)) || "/", isDirectory: local.isDirectory() },
    { path: resolved, exists: target !== undefined, isDirectory: target?.isDirectory ?? false },
  );
  const name = place.name === "/" ? "." : place.name;
  await containers.putArchive(container, place.directory, archiveOf(source, name, follow), flags.archive);
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

async function statusOrNothing(containers: ContainersClient, container: string, path: string) {
  try {
    return await containers.pathStatus(container, path);
  } catch (error) {
    // a HEAD has no message: whether it is the container or the path that is missing, the next request says
    if ((error as { status?: number }).status === 404) return undefined;
    throw error;
  }
}
