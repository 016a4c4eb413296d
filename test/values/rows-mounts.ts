/** Mounts: binds, volumes, tmpfs, images, and what each may be told. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { wholes, word } from "./generate.ts";
import { acts, prints, type Row } from "./row.ts";
import type { Fragment, Stage } from "./stage.ts";

const MIB = 1 << 20;
const targets = ["/mnt", "/a/b/c/d", "/with space", "/ünïcödé", `/${word(200)}`];

/** A directory of the host with a file, and below it a file system of its own. */
function source(stage: Stage, shared = false): string {
  const directory = mkdtempSync(join(stage.directory, "source-"));
  writeFileSync(join(directory, "file"), "content");
  mkdirSync(join(directory, "below"));
  if (shared)
    for (const words of [["--bind", directory], ["--make-shared"]]) execFileSync("mount", [...words, directory]);
  execFileSync("mount", ["-t", "tmpfs", "below", join(directory, "below")]);
  writeFileSync(join(directory, "below/file"), "below");
  undo.push({ directory, shared });
  return directory;
}

const undo: { readonly directory: string; readonly shared: boolean }[] = [];

/** Their mounts are the host's: to be called before the stage closes. */
export function releaseSources(): void {
  for (const { directory, shared } of undo.splice(0))
    for (const path of [join(directory, "below"), ...(shared ? [directory] : [])]) execFileSync("umount", ["-l", path]);
}

const mount = (fields: Fragment): Fragment => ({ HostConfig: { Mounts: [{ Target: "/mnt", ...fields }] } });
const bind = (stage: Stage, fields: Fragment, shared = false): Fragment =>
  mount({ Type: "bind", Source: source(stage, shared), ...fields });
const volume = (options: Fragment, fields: Fragment = {}): Fragment =>
  mount({ Type: "volume", VolumeOptions: options, ...fields });

const readOrWrite = 'touch "$MNT/new" 2>/dev/null && echo rw || echo ro';
const both = "for p in /mnt /mnt/below; do touch $p/new 2>/dev/null && echo rw || echo ro; done | xargs echo";

/** Of a mount in the container, by its target: the optional fields of mountinfo without numbers. */
const propagationScript = "grep ' /mnt ' /proc/self/mountinfo | grep -o -e shared -e master -e unbindable | xargs echo";

/** [as -v writes it behind the source, the script, what it prints] */
const bindOptions: readonly (readonly [string, string, string])[] = [
  ["/mnt", "cat /mnt/file", "content"],
  ["/mnt:rw", `MNT=/mnt; ${readOrWrite}`, "rw"],
  ["/mnt:ro", both, "ro ro"],
  ["/mnt/file:ro", "ls -d /mnt/file", "/mnt/file"],
  ["/mnt:z", `MNT=/mnt; ${readOrWrite}`, "rw"],
  ["/mnt:Z,ro", `MNT=/mnt; ${readOrWrite}`, "ro"],
  ["/mnt:cached,rw", `MNT=/mnt; ${readOrWrite}`, "rw"],
  ["/mnt:delegated", "cat /mnt/file", "content"],
  ["/mnt:consistent", "cat /mnt/file", "content"],
  ["/mnt:private", propagationScript, ""],
  ["/mnt:rprivate", propagationScript, ""],
  ["/mnt:slave", propagationScript, "master"],
  ["/mnt:rslave", propagationScript, "master"],
  ["/mnt:shared", propagationScript, "shared"],
  ["/mnt:rshared", propagationScript, "shared"],
  ["/mnt:ro,rslave", `${propagationScript}; ${both}`, "master\nro ro"],
  ["/with space/ünïcödé", "cat '/with space/ünïcödé/file'", "content"],
  ["/a/../b/./c/", "cat /b/c/file", "content"],
];

/** [as -v writes a volume, the script, what it prints]: "values-source" has nothing in it, /srv of the image has. */
const volumeBinds: readonly (readonly [string, string, string])[] = [
  ["values-binds:/srv", "cat /srv/deep/file", "two"],
  ["values-binds:/srv:nocopy", "find /srv -type f | wc -l", "0"],
  ["values-binds:/srv:ro", "cat /srv/deep/file; touch /srv/x 2>/dev/null || echo ro", "tworo"],
  ["values-binds:/srv:ro,nocopy,z", "touch /srv/x 2>/dev/null || echo ro", "ro"],
  ["/srv", "cat /srv/deep/file; touch /srv/x && echo rw", "tworw"],
];

