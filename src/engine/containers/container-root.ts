/** A container's root: the machine itself (`host`) or a directory, and the accounts in it. */

import { closeSync, constants, existsSync, fstatSync, lstatSync, openSync, readSync, realpathSync } from "node:fs";
import { OrlopError } from "../../base/errors.ts";
import type { RootSource } from "../../kernel/root-source.ts";
import { ACCOUNT_FILE_MAX_BYTES, type Accounts } from "../../runtime/user.ts";
import type { ContainerCreateBody } from "../../spec/engine-api-container.ts";
import { planDirectory } from "../../storage/directory.ts";
import { type HostInput, planHost } from "../../storage/host.ts";
import { readHostView } from "../../storage/host-view.ts";
import { planImageLayers } from "../../storage/image-layers.ts";
import { chooseUpper, copyOf, type StorageDriver } from "../../storage/upper.ts";
import type { ContainerImage } from "../images/container-image.ts";
import { isHostImage } from "../images/host-image.ts";
import { bottomIn, layerDirectory } from "../images/image-stores.ts";
import { withTag } from "../images/image-words.ts";
import { type Places, partPlace } from "../places.ts";

/** What is below the container's changes. */
export type RootChoice =
  | { readonly kind: "host" }
  | { readonly kind: "directory"; readonly path: string }
  | {
      readonly kind: "image";
      readonly name: string;
      /** The topmost first. */
      readonly layers: readonly { readonly path: string; readonly hidesEtc: boolean }[];
    };

/** @throws {OrlopError} no_such_image; bad_value for a Rootfs that is no directory */
export function chooseRoot(
  { Image, HostConfig: { Rootfs } }: ContainerCreateBody,
  image: ContainerImage | undefined,
  places: Places,
): RootChoice {
  if (image !== undefined) {
    const hiding = new Set(image.hidingEtc);
    const layers = image.layers.map((id) => ({ path: layerDirectory(places, id), hidesEtc: hiding.has(id) }));
    return { kind: "image", name: Image, layers: layers.toReversed() };
  }
  if (Rootfs === "") {
    if (isHostImage(Image)) return { kind: "host" };
    if (Image === "") throw OrlopError.of("bad_value", { what: "Image", value: "", expected: 'an image, e.g. "host"' });
    throw OrlopError.of("no_such_image", { reference: withTag(Image) });
  }
  if (Image !== "")
    throw OrlopError.of("bad_value", { what: "Image", value: Image, expected: "none together with HostConfig.Rootfs" });
  return { kind: "directory", path: realDirectory(Rootfs) };
}

function realDirectory(path: string): string {
  const refuse = (): OrlopError =>
    OrlopError.of("bad_value", {
      what: "HostConfig.Rootfs",
      value: path,
      expected: "the absolute path of a directory",
    });
  if (!path.startsWith("/")) throw refuse();
  try {
    const real = realpathSync(path);
    if (!lstatSync(real).isDirectory()) throw refuse();
    return real;
  } catch (error) {
    throw error instanceof OrlopError ? error : refuse();
  }
}

/**
 * The root as steps. Its changes lie in `layers` when overlay can write there, else in memory.
 *
 * @param removedAtExit its changes end with it, so that nothing of them needs to reach the disk
 * @param driver of containers that have not begun
 */
export function planRoot(
  choice: RootChoice,
  places: Places,
  layers: string,
  { removedAtExit, driver }: { readonly removedAtExit: boolean; readonly driver: StorageDriver },
): RootSource & { readonly inMemory: boolean } {
  const view = readHostView();
  const hidden = [places.stateDir, places.runDir];
  const memory = `${places.runDir}/upper`;
  const upper = takesCopy(choice, layers, driver)
    ? ({ kind: "copies", path: layers } as const)
    : chooseUpper(view.mounts, { directory: layers, memory, removedAtExit });
  const mountPoint = `${places.runDir}/root`;
  const source = planSource(choice, places, { view, mountPoint, upper, hidden });
  return { ...source, inMemory: upper.kind === "tmpfs" };
}

/** What a container began with it keeps, whatever is chosen for new ones. Nobody copies the machine itself. */
function takesCopy(choice: RootChoice, layers: string, driver: StorageDriver): boolean {
  if (choice.kind === "host") return false;
  if (existsSync(copyOf(layers, "root"))) return true;
  return driver === "copies" && !existsSync(`${layers}/root/upper`);
}

