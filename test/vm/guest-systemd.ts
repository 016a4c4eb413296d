/** This machine's own systemd, as Debian has installed it, on the virtual machine's disk; the task is one of its services. */

import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addLibraries, addTree } from "./guest-disk.ts";

/** Nobody logs in, nothing is plugged in: what only waits for that is left out. */
const masked = [
  "getty.target",
  "systemd-udevd.service",
  "systemd-udev-trigger.service",
  "systemd-logind.service",
  "systemd-networkd.service",
  "systemd-resolved.service",
  "systemd-timesyncd.service",
  "systemd-firstboot.service",
  "systemd-sysusers.service",
  "systemd-pstore.service",
  "modprobe@.service",
];

const fstab = "/dev/vda / ext4 defaults 0 0\n";

/** At every boot, once everything else has been started; its output is the console's. */
const taskService = `[Unit]
Description=The task
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/bin/sh /task
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
TimeoutStartSec=infinity
Environment=HOME=/root

[Install]
WantedBy=graphical.target
`;

export function addSystemd(stage: string): void {
  const files = execFileSync("dpkg", ["-L", "systemd", "systemd-sysv"], { encoding: "utf8" }).split("\n");
  for (const file of files.filter((path) => path !== "" && !path.startsWith("/usr/share/"))) {
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat === undefined || stat.isDirectory()) continue;
    addTree(file, join(stage, file));
    if (stat.isFile() && (stat.mode & 0o111) !== 0) addLibraries(stage, file);
  }
  for (const folder of ["etc/systemd/system/graphical.target.wants", "var/log/journal", "mnt"])
    mkdirSync(join(stage, folder), { recursive: true });
  const units = join(stage, "etc/systemd/system");
  for (const unit of masked) symlinkSync("/dev/null", join(units, unit));
  writeFileSync(join(units, "task.service"), taskService);
  symlinkSync("../task.service", join(units, "graphical.target.wants/task.service"));
  writeFileSync(join(stage, "etc/fstab"), fstab);
  writeFileSync(join(stage, "etc/machine-id"), "");
  writeFileSync(join(stage, "etc/hostname"), "guest\n");
  symlinkSync("/lib/systemd/systemd", join(stage, "init"));
}
