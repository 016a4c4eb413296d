/** Debian's cloud kernel for the virtual machine: downloaded with apt, unpacked into the cache, never installed here. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";

export interface GuestKernel {
  /** The bootable image. */
  readonly image: string;
  /** lib/modules/VERSION of the unpacked package. */
  readonly modules: string;
}

/** Always depends on the current kernel's package. */
const metaPackage = "linux-image-cloud-amd64";

/** The kernel, from the cache where it is there already. */
export function fetchGuestKernel(cache: string): GuestKernel {
  const name = currentPackage();
  const unpacked = join(cache, name);
  if (!existsSync(unpacked)) download(name, cache, unpacked);
  const modules = join(unpacked, "lib/modules", onlyEntry(join(unpacked, "lib/modules")));
  return { image: join(unpacked, "boot", only(unpacked, "boot", /^vmlinuz-/)), modules };
}

/** Modules with all that they depend on, in the order in which they can be loaded. Paths below `modules`. */
export function modulesInOrder({ modules }: GuestKernel, wanted: readonly string[]): string[] {
  const dependencies = new Map(
    readFileSync(join(modules, "modules.dep"), "utf8")
      .split("\n")
      .map((line) => line.split(/:\s*/))
      .map(([path = "", rest = ""]) => [path, rest.split(" ").filter(Boolean)] as const),
  );
  const ordered: string[] = [];
  const add = (path: string): void => {
    if (ordered.includes(path)) return;
    for (const dependency of dependencies.get(path) ?? []) add(dependency);
    ordered.push(path);
  };
  for (const name of wanted) {
    const path = [...dependencies.keys()].find((key) => key.endsWith(`/${name}.ko`));
    if (path === undefined) throw new Error(`the kernel has no module ${name}`);
    add(path);
  }
  return ordered;
}

function currentPackage(): string {
  const find = () => /Depends: (linux-image-\S+)/.exec(run("apt-cache", ["depends", metaPackage]))?.[1];
  const known = find();
  if (known !== undefined) return known;
  run("apt-get", ["update", "-q"]);
  const found = find();
  if (found === undefined) throw new Error(`apt does not know ${metaPackage}`);
  return found;
}

function download(name: string, cache: string, unpacked: string): void {
  const partial = `${unpacked}.partial`;
  mkdirSync(partial, { recursive: true });
  try {
    run("apt-get", ["download", "-q", name], cache);
  } catch {
    run("apt-get", ["update", "-q"]); // the list may be older than what the archive still has
    run("apt-get", ["download", "-q", name], cache);
  }
  const archive = readdirSync(cache).find((file) => file.startsWith(`${name}_`) && file.endsWith(".deb"));
  run("dpkg-deb", ["-x", join(cache, archive ?? name), partial]);
  run("busybox", ["depmod", "-b", partial, onlyEntry(join(partial, "lib/modules"))]);
  renameSync(partial, unpacked);
}

function only(root: string, folder: string, pattern: RegExp): string {
  const name = readdirSync(join(root, folder)).find((entry) => pattern.test(entry));
  if (name === undefined) throw new Error(`${root} has no ${pattern}`);
  return name;
}

function onlyEntry(folder: string): string {
  return only(folder, ".", /./);
}

function run(program: string, words: readonly string[], cwd?: string): string {
  return execFileSync(program, words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], cwd });
}
