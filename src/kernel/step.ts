/**
 * The steps: everything Orlop ever asks of the kernel beyond its own state files. One step is one action of the executor
 * (`native/steps.c` has the same table: names and signatures; a test compares them).
 *
 * A plan is a list of steps: plain data, so it can be printed (`orlop explain`), compared with golden files, and tested
 * without root. `native/README.md` draws how it travels.
 */

/** How an argument travels: `s` string without NUL, `n` unsigned 64-bit number, `b` bytes, `l` list of strings. */
export type ArgumentKind = "s" | "n" | "b" | "l";

type ArgumentValue = { s: string; n: number | bigint; b: Uint8Array; l: readonly string[] };

/**
 * Name → arguments in wire order.
 *
 * Host paths are resolved in the host's view. `root-*` steps take paths as the container will see them and act below the
 * root that `root` opened, by descriptor only, so that no link in the tree can lead out (posture rule 1).
 */
export const stepTable = {
  // ── host side: files and directories ───────────────────────────────────────────────────────────────────────────────
  /** Make a directory, parents included; one that exists is fine. mode: of the last component. */
  mkdir: { path: "s", mode: "n" },
  /** Write to an existing file (cgroup, proc, sysfs): one `write(2)`, no create, no truncate. */
  write: { path: "s", data: "b" },
  /** As `write`, but a file or permission that is missing only counts as a warning (VALUE with the errno, decimal). */
  "try-write": { path: "s", data: "b" },
  /** Answer with the content of a file of at most 1 MiB (VALUE). */
  read: { path: "s" },
  /** Make a file with this content, mode and owner; replaces one that exists (write to a temporary name, rename). */
  file: { path: "s", mode: "n", data: "b" },
  /** Remove an empty directory; a cgroup with the groups below it, retrying EBUSY for up to 2 s. One that is missing is fine. */
  rmdir: { path: "s" },
  /** Remove a file, or a tree without following links or crossing mounts; one that is missing is fine. */
  remove: { path: "s" },
  /** Answer with the size of all files below these directories, decimal (VALUE): no links followed, no mounts crossed; of a file with several names each counts its part. A missing one has none. */
  usage: { paths: "l" },
  /** Take the topmost mount at this path away, lazily; links are not followed. Where nothing is mounted, fine. */
  detach: { path: "s" },
  /** Set an owner on a path, links not followed. */
  chown: { path: "s", uid: "n", gid: "n" },
  /** Tell the file system that each directory in this one is the top of a hierarchy of its own (FS_TOPDIR_FL): ext4 lays those in different parts of the disk. Others know no such thing, which is fine. */
  spread: { path: "s" },

  // ── host side: cgroups and network ─────────────────────────────────────────────────────────────────────────────────
  /** Empty a cgroup v1 group: freeze, SIGKILL each task, thaw, until none is left (at most 10 s: ETIMEDOUT). tasks: the group's list; freezer: its freezer.state, "" = none. */
  "kill-group": { tasks: "s", freezer: "s" },
  /** Write to an existing file, again and again, until the file `state` has this line (at most so long: ETIMEDOUT). */
  "write-until": { path: "s", data: "b", state: "s", line: "s", timeoutMs: "n" },
  /** Load a BPF_PROG_TYPE_CGROUP_DEVICE program (array of 8-byte instructions) and attach it to a cgroup v2 directory. */
  "device-program": { group: "s", program: "b" },
  /** Send netlink messages of one protocol (NETLINK_ROUTE = 0) and check each acknowledgement. */
  netlink: { protocol: "n", messages: "b" },
  /** As `netlink`, but what is there already, or gone already, is fine: for what may have been done once before. */
  "try-netlink": { protocol: "n", messages: "b" },
  /** Send one netlink request with NLM_F_DUMP and answer with what the kernel lists (VALUE; several for a long list, which are one value for who runs the plan). */
  "netlink-list": { protocol: "n", message: "b" },
  /** getsockopt(2) on a raw socket, with this data to begin with: VALUE is what it is then. For what the kernel says by no other door. */
  "socket-option": { family: "n", protocol: "n", level: "n", option: "n", data: "b" },
  /** Detach what is mounted on a path, and remove the empty file it was mounted on; one that is missing is fine. */
  unmount: { path: "s" },
  /** Keep these files open for writing as long as the monitor lives: meanwhile nobody can lease or execute them, which would keep everybody else from writing (fcntl(2), F_SETLEASE; ETXTBSY). */
  "keep-open": { paths: "l" },
  /** Of a file that somebody writes: the disk begins to write this part, and nobody waits for it (sync_file_range(2)). sync: 1 = all of it is on the disk (fsync(2)). */
  "write-back": { path: "s", offset: "n", size: "n", sync: "n" },

  // ── host side: unpacking a layer ───────────────────────────────────────────────────────────────────────────────────
  // Paths and names are bytes, relative to the layer's directory, and must be clean: no empty part, no dots. Directories
  // on the way are never links. Times are Unix time in ns, signed (as two's complement). A plan unpacks one layer.
  /** Make memory that the sender maps and this task reads; answer with the path where it is opened (VALUE). Once in a plan, at most 64 MiB. */
  "shared-memory": { size: "n" },
  /** Answer (VALUE, empty) when everything before is carried out: what it took from shared memory may be written over. */
  taken: {},
  /** Open this directory as the layer that the following steps fill. */
  layer: { path: "s" },
  /** A directory ("" = the layer's own); one that is there is given this metadata. */
  "layer-directory": { path: "b", mode: "n", uid: "n", gid: "n" },
  /** A file of this size; it takes the place of what is there, unless that is a directory with content. */
  "layer-file": { path: "b", mode: "n", uid: "n", gid: "n", mtimeNs: "n", size: "n" },
  /** Content of the last `layer-file`; what is left out is a hole. */
  "layer-data": { offset: "n", data: "b" },
  /** The same, of content that lies at this place of the shared memory. */
  "layer-shared-data": { offset: "n", at: "n", size: "n" },
  "layer-symlink": { path: "b", target: "b", uid: "n", gid: "n", mtimeNs: "n" },
  /** A hard link to what this layer has at target. */
  "layer-link": { path: "b", target: "b" },
  /** A device or a named pipe. kind: S_IFCHR, S_IFBLK or S_IFIFO. */
  "layer-node": { path: "b", kind: "n", mode: "n", uid: "n", gid: "n", mtimeNs: "n", major: "n", minor: "n" },
  /** An extended attribute of the last entry, after its content: writing would take security.capability away. */
  "layer-xattr": { name: "b", value: "b" },
  /** What the layers below have here is gone: a character device 0:0 for overlayfs. */
  "layer-whiteout": { path: "b" },
  /** The directory ("" = the layer's own) shows nothing of the layers below: trusted.overlay.opaque. */
  "layer-opaque": { path: "b" },
  /** A directory's time, once everything in it is made. */
  "layer-time": { path: "b", mtimeNs: "n" },
  /** The layer is whole. sync: 1 = syncfs(2). */
  "layer-end": { sync: "n" },
  /** Instead of `layer`: a directory of the root that `root` opened, where somebody copies files in. Links on the way are followed, inside the root. */
  "layer-into": { path: "s" },
  /** After `layer-into`: a directory that entries lie in and none describes: made where it is missing, else left as it is. */
  "layer-parent": { path: "b" },
  /** Makes room for an entry: what is there and is not of its kind goes, a whole tree if need be; strict: refused instead, EISDIR or ENOTDIR. directory: 1 = one comes here. */
  "layer-place": { path: "b", directory: "n", strict: "n" },

  /** What these layers show together (the topmost first), copied to target; once: a target that is there is left alone. Blocks are shared where the file system can. */
  "copy-tree": { layers: "l", target: "s" },

  // ── host side: reading a tree out ──────────────────────────────────────────────────────────────────────────────────
  // Of the root that `root` opened, by descriptor. Answers are VALUEs of records (native/README.md, "A tree's records").
  /** What a path names. follow: 1 = the last link too. */
  "tree-stat": { path: "s", follow: "n" },
  /** A host directory that the next `tree-walk` compares with, name by name. */
  "tree-below": { path: "s" },
  /** What a path names and everything below it. flags: 1 content, 2 compare, 4 tell what is below alone; sparse: from how many bytes of holes on a file's extents are told (0 never); enter: the mounts that are looked into, with all below them. */
  "tree-walk": { path: "s", follow: "n", flags: "n", sparse: "n", enter: "l" },

  // ── host side: the monitor ─────────────────────────────────────────────────────────────────────────────────────────
  /** What the container's stdio is. streams: 1 stdin, 2 stdout, 4 stderr get pipes (others: /dev/null); flags: 1 keep stdin open when a client half-closes; 2 a terminal (no pipes; the child's `terminal` step sends it). */
  stdio: { streams: "n", flags: "n" },
  /** Log of stdout and stderr: driver "json-file" or "local"; the file; rotation at maxSize bytes (0 never), keeping maxFiles files; flags: 1 never block on a slow disk: drop and count. */
  log: { driver: "s", path: "s", maxSize: "n", maxFiles: "n", flags: "n", buffer: "n", attributes: "b" },
  /** Where the exit record goes (an earlier run's is removed); sync: 1 = fsync it when no engine is connected at the exit, which would write the end down itself. wake: supervisor.sock, told WAKE when no engine is connected at the exit; "" = nobody. */
  "exit-record": { path: "s", sync: "n", wake: "s" },
  /** Listen for control and attach connections on this unix socket (mode 0600). */
  listen: { path: "s" },
  /** Tell when memory runs out. events: the group's file with the line "oom_kill N"; control: its cgroup.event_control (v1), "" where the file itself tells. Files that are not there: nothing is told. */
  "watch-memory": { events: "s", control: "s" },
  /** A process whose namespaces the child will `join`, at most 3. started: clock ticks since boot, field 22 of /proc/PID/stat: another process with its number is ESRCH. */
  target: { pid: "n", started: "n" },
  /** SIGKILL to a `target` (0: the first) of this plan; one that has ended is fine. */
  "kill-target": { target: "n" },
  /** clone3 with these namespace flags (CLONE_NEW*); the next `steps` steps run in the child. group: cgroup v2 directory for CLONE_INTO_CGROUP, or "". At most once in a plan. */
  spawn: { flags: "n", group: "s", steps: "n" },
  /** In the parent, after `spawn`: write the child's uid_map and gid_map ("0 1000 1\n" lines), setgroups "deny" first when deny = 1. */
  "id-map": { uidMap: "s", gidMap: "s", deny: "n" },
  /** In the parent, after `spawn`: let the child go on from its `await`. */
  release: {},
  /** In the parent, after `spawn` and its steps: the next `steps` steps are the child's too, which goes on from its `ready` once all of them are there. */
  continue: { steps: "n" },

  // ── both sides ─────────────────────────────────────────────────────────────────────────────────────────────────────
  /** unshare(2) of these namespaces. */
  unshare: { flags: "n" },
  /** Join an existing namespace: setns(2) on a path such as /proc/7/ns/net, or "" for the network namespace that this process has left. A PID namespace needs its flag; the child is in it from its next step on that enters none. */
  setns: { path: "s", flags: "n" },
  /** Join these namespaces of a `target` (0: the first), all at once. Then whatever of the host is open in this process is closed; with CLONE_NEWPID it forks as after `setns`. */
  join: { target: "n", flags: "n" },
  /** In the child, behind a `join` with flag 1: fork into the PID namespace, where others see this process from then on. session: 1 = setsid. */
  enter: { session: "n" },

  // ── child side, before pivot ───────────────────────────────────────────────────────────────────────────────────────
  /** Wait for the parent's `release` (id maps are written). Then become uid 0 and gid 0 of the user namespace when there is one. */
  await: {},
  /** Change the propagation of the whole mount tree, e.g. MS_REC|MS_SLAVE. */
  propagation: { path: "s", flags: "n" },
  /** Copy a host path's mount as it is now, for the next `root-bind` with flag 8: before `propagation`, so that it stays a peer of the host's. flags: 1 recursive. */
  hold: { source: "s", flags: "n" },
  /** Mount an overlay on a host directory. lowers: topmost first; upper and work "" = read-only; options: "volatile", "userxattr", "metacopy=off" … */
  overlay: { target: "s", lowers: "l", upper: "s", work: "s", options: "l" },
  /** Mount a file system on a host path (before `root`). options: "key=value" or "key". attributes: MOUNT_ATTR_*. */
  mount: { fstype: "s", source: "s", target: "s", attributes: "n", options: "l" },
  /** Bind a host path on a host path. flags: 1 recursive. set, clear: MOUNT_ATTR_*, recursive with flag 2. */
  bind: { source: "s", target: "s", flags: "n", set: "n", clear: "n" },
  /** Open this host directory as the new root for `root-*` steps and `pivot`. */
  root: { path: "s" },
  /** Mount a file system in the root; a missing mount point is made. attributes: MOUNT_ATTR_*. */
  "root-mount": { fstype: "s", source: "s", target: "s", attributes: "n", options: "l" },
  /** Move a mount of this namespace alone, and all that is mounted below it, from a host path into the root; a missing mount point is made. */
  "root-move": { source: "s", target: "s" },
  /** Bind a host path in the root; a missing mount point is made (a file for a file). flags and attributes as for `bind`, 4: propagation recursive, 8: what `hold` kept, in its order; propagation: MS_* or 0. */
  "root-bind": { source: "s", target: "s", flags: "n", set: "n", clear: "n", propagation: "n" },
  /** As `root-bind`, of a path below the source, which containers may be changing meanwhile: no link leads out of the source. */
  "root-bind-below": { source: "s", below: "s", target: "s", flags: "n", set: "n", clear: "n", propagation: "n" },
  /** Copy a directory of the root into an empty host directory, with owners, modes, times, extended attributes, hard links and holes; what is mounted below stays out. Where nothing is, nothing is done. sync: 1 = syncfs(2). */
  "root-copy": { source: "s", target: "s", sync: "n" },
  /** Make a directory in the root, parents included; one that exists is fine. */
  "root-mkdir": { path: "s", mode: "n" },
  /** Make a symbolic link in the root; one that exists is replaced only if it is a link. */
  "root-symlink": { target: "s", path: "s" },
  /** Make a device node in the root; where mknod is refused (user namespace) the verified host node `source` is bound instead. kind: S_IFCHR, S_IFBLK or S_IFIFO. */
  "root-mknod": { path: "s", kind: "n", mode: "n", major: "n", minor: "n", uid: "n", gid: "n", source: "s" },
  /** Write a file in the root (hosts, hostname, resolv.conf); made when missing. */
  "root-file": { path: "s", mode: "n", data: "b" },
  /** Hide a path: a file under a verified /dev/null (1:3), a directory under an empty read-only tmpfs. A missing path is hidden already. */
  "root-mask": { path: "s" },
  /** Make a path read-only by a recursive bind on itself. A missing path is left alone. */
  "root-readonly": { path: "s" },
  /** Set mount attributes on the mount whose top is this path ("/": the root mount itself; not recursive), e.g. MOUNT_ATTR_RDONLY. */
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
  /** Join a new session keyring of this name; a kernel without keyrings is fine. */
  keyring: { name: "s" },
  /** A terminal: setsid, a new pty of the container's own devpts, sent to the monitor, controlling terminal, stdio. After `pivot`, before `user`. uid: owner of the pty (its group stays the devpts's); console: 1 = bind it on /dev/console. rows and columns 0 = leave. */
  terminal: { rows: "n", columns: "n", uid: "n", console: "n" },
  /** setsid, and the pipes or /dev/null of `stdio` on 0, 1, 2; the pipes get this owner, so that /dev/stdout can be opened again. After `pivot` (the container's own /dev/null), before `user`. */
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
  /** Wait for the steps that `continue` brings. */
  ready: {},
  /** Wait for GO. */
  gate: {},
  /** Hold this program open for `init`. Before `pivot`, while the host's /proc is there. */
  "open-init": {},
  /** As `exec`, in a child; this process becomes the init that passes signals on and reaps. argv: the init's own. Never returns. */
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

/** The arguments' kinds in wire order, e.g. "ssnl": what the executor's table has for the same name. */
export function signatureOf(name: StepName): string {
  return Object.values(stepTable[name]).join("");
}