export const mountRows: Readonly<Record<string, Row>> = {
  "HostConfig.Binds[]": {
    trials: [
      ...acts(
        bindOptions,
        async ([written, script], stage) =>
          (
            await stage.printed({
              Cmd: ["sh", "-c", script],
              HostConfig: { Binds: [`${source(stage, /slave|shared/.test(written))}:${written}`] },
            })
          ).trim(),
        ([, , printed]) => printed,
      ).trials,
      ...acts(
        volumeBinds,
        async ([written, script], stage) => {
          const ask = { Image: stage.image("two"), Cmd: ["sh", "-c", script], HostConfig: { Binds: [written] } };
          const printed = await stage.printed(ask);
          if (written.startsWith("values-binds")) await stage.product.engine.volumes.remove("values-binds");
          return printed;
        },
        ([, , printed]) => printed,
      ).trials,
    ],
  },
  "HostConfig.Tmpfs.*": prints(
    [
      "",
      "size=1m",
      "size=1024k",
      "size=1048576",
      "size=1m,mode=700",
      "ro",
      "rw",
      "noexec",
      "exec",
      "nr_inodes=10",
      "uid=1000,gid=1000",
      "suid",
      "dev",
      "suid,dev,exec",
      "noatime",
      "strictatime",
      "nodiratime",
    ],
    (options) => ({ HostConfig: { Tmpfs: { "/mnt": options } } }),
    "grep ' /mnt ' /proc/self/mountinfo | sed 's/.* //; s/,inode64//'; stat -c '%a %u %g' /mnt; grep ' /mnt ' /proc/self/mountinfo | cut -d' ' -f6",
    (options) => {
      const owner = options.includes("uid=") ? "1000 1000" : "0 0";
      const mode = options.includes("mode=700") ? "700" : "1777";
      const superblock = [
        "rw",
        ...(options.includes("size") ? ["size=1024k"] : []),
        ...(options.includes("nr_inodes") ? ["nr_inodes=10"] : []),
        ...(mode === "700" ? ["mode=700"] : []),
        ...(options.includes("uid=") ? ["uid=1000", "gid=1000"] : []),
      ].join(",");
      const words = options.split(",");
      const closed = ["suid", "dev", "exec"].filter((word) => !words.includes(word)).map((word) => `,no${word}`);
      const times = words.includes("noatime") ? ",noatime" : words.includes("strictatime") ? "" : ",relatime";
      const directories = words.includes("nodiratime") ? ",nodiratime" : "";
      const [at, relative] = times === ",relatime" ? ["", times] : [times, ""];
      const flags = `${options === "ro" ? "ro" : "rw"}${closed.join("")}${at}${directories}${relative}`;
      return `${superblock}\n${mode} ${owner}\n${flags}`;
    },
  ),
  "HostConfig.VolumesFrom[]": prints(
    ["", ":ro", ":rw"],
    (mode) => ({ HostConfig: { VolumesFrom: [`values-neighbour${mode}`] } }),
    `cat /donated/file; MNT=/donated; ${readOrWrite}`,
    (mode) => `given\n${mode === ":ro" ? "ro" : "rw"}`,
  ),
  "HostConfig.VolumeDriver": acts(
    ["local", ""],
    (VolumeDriver, stage) =>
      stage
        .running({ HostConfig: { VolumeDriver, Binds: ["values-driver:/mnt"] } }, async (seen) => {
          const { Driver } = await stage.product.engine.volumes.inspect("values-driver");
          await seen.inside("touch /mnt/there");
          return Driver;
        })
        .finally(() => stage.product.engine.volumes.remove("values-driver")),
    "local",
  ),
  "HostConfig.Mounts[].Target": prints(
    targets,
    (Target) => mount({ Type: "tmpfs", Target }),
    'test "$(stat -c %d "$1")" != "$(stat -c %d "$1/..")" && echo mounted',
    "mounted",
  ),
  "HostConfig.Mounts[].Source": prints(
    ["a directory", "a file", "a volume"],
    (what, stage) => {
      if (what === "a volume") return mount({ Type: "volume", Source: "values-source" });
      const directory = source(stage);
      return mount({ Type: "bind", Source: what === "a file" ? `${directory}/file` : directory });
    },
    "if test -d /mnt; then ls /mnt | xargs echo; else cat /mnt; fi",
    (what) => ({ "a directory": "below file", "a file": "content", "a volume": "" })[what] ?? "",
  ),
  "HostConfig.Mounts[].Type": prints(
    ["bind", "volume", "tmpfs", "image"],
    (Type, stage) => {
      if (Type === "bind") return bind(stage, {});
      return mount({ Type, ...(Type === "image" ? { Source: stage.image("two") } : {}) });
    },
    "test -e /mnt/file && cat /mnt/file || cat /mnt/etc/which 2>/dev/null || grep ' /mnt ' /proc/self/mountinfo | sed 's/.* - //' | cut -d' ' -f1",
    (type) => ({ bind: "content", image: "two", tmpfs: "tmpfs" })[type] ?? dataFileSystem(),
  ),
  "HostConfig.Mounts[].ReadOnly": prints(
    [true, false],
    (ReadOnly) => mount({ Type: "volume", ReadOnly }),
    `MNT=/mnt; ${readOrWrite}`,
    (value) => (value ? "ro" : "rw"),
  ),
  // A hint for file systems that are shared with a virtual machine; on Linux every mount is as consistent as can be.
  "HostConfig.Mounts[].Consistency": prints(
    ["", "default", "consistent", "cached", "delegated"],
    (Consistency, stage) => bind(stage, { Consistency }),
    "cat /mnt/file",
    "content",
  ),
  "HostConfig.Mounts[].BindOptions.Propagation": prints(
    ["", "private", "rprivate", "shared", "rshared", "slave", "rslave"],
    (Propagation, stage) => bind(stage, { BindOptions: { Propagation } }, true),
    propagationScript,
    (value) => (value.includes("shared") ? "shared" : value.includes("slave") ? "master" : ""),
  ),
  "HostConfig.Mounts[].BindOptions.NonRecursive": prints(
    [true, false],
    (NonRecursive, stage) => bind(stage, { BindOptions: { NonRecursive } }),
    "cat /mnt/below/file 2>/dev/null || echo empty",
    (value) => (value ? "empty" : "below"),
  ),
  "HostConfig.Mounts[].BindOptions.CreateMountpoint": acts(
    [true],
    async (CreateMountpoint, stage) => {
      const made = `${source(stage)}/made/here`;
      const host = mount({ Type: "bind", Source: made, BindOptions: { CreateMountpoint } });
      await stage.printed({ ...host, Cmd: ["touch", "/mnt/x"] });
      return String(existsSync(`${made}/x`));
    },
    "true",
  ),
  "HostConfig.Mounts[].BindOptions.ReadOnlyNonRecursive": prints(
    [true, false],
    (ReadOnlyNonRecursive, stage) => bind(stage, { ReadOnly: true, BindOptions: { ReadOnlyNonRecursive } }),
    both,
    (value) => (value ? "ro rw" : "ro ro"),
  ),
  "HostConfig.Mounts[].BindOptions.ReadOnlyForceRecursive": prints(
    [true],
    (ReadOnlyForceRecursive, stage) =>
      bind(stage, { ReadOnly: true, BindOptions: { ReadOnlyForceRecursive, Propagation: "rprivate" } }),
    both,
    "ro ro",
  ),
  "HostConfig.Mounts[].VolumeOptions.NoCopy": prints(
    [true, false],
    (NoCopy, stage) => ({ Image: stage.image("two"), ...volume({ NoCopy }, { Target: "/srv" }) }),
    "find /srv -type f | xargs -r cat",
    (value) => (value ? "" : "two"),
  ),
  "HostConfig.Mounts[].VolumeOptions.Labels.*": acts(
    [{ kind: "seen" }, { a: "", "b.c": "\u{1f40b}" }],
    (Labels, stage) =>
      stage
        .running(volume({ Labels }, { Source: "values-labels" }), async () =>
          JSON.stringify((await stage.product.engine.volumes.inspect("values-labels")).Labels),
        )
        .finally(() => stage.product.engine.volumes.remove("values-labels")),
    (labels) => JSON.stringify(labels),
  ),
  "HostConfig.Mounts[].VolumeOptions.DriverConfig.Name": acts(
    ["local", ""],
    (Name, stage) =>
      stage
        .running(
          volume({ DriverConfig: { Name } }, { Source: "values-driver" }),
          async () => (await stage.product.engine.volumes.inspect("values-driver")).Driver,
        )
        .finally(() => stage.product.engine.volumes.remove("values-driver")),
    "local",
  ),
  "HostConfig.Mounts[].VolumeOptions.DriverConfig.Options.*": prints(
    ["size=1m", "size=2m,mode=700"],
    (o) => volume({ DriverConfig: { Name: "local", Options: { type: "tmpfs", device: "tmpfs", o } } }),
    "df /mnt | tail -1 | tr -s ' ' | cut -d' ' -f1,2",
    (o) => `tmpfs ${o.startsWith("size=1m") ? 1024 : 2048}`,
  ),
  "HostConfig.Mounts[].VolumeOptions.Subpath": prints(
    ["part", "part/of/it"],
    async (Subpath, stage) => {
      await stage.printed({
        ...mount({ Type: "volume", Source: "values-parts" }),
        Cmd: ["mkdir", "-p", "/mnt/part/of/it"],
      });
      await stage.printed({
        ...mount({ Type: "volume", Source: "values-parts" }),
        Cmd: ["touch", `/mnt/${Subpath}/mark`],
      });
      return volume({ Subpath }, { Source: "values-parts" });
    },
    "ls /mnt/mark; rm /mnt/mark",
    "/mnt/mark",
  ),
  "HostConfig.Mounts[].ImageOptions.Subpath": prints(
    ["srv", "srv/deep"],
    (Subpath, stage) => mount({ Type: "image", Source: stage.image("two"), ImageOptions: { Subpath } }),
    "find /mnt -type f",
    (value) => (value === "srv" ? "/mnt/deep/file" : "/mnt/file"),
  ),
  "HostConfig.Mounts[].TmpfsOptions.SizeBytes": prints(
    wholes(4096, 64 * MIB, 4096),
    (SizeBytes) => mount({ Type: "tmpfs", TmpfsOptions: { SizeBytes } }),
    "df -k /mnt | tail -1 | tr -s ' ' | cut -d' ' -f2",
    (value) => String(value / 1024),
  ),
  "HostConfig.Mounts[].TmpfsOptions.Mode": prints(
    [0o1777, 0o700, 0o1, 0o7777],
    (Mode) => mount({ Type: "tmpfs", TmpfsOptions: { Mode } }),
    "stat -c %a /mnt",
    (value) => value.toString(8),
  ),
  "HostConfig.Mounts[].TmpfsOptions.Options[][]": prints(
    ["noexec", "exec"],
    (option) => mount({ Type: "tmpfs", TmpfsOptions: { Options: [[option]] } }),
    "grep ' /mnt ' /proc/self/mountinfo | grep -c noexec",
    (option) => (option === "noexec" ? "1" : "0"),
  ),
  "HostConfig.ReadonlyRootfs": prints(
    [true, false],
    (ReadonlyRootfs) => ({ HostConfig: { ReadonlyRootfs } }),
    `MNT=; ${readOrWrite}`,
    (value) => (value ? "ro" : "rw"),
  ),
  "HostConfig.ShmSize": prints(
    wholes(4096, 1024 * MIB, 4096),
    (ShmSize) => ({ HostConfig: { ShmSize } }),
    "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2",
    (value) => String(value / 1024),
  ),
  "HostConfig.MaskedPaths[]": prints(
    ["/proc/meminfo", "/etc", "/etc/passwd", "/nowhere", ""],
    // "": none at all, so that what is hidden otherwise is seen.
    (path) => ({ HostConfig: { MaskedPaths: path === "" ? [] : [path] } }),
    'test -n "$1" || set -- /proc/keys; if test -d "$1"; then ls "$1" | wc -l; elif test -e "$1"; then wc -c <"$1" | sed "s/[1-9][0-9]*/some/"; else echo absent; fi',
    (path) => ({ "/nowhere": "absent", "": "some" })[path] ?? "0",
  ),
  "HostConfig.ReadonlyPaths[]": prints(
    ["/etc", "/tmp", "/etc/passwd", ""],
    (path) => ({ HostConfig: { ReadonlyPaths: path === "" ? [] : [path] } }),
    'if test -z "$1"; then grep -c " /proc/sys ro," /proc/mounts; exit; fi; if test -d "$1"; then touch "$1/x" 2>/dev/null; else echo >>"$1"; fi && echo rw || echo ro',
    (path) => (path === "" ? "0" : "ro"),
  ),
};

/** Where the state directory lies: what a volume without options is. */
function dataFileSystem(): string {
  const lines = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  const found =
    lines.findLast(([, target = ""]) => target === "/tmp") ?? lines.findLast(([, target = ""]) => target === "/");
  return found?.[2] ?? "";
}
