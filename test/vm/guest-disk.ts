/** What the virtual machine boots: a small initramfs that loads the disk's driver, and a disk with Bun and this repository. */

import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, realpathSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type GuestKernel, modulesInOrder } from "./guest-kernel.ts";
import { addSystemd } from "./guest-systemd.ts";

export interface GuestDisk {
  readonly initramfs: string;
  readonly disk: string;
}

/** What the guest is told to do: a shell script, run at the repository's root. Its exit code is the guest's answer. */
export interface GuestTask {
  readonly repository: string;
  /** Files and folders of the repository that the task needs. */
  readonly take: readonly string[];
  /** Programs of this machine that it needs; they come with their libraries, and are left out when not installed. */
  readonly programs: readonly string[];
  readonly script: string;
  /** Others beside it, in /. */
  readonly files?: Readonly<Record<string, string>>;
  /** Kernel modules beside the disk's own. */
  readonly modules: readonly string[];
  /** The first process is this machine's systemd, and the script a service of it, run at every boot. */
  readonly systemd?: true;
}

const diskBytes = 600 * 1024 * 1024;
/** Where the guest has the repository. */
const guestRepository = "/orlop";
const busybox = "/bin/busybox";

/** The line with which the guest ends, followed by the task's exit code. */
export const endMark = "guest task ended with";

/** The kernel hands over a /dev that systemd finds as it is. */
const mountDisk = `#!/bin/busybox sh
export PATH=/bin
mount -t devtmpfs none /dev
for module in $(cat /modules); do insmod "/$module"; done
mount -t ext4 /dev/vda /root
umount /dev
exec switch_root /root /init
`;

/** Two stages, because the kernel refuses pivot_root on its initial file system. */
const startTask = `#!/bin/busybox sh
export PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root LANG=C.UTF-8
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts none /dev/pts
mount -t tmpfs none /dev/shm
mount -t tmpfs none /tmp
mount -t tmpfs none /run
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
hostname guest
cd ${guestRepository}
sh /task </dev/null
echo "${endMark} $?"
poweroff -f
`;

/** Makes both below `directory`. */
export function makeGuestDisk(directory: string, kernel: GuestKernel, task: GuestTask): GuestDisk {
  return { initramfs: makeInitramfs(directory, kernel, task), disk: makeDisk(directory, task) };
}

function makeInitramfs(directory: string, kernel: GuestKernel, task: GuestTask): string {
  const stage = join(directory, "initramfs");
  for (const folder of ["bin", "dev", "root"]) mkdirSync(join(stage, folder), { recursive: true });
  addBusybox(stage);
  addModules(stage, kernel, ["virtio_pci", "virtio_blk", ...task.modules]);
  addScript(join(stage, "init"), mountDisk);
  const file = join(directory, "initramfs.cpio");
  execFileSync("sh", ["-c", `find . | cpio --quiet -o -H newc >"$1"`, "sh", file], { cwd: stage });
  return file;
}

function makeDisk(directory: string, task: GuestTask): string {
  const stage = join(directory, "disk");
  for (const folder of [
    "usr/bin",
    "usr/sbin",
    "usr/lib",
    "usr/lib64",
    "dev",
    "proc",
    "sys",
    "tmp",
    "run",
    "root",
    "etc",
    "var/lib",
  ]) {
    mkdirSync(join(stage, folder), { recursive: true });
  }
  for (const folder of ["bin", "sbin", "lib", "lib64"]) symlinkSync(`usr/${folder}`, join(stage, folder));
  for (const program of task.programs) addProgram(stage, program);
  if (task.systemd === true) addSystemd(stage);
  addBusybox(stage); // last: it fills the gaps
  for (const name of task.take) {
    addTree(join(task.repository, name), join(stage, guestRepository, name));
    if (statSync(join(task.repository, name)).isFile()) addLibraries(stage, join(task.repository, name));
  }
  writeFileSync(join(stage, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(join(stage, "etc/group"), "root:x:0:\n");
  for (const [name, text] of Object.entries({ task: task.script, ...task.files }))
    writeFileSync(join(stage, name), text);
  if (task.systemd !== true) addScript(join(stage, "init"), startTask);
  const file = join(directory, "disk.ext4");
  execFileSync("mke2fs", ["-q", "-t", "ext4", "-d", stage, file, `${diskBytes / 1024}k`], { stdio: "pipe" });
  return file;
}

function addBusybox(stage: string): void {
  cpSync(realpathSync(busybox), join(stage, "bin/busybox"));
  const applets = execFileSync(busybox, ["--list"], { encoding: "utf8" }).split("\n").filter(Boolean);
  for (const applet of applets) {
    const link = join(stage, "bin", applet);
    if (!existsSync(link)) symlinkSync("busybox", link);
  }
}

function addModules(stage: string, kernel: GuestKernel, wanted: readonly string[]): void {
  const modules = modulesInOrder(kernel, wanted);
  for (const module of modules) addTree(join(kernel.modules, module), join(stage, module));
  writeFileSync(join(stage, "modules"), modules.join("\n"));
}

function addProgram(stage: string, program: string): void {
  const path = Bun.which(program);
  if (path === null) return;
  addTree(realpathSync(path), join(stage, "usr/bin", program));
  addLibraries(stage, path);
}

/** Those that a program of this machine is linked with. */
export function addLibraries(stage: string, path: string): void {
  for (const [library] of libraries(path).matchAll(/\/\S+/g)) addTree(realpathSync(library), join(stage, library));
}

/** The output of ldd; nothing for a static program, which ldd refuses. */
function libraries(path: string): string {
  try {
    return execFileSync("ldd", [path], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return "";
  }
}

export function addTree(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true, verbatimSymlinks: true });
}

function addScript(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}
