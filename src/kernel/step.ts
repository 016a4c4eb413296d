/**
 * The steps: everything Orlop ever asks of the kernel beyond its own state files. One step is one action of the executor
 * (`native/steps.c` has the same table: names and signatures; a test compares them).
 *
 * A plan is a list of steps: plain data, so it can be printed (`orlop explain`), compared with golden files, and tested
 * without root. `native/README.md` describes how it is sent.
 */

/** How an argument is encoded: `s` string without NUL, `n` unsigned 64-bit number, `b` bytes, `l` list of strings. */
export type ArgumentKind = "s" | "n" | "b" | "l";

type ArgumentValue = { s: string; n: number | bigint; b: Uint8Array; l: readonly string[] };

/**
 * Name → arguments in wire order.
 *
 * Host paths are resolved in the host's view. `root-*` steps take paths as the container will see them and act below the
 * root that `root` opened, by descriptor only, so that no link in the tree can lead out of it.
 */
export const stepTable = {
  // ── host side: files and directories ───────────────────────────────────────────────────────────────────────────────
  /** Make a directory, with parents; an existing one is no error. mode: of the last component. */
  mkdir: { path: "s", mode: "n" },
  /** Write to an existing file (cgroup, proc, sysfs): one `write(2)`, no create, no truncate. */
  write: { path: "s", data: "b" },
  /** As `write`, but a file or permission that is missing only counts as a warning (VALUE with the errno, decimal). */
  "try-write": { path: "s", data: "b" },
  /** Answer with the content of a file of at most 1 MiB (VALUE). */
  read: { path: "s" },
  /** Make a file with this content and mode, or replace one (written to a temporary name, then renamed). */
  file: { path: "s", mode: "n", data: "b" },
  /** Remove an empty directory; a cgroup with the groups below it, retrying EBUSY for up to 2 s. A missing one is no error. */
  rmdir: { path: "s" },
  /** Remove a file, or a tree without following links or crossing mounts; a missing one is no error. */
  remove: { path: "s" },
  /** Answer with the size of all files below these directories, decimal (VALUE), without following links or crossing mounts; each of a file's n names counts 1/n. A missing directory counts as empty. */
  usage: { paths: "l" },
  /** Unmount the topmost mount at this path, lazily; links are not followed. No error where nothing is mounted. */
  detach: { path: "s" },
  /** Set an owner on a path, links not followed. */
  chown: { path: "s", uid: "n", gid: "n" },
  /** Set FS_TOPDIR_FL on a directory: ext4 then places its subdirectories in different block groups. No error where the file system has no such flag. */
  spread: { path: "s" },

  // ── host side: cgroups and network ─────────────────────────────────────────────────────────────────────────────────
  /** Empty a cgroup v1 group: freeze, SIGKILL each task, thaw, until none is left (at most 10 s: ETIMEDOUT). tasks: the group's list; freezer: its freezer.state, "" = none. */
  "kill-group": { tasks: "s", freezer: "s" },
  /** Write to an existing file, again and again, until the file `state` has this line; ETIMEDOUT after timeoutMs. */
  "write-until": { path: "s", data: "b", state: "s", line: "s", timeoutMs: "n" },
  /** Load a BPF_PROG_TYPE_CGROUP_DEVICE program (array of 8-byte instructions) and attach it to a cgroup v2 directory. */
  "device-program": { group: "s", program: "b" },
  /** Send netlink messages of one protocol (NETLINK_ROUTE = 0) and check each acknowledgement. */
  netlink: { protocol: "n", messages: "b" },
  /** As `netlink`, but creating what exists and removing what is gone are no errors: for changes that may have been made before. */
  "try-netlink": { protocol: "n", messages: "b" },
  /** Send one netlink request with NLM_F_DUMP and answer with the kernel's list (VALUE; several for a long list, which `run` concatenates). */
  "netlink-list": { protocol: "n", message: "b" },
  /** getsockopt(2) on a raw socket with this data as its buffer; VALUE is the result. The only interface to iptables-legacy's rules. */
  "socket-option": { family: "n", protocol: "n", level: "n", option: "n", data: "b" },
  /** Unmount a path, and remove the empty file that was its mount point; a missing one is no error. */
  unmount: { path: "s" },
  /** Keep these files open for writing while the monitor lives: until then nobody can lease or execute them, which would block or fail other writers (fcntl(2), F_SETLEASE; ETXTBSY). */
  "keep-open": { paths: "l" },
  /** Start writing a range of a file to the disk, without waiting (sync_file_range(2)). sync: 1 = wait until the whole file is on the disk (fsync(2)). */
  "write-back": { path: "s", offset: "n", size: "n", sync: "n" },

  // ── host side: unpacking a layer ───────────────────────────────────────────────────────────────────────────────────
  // Paths and names are bytes, relative to the layer's directory, and must be clean: no empty part, no dots. Directories
  // on the way are never links. Times are Unix time in ns, signed (as two's complement). A plan unpacks one layer.
  /** Create memory that the sender writes and this task reads; answer with the path at which the sender opens it (VALUE). Once in a plan, at most 64 MiB. */
  "shared-memory": { size: "n" },
  /** Answer (empty VALUE) when all earlier steps were carried out: the shared memory that they read may be overwritten. */
  taken: {},
  /** Open this directory as the layer that the following steps fill. */
  layer: { path: "s" },
  /** A directory ("" = the layer's own); an existing one gets this metadata. */
  "layer-directory": { path: "b", mode: "n", uid: "n", gid: "n" },
  /** A file of this size; replaces what exists, unless that is a directory with entries. */
  "layer-file": { path: "b", mode: "n", uid: "n", gid: "n", mtimeNs: "n", size: "n" },
  /** Content of the last `layer-file`; ranges that are never written are holes. */
  "layer-data": { offset: "n", data: "b" },
  /** The same, with content at this offset of the shared memory. */
  "layer-shared-data": { offset: "n", at: "n", size: "n" },
  "layer-symlink": { path: "b", target: "b", uid: "n", gid: "n", mtimeNs: "n" },
  /** A hard link to this layer's entry at target. */
  "layer-link": { path: "b", target: "b" },
  /** A device or a named pipe. kind: S_IFCHR, S_IFBLK or S_IFIFO. */
  "layer-node": { path: "b", kind: "n", mode: "n", uid: "n", gid: "n", mtimeNs: "n", major: "n", minor: "n" },
  /** An extended attribute of the last entry. After its content, because writing removes security.capability. */
  "layer-xattr": { name: "b", value: "b" },
  /** Hides what the layers below have here: a character device 0:0, overlayfs's whiteout. */
  "layer-whiteout": { path: "b" },
  /** The directory ("" = the layer's own) shows nothing of the layers below: trusted.overlay.opaque. */
  "layer-opaque": { path: "b" },
  /** A directory's time, after everything in it was made. */
  "layer-time": { path: "b", mtimeNs: "n" },
  /** The layer is whole. sync: 1 = syncfs(2). */
  "layer-end": { sync: "n" },
  /** Instead of `layer`: a directory below the root that `root` opened, into which an archive is copied. Links on the way are followed, inside the root. */
  "layer-into": { path: "s" },
  /** After `layer-into`: a directory that the archive has entries in but no entry for. Made when missing; an existing one is left as it is. */
  "layer-parent": { path: "b" },
  /** Removes what exists at an entry's path if one of the two is a directory and the other is not, a whole tree if need be; strict 1: fails instead (EISDIR, ENOTDIR). directory: 1 = the entry is a directory. */
  "layer-place": { path: "b", directory: "n", strict: "n" },

  /** Copy these layers, merged (topmost first), to target; an existing target is left as it is. Blocks are shared where the file system can. */
  "copy-tree": { layers: "l", target: "s" },

  // ── host side: reading a tree out ──────────────────────────────────────────────────────────────────────────────────
  // Of the root that `root` opened, by descriptor. Answers are VALUEs of records (native/README.md, "A tree's records").
  /** The record of one path. follow: 1 = the last component too. */
  "tree-stat": { path: "s", follow: "n" },
  /** A host directory that the next `tree-walk` compares with, by name. */
  "tree-below": { path: "s" },
  /** The records of a path and everything below it. flags: 1 content, 2 compare, 4 also entries that only the compared directory has; sparse: a file with at least so many bytes of holes is sent as extents (0 never); enter: mount points that are entered, with those below. */
  "tree-walk": { path: "s", follow: "n", flags: "n", sparse: "n", enter: "l" },

  // ── host side: the monitor ─────────────────────────────────────────────────────────────────────────────────────────
  /** The container's standard streams. streams: 1 stdin, 2 stdout, 4 stderr get pipes (others: /dev/null); flags: 1 keep stdin open when a client half-closes; 2 a terminal (no pipes; the child's `terminal` step sends it). */
  stdio: { streams: "n", flags: "n" },
  /** Log of stdout and stderr: driver "json-file" or "local"; the file; rotation at maxSize bytes (0 never), keeping maxFiles files; flags: 1 never block on a slow disk: drop and count. */
  log: { driver: "s", path: "s", maxSize: "n", maxFiles: "n", flags: "n", buffer: "n", attributes: "b" },
  /** The path of the exit record (an earlier run's is removed); sync: 1 = fsync, unless an engine is connected at the exit, which stores the exit itself. wake: supervisor.sock, which gets WAKE when no engine is connected at the exit; "" = none. */
  "exit-record": { path: "s", sync: "n", wake: "s" },
  /** Listen for control and attach connections on this unix socket (mode 0600). */
  listen: { path: "s" },
  /** Report out-of-memory kills. events: the cgroup's file with the line "oom_kill N"; control: its cgroup.event_control (v1), "" on v2, where the file can be polled. Nothing is reported when they are missing. */
  "watch-memory": { events: "s", control: "s" },
  /** A process whose namespaces the child will `join`, at most 3. started: clock ticks since boot, field 22 of /proc/PID/stat; ESRCH when the pid was reused by another process. */
  target: { pid: "n", started: "n" },
  /** SIGKILL to a `target` of this plan (0: the first); one that has ended is no error. */
  "kill-target": { target: "n" },
  /** clone3 with these namespace flags (CLONE_NEW*); the next `steps` steps run in the child. group: cgroup v2 directory for CLONE_INTO_CGROUP, or "". At most once in a plan. */
  spawn: { flags: "n", group: "s", steps: "n" },
  /** In the parent, after `spawn`: write the child's uid_map and gid_map ("0 1000 1\n" lines), setgroups "deny" first when deny = 1. */
  "id-map": { uidMap: "s", gidMap: "s", deny: "n" },
  /** In the parent, after `spawn`: ends the child's `await`. */
  release: {},
  /** In the parent, after `spawn` and its steps: the next `steps` steps are the child's too; ends its `ready` once all of them have arrived. */
  continue: { steps: "n" },

  // ── both sides ─────────────────────────────────────────────────────────────────────────────────────────────────────
  /** unshare(2) of these namespaces. */
  unshare: { flags: "n" },
  /** Join an existing namespace: setns(2) on a path such as /proc/7/ns/net, or "" for the network namespace that this process has left. A PID namespace needs its flag, and takes effect (by a fork) before the child's next step that enters no namespace. */
  setns: { path: "s", flags: "n" },
  /** Join these namespaces of a `target` (0: the first) at once. Then all descriptors of the host are closed; with CLONE_NEWPID it forks as after `setns`. */
  join: { target: "n", flags: "n" },
  /** In the child, after a `join` with flag 1: fork into the PID namespace, whose processes can see this one from then on. session: 1 = setsid. */
  enter: { session: "n" },

  // ── child side, before pivot ───────────────────────────────────────────────────────────────────────────────────────
  /** Wait for the parent's `release` (id maps are written). Then become uid 0 and gid 0 of the user namespace when there is one. */
  await: {},
  /** Change the propagation of the whole mount tree, e.g. MS_REC|MS_SLAVE. */
  propagation: { path: "s", flags: "n" },
  /** Copy a host path's mount, for a later `root-bind` with flag 8. Before `propagation`, so that the copy stays in the host's peer group. flags: 1 recursive. */
  hold: { source: "s", flags: "n" },
  /** Mount an overlay on a host directory. lowers: topmost first; upper and work "" = read-only; options: "volatile", "userxattr", "metacopy=off" … */
  overlay: { target: "s", lowers: "l", upper: "s", work: "s", options: "l" },
  /** Mount a file system on a host path (before `root`). options: "key=value" or "key". attributes: MOUNT_ATTR_*. */
  mount: { fstype: "s", source: "s", target: "s", attributes: "n", options: "l" },
  /** Bind-mount a host path on a host path. flags: 1 recursive. set, clear: MOUNT_ATTR_*, recursive with flag 2. */
  bind: { source: "s", target: "s", flags: "n", set: "n", clear: "n" },
  /** Open this host directory as the new root for `root-*` steps and `pivot`. */
  root: { path: "s" },
  /** Mount a file system in the root; a missing mount point is made. attributes: MOUNT_ATTR_*. */
  "root-mount": { fstype: "s", source: "s", target: "s", attributes: "n", options: "l" },
  /** Move a mount that only this namespace has, with all mounts below it, from a host path into the root; a missing mount point is made. */
  "root-move": { source: "s", target: "s" },
  /** Bind-mount a host path in the root; a missing mount point is made (a file for a file). flags and attributes as for `bind`; 4: propagation recursive; 8: the next mount that `hold` copied, in order; propagation: MS_* or 0. */
  "root-bind": { source: "s", target: "s", flags: "n", set: "n", clear: "n", propagation: "n" },
  /** As `root-bind`, of a path below the source, in which containers may be making changes: no link leads out of the source. */
  "root-bind-below": { source: "s", below: "s", target: "s", flags: "n", set: "n", clear: "n", propagation: "n" },
  /** Copy a directory of the root into an empty host directory, with owners, modes, times, extended attributes, hard links and holes, without mounts below it. A missing source is no error. sync: 1 = syncfs(2). */
  "root-copy": { source: "s", target: "s", sync: "n" },
  /** Make a directory in the root, with parents; an existing one is no error. */
  "root-mkdir": { path: "s", mode: "n" },
  /** Make a symbolic link in the root; an existing entry is replaced only if it is a link. */
  "root-symlink": { target: "s", path: "s" },
  /** Make a device node in the root; where mknod is refused (user namespace) the verified host node `source` is bind-mounted instead. kind: S_IFCHR, S_IFBLK or S_IFIFO. */
  "root-mknod": { path: "s", kind: "n", mode: "n", major: "n", minor: "n", uid: "n", gid: "n", source: "s" },
  /** Write a file in the root (hosts, hostname, resolv.conf); made when missing. */
  "root-file": { path: "s", mode: "n", data: "b" },
  /** Mask a path: a file by a verified /dev/null (1:3), a directory by an empty read-only tmpfs. A missing path is no error. */
  "root-mask": { path: "s" },
  /** Make a path read-only by a recursive bind mount on itself. A missing path is no error. */
  "root-readonly": { path: "s" },
  /** Set attributes of the mount at this mount point ("/": the root mount itself; not recursive), e.g. MOUNT_ATTR_RDONLY. */
  "root-attributes": { path: "s", set: "n", clear: "n" },
  /** sysctl of the new namespaces, through a private procfs: key "net.ipv4.ip_forward" as a path "net/ipv4/ip_forward". */
  sysctl: { key: "s", value: "s" },
  /** pivot_root to the opened root, detach the old one; then chdir "/". propagation: MS_* of the new root mount, or 0. */
  pivot: { propagation: "n" },

  // ── child side, anywhere ───────────────────────────────────────────────────────────────────────────────────────────
  hostname: { name: "s" },
  domainname: { name: "s" },
  /** oom_score_adj of this process, through a private procfs. Lowering needs CAP_SYS_RESOURCE: then EACCES. */
  "oom-score": { score: "s" },
  /** setrlimit. resource: RLIMIT_*; 2^64-1 = unlimited. */
  rlimit: { resource: "n", soft: "n", hard: "n" },
  umask: { mask: "n" },
  /** Join a new session keyring of this name; no error on a kernel without keyrings. */
  keyring: { name: "s" },
  /** A terminal: setsid, a new pty of the container's own devpts, sent to the monitor, controlling terminal, stdio. After `pivot`, before `user`. uid: owner of the pty (its group stays the devpts's); console: 1 = bind-mount it on /dev/console. rows and columns: 0 = unchanged. */
  terminal: { rows: "n", columns: "n", uid: "n", console: "n" },
  /** setsid, then the pipes of `stdio`, or /dev/null, as descriptors 0, 1, 2; the pipes get this owner, so that /dev/stdout can be opened again. After `pivot`, for the container's own /dev/null, and before `user`. */
  "attach-stdio": { uid: "n", gid: "n" },
  /** PR_CAPBSET_DROP of everything that is not in the mask. */
  bounding: { mask: "n" },
  /** setgroups, setgid, setuid with PR_SET_KEEPCAPS. groups: decimal gids. */
  user: { uid: "n", gid: "n", groups: "l" },
  /** capset; then the ambient set. Masks of 1 << CAP_*. */
  capabilities: { effective: "n", permitted: "n", inheritable: "n", ambient: "n" },
  "no-new-privileges": {},
  /** seccomp(SECCOMP_SET_MODE_FILTER): program is an array of 8-byte sock_filter. flags: SECCOMP_FILTER_FLAG_*. */
  seccomp: { flags: "n", program: "b" },
  /** chdir, then check that getcwd is absolute and inside (CVE-2024-21626). make: 1 = make it when missing. */
  cwd: { path: "s", make: "n" },
  /** Wait for the steps of `continue`. */
  ready: {},
  /** Wait for GO. */
  gate: {},
  /** Open this program for `init`. Before `pivot`, while the host's /proc is visible. */
  "open-init": {},
  /** As `exec`, in a child; this process becomes the init, which forwards signals and reaps orphans. argv: the init's own. Never returns. */
  init: { argv: "l", program: "l", env: "l" },
  /** close_range from 3, reset signals, execve; a name without "/" is looked up in the environment's PATH. Never returns. */
  exec: { argv: "l", env: "l" },
} as const satisfies Record<string, Readonly<Record<string, ArgumentKind>>>;

export type StepName = keyof typeof stepTable;

type Arguments<N extends StepName> = {
  readonly [A in keyof (typeof stepTable)[N]]: (typeof stepTable)[N][A] extends ArgumentKind
    ? ArgumentValue[(typeof stepTable)[N][A]]
    : never;
};

/** One kernel action: its name, its arguments, and `why`: the reason this one is in this plan, for `orlop explain`. */
export type Step = { readonly [N in StepName]: { readonly op: N; readonly why: string } & Arguments<N> }[StepName];

/** The arguments' kinds in wire order, e.g. "ssnl", as in the executor's table. */
export function signatureOf(name: StepName): string {
  return Object.values(stepTable[name]).join("");
}