/** The root as its image is, for looking at it: what is changed there is kept nowhere. */
export function planPristineRoot(choice: RootChoice, places: Places): RootSource {
  return planSource(choice, places, {
    view: readHostView(),
    mountPoint: `${places.runDir}/root`,
    upper: { kind: "tmpfs", mountPoint: `${places.runDir}/upper` },
    hidden: [places.stateDir, places.runDir],
  });
}

function planSource(choice: RootChoice, places: Places, input: Omit<HostInput, "partPoint">): RootSource {
  if (choice.kind === "host") return planHost({ ...input, partPoint: partPlace(places) });
  if (choice.kind === "directory") return planDirectory({ ...input, directory: choice.path });
  const layers = choice.layers.map(({ path }) => path);
  return planImageLayers({ ...input, layers, bottom: bottomIn(places), name: choice.name });
}

/**
 * /etc/passwd and /etc/group as the container has them: its own changes first.
 *
 * @throws {OrlopError} bad_value for a file that is too large
 */
export function readAccounts(choice: RootChoice, layers: string): Accounts {
  const copy = copyOf(layers, "root"); // which is all of the root, where there is one
  const upper = `${layers}/root/upper`;
  const changes = existsSync(upper) ? [{ path: upper, hidesEtc: false }] : [];
  const trees = existsSync(copy) ? [{ path: copy, hidesEtc: true }] : [...changes, ...treesOf(choice)];
  return { passwd: readTopmost(trees, "passwd"), group: readTopmost(trees, "group") };
}

interface Tree {
  readonly path: string;
  /** Nothing of /etc in the trees below is seen. */
  readonly hidesEtc: boolean;
}

function treesOf(choice: RootChoice): readonly Tree[] {
  if (choice.kind === "image") return choice.layers;
  return [{ path: choice.kind === "host" ? "" : choice.path, hidesEtc: false }];
}

/** The topmost tree's file, as overlay would show it. */
function readTopmost(trees: readonly Tree[], name: string): string {
  for (const { path, hidesEtc } of trees) {
    const text = readRegular(path, name);
    if (text !== undefined) return text;
    if (hidesEtc || coversEtc(path)) return "";
  }
  return "";
}

/** Something else than a directory stands in the place of /etc: nothing below it is seen. */
function coversEtc(tree: string): boolean {
  return lstatSync(`${tree}/etc`, { throwIfNoEntry: false })?.isDirectory() === false;
}

/** O_PATH, which node's constants do not have: holds what is there, and opens nothing of it. The same on every Linux but alpha, parisc, sparc. */
const O_PATH = 0o10000000;

/** "" for what hides the file below: a whiteout, or something else than a regular file (a link too); undefined when nothing is there. */
function readRegular(root: string, name: string): string | undefined {
  const path = `${root}/etc/${name}`;
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const opened: number[] = [];
  const open = (at: string, flags: number): number => {
    const fd = openSync(at, flags);
    opened.push(fd);
    return fd;
  };
  try {
    // The directory must be one, too: a link would lead out of the container's tree (posture, "user parsing"). Held open, because a
    // container that runs may put a link in its place.
    const directory = open(`${root}/etc`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    // Looked at before it is opened for real: a container may have made a device there, and the machine's watchdog begins to count
    // when it is opened. Here no device cgroup says no.
    const found = open(`/proc/self/fd/${directory}/${name}`, O_PATH | O_NOFOLLOW);
    const status = fstatSync(found);
    if (!status.isFile()) return "";
    if (status.size > ACCOUNT_FILE_MAX_BYTES)
      throw OrlopError.of("bad_value", { what: path, value: `${status.size} bytes`, expected: "at most 10 MiB" });
    // not waiting for somebody's lease (fcntl(2), F_SETLEASE)
    const fd = open(`/proc/self/fd/${found}`, O_RDONLY | O_NONBLOCK);
    // no more than it had: it may be growing
    const content = Buffer.alloc(status.size);
    return content.toString("utf8", 0, readSync(fd, content, 0, content.length, 0));
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(code)) return undefined; // a link in the place of /etc: `coversEtc`
    throw error;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
