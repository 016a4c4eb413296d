/** A container's root: the machine itself (`host`) or a directory, and the accounts in it. */

import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, realpathSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";
import type { RootSource } from "../kernel/root-source.ts";
import { ACCOUNT_FILE_MAX_BYTES, type Accounts } from "../runtime/user.ts";
import { planDirectory } from "../storage/directory.ts";
import { planHost } from "../storage/host.ts";
import { readHostView } from "../storage/host-view.ts";
import { chooseUpper } from "../storage/upper.ts";
import type { Places } from "./places.ts";

/** What is below the container's changes. */
export type RootChoice = { readonly kind: "host" } | { readonly kind: "directory"; readonly path: string };

/** @throws {OrlopError} no_such_image; bad_value for a Rootfs that is no directory */
export function chooseRoot(image: string, rootfs: string): RootChoice {
  if (rootfs === "") {
    if (image === "host" || image === "host:latest") return { kind: "host" };
    if (image === "") throw OrlopError.of("bad_value", { what: "Image", value: "", expected: 'an image, e.g. "host"' });
    throw OrlopError.of("no_such_image", { reference: withTag(image) });
  }
  if (image !== "")
    throw OrlopError.of("bad_value", { what: "Image", value: image, expected: "none together with HostConfig.Rootfs" });
  return { kind: "directory", path: realDirectory(rootfs) };
}

/** As Docker names an image in its messages. */
function withTag(image: string): string {
  const name = image.slice(image.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? image : `${image}:latest`;
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
 */
export function planRoot(
  choice: RootChoice,
  places: Places,
  layers: string,
  removedAtExit: boolean,
): RootSource & { readonly inMemory: boolean } {
  const view = readHostView();
  const hidden = [places.stateDir, places.runDir];
  const upper = chooseUpper(view.mounts, { directory: layers, memory: `${places.runDir}/upper`, removedAtExit });
  const mountPoint = `${places.runDir}/root`;
  const source =
    choice.kind === "host"
      ? planHost({ view, mountPoint, partPoint: `${places.runDir}/part`, upper, hidden })
      : planDirectory({ directory: choice.path, mountPoint, upper, hidden });
  return { ...source, inMemory: upper.kind === "tmpfs" };
}

/**
 * /etc/passwd and /etc/group as the container has them: its own changes first.
 *
 * @throws {OrlopError} bad_value for a file that is too large
 */
export function readAccounts(choice: RootChoice, layers: string): Accounts {
  const lower = choice.kind === "host" ? "" : choice.path;
  const read = (name: string): string => readRegular(`${layers}/root/upper`, name) ?? readRegular(lower, name) ?? "";
  return { passwd: read("passwd"), group: read("group") };
}

/** "" for what hides the file below (a whiteout); undefined when nothing is there, or no regular file without links. */
function readRegular(root: string, name: string): string | undefined {
  const path = `${root}/etc/${name}`;
  try {
    // The directory must be one, too: a link would lead out of the container's tree (posture, "user parsing").
    if (!lstatSync(`${root}/etc`).isDirectory()) return undefined;
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const status = fstatSync(fd);
      if (status.isCharacterDevice()) return "";
      if (!status.isFile()) return undefined;
      if (status.size > ACCOUNT_FILE_MAX_BYTES)
        throw OrlopError.of("bad_value", { what: path, value: `${status.size} bytes`, expected: "at most 10 MiB" });
      return readFileSync(fd, "utf8");
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof OrlopError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    // A whiteout is a device without a driver.
    return code === "ENXIO" || code === "ENODEV" ? "" : undefined;
  }
}
