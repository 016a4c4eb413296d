/** A container's root file system (the machine itself, a directory, an image), and the account files in it. */

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

/** What the root is made from, below the container's own changes. */
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
 * The root as steps. Changes are kept in `layers` if overlay can write there, else in memory.
 *
 * @param removedAtExit its changes are removed with the container, so they need not be synced to the disk
 * @param driver the storage driver of new containers
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

/** A container keeps the driver that it began with. The `host` image is never copied. */
function takesCopy(choice: RootChoice, layers: string, driver: StorageDriver): boolean {
  if (choice.kind === "host") return false;
  if (existsSync(copyOf(layers, "root"))) return true;
  return driver === "copies" && !existsSync(`${layers}/root/upper`);
}

/** The root as in the image, for reading: changes are discarded. */
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
 * /etc/passwd and /etc/group as the container sees them, its own changes included.
 *
 * @throws {OrlopError} bad_value for a file that is too large
 */
export function readAccounts(choice: RootChoice, layers: string): Accounts {
  const copy = copyOf(layers, "root"); // with the `copies` driver: the whole root
  const upper = `${layers}/root/upper`;
  const changes = existsSync(upper) ? [{ path: upper, hidesEtc: false }] : [];
  const trees = existsSync(copy) ? [{ path: copy, hidesEtc: true }] : [...changes, ...treesOf(choice)];
  return { passwd: readTopmost(trees, "passwd"), group: readTopmost(trees, "group") };
}

interface Tree {
  readonly path: string;
  /** /etc of the trees below is hidden (an opaque directory). */
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

/** /etc is not a directory in this tree (a whiteout, a link): it hides /etc of the trees below. */
function coversEtc(tree: string): boolean {
  return lstatSync(`${tree}/etc`, { throwIfNoEntry: false })?.isDirectory() === false;
}

/** O_PATH (open(2)), which node:fs does not export. The same value on every architecture but alpha, parisc and sparc. */
const O_PATH = 0o10000000;

/** "" for anything but a regular file (a whiteout, a link), which hides the file of the trees below; undefined when there is nothing. */
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
    // /etc must be a directory: a link would lead out of the container's tree (CVE-2018-15664's kind). It is held open, because a
    // running container may replace it by a link.
    const directory = open(`${root}/etc`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    // Opened with O_PATH first, which does not open devices: a container may have made a device node there (opening the machine's
    // watchdog starts it), and the engine is not confined by a device cgroup.
    const found = open(`/proc/self/fd/${directory}/${name}`, O_PATH | O_NOFOLLOW);
    const status = fstatSync(found);
    if (!status.isFile()) return "";
    if (status.size > ACCOUNT_FILE_MAX_BYTES)
      throw OrlopError.of("bad_value", { what: path, value: `${status.size} bytes`, expected: "at most 10 MiB" });
    // O_NONBLOCK: opening must not wait for a lease (fcntl(2), F_SETLEASE).
    const fd = open(`/proc/self/fd/${found}`, O_RDONLY | O_NONBLOCK);
    // No more than its size from above: the file may be growing.
    const content = Buffer.alloc(status.size);
    return content.toString("utf8", 0, readSync(fd, content, 0, content.length, 0));
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(code)) return undefined; // when /etc is a link, `coversEtc` finds it
    throw error;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
