/** Each step as the system calls it becomes, for `orlop explain`: what strace would show, with flags by name. */

import { attributeNames, capabilitySetNames, cloneFlagNames, fileTypeName, propagationNames } from "./flag-names.ts";
import { rlimitName } from "./rlimits.ts";
import type { Step, StepName } from "./step.ts";

/** A step with its arguments, by name. */
type StepOf<N extends StepName> = Extract<Step, { readonly op: N }>;

const quote = (text: string) => JSON.stringify(text);
const list = (texts: readonly string[]) => `[${texts.map(quote).join(", ")}]`;
const octal = (mode: number | bigint) => `0${mode.toString(8)}`;

const bytes = (name: Uint8Array) => quote(new TextDecoder().decode(name));

/** What is written, where that can be read; else its size. */
function content(data: Uint8Array): string {
  const text = new TextDecoder().decode(data);
  return text.length <= 60 && /^[\x20-\x7e\n\t]*$/.test(text) ? quote(text) : `${data.length} bytes`;
}

/** A new file system, detached: the new mount interface (fsopen(2), Linux 5.2). */
function fileSystem(fstype: string, source: string, attributes: number | bigint, options: readonly string[]): string[] {
  return [
    `fsopen(${quote(fstype)}, FSOPEN_CLOEXEC)`,
    ...(source === "" ? [] : [`fsconfig(FSCONFIG_SET_STRING, "source", ${quote(source)})`]),
    ...options.map((option) => {
      const equals = option.indexOf("=");
      if (equals < 0) return `fsconfig(FSCONFIG_SET_FLAG, ${quote(option)})`;
      return `fsconfig(FSCONFIG_SET_STRING, ${quote(option.slice(0, equals))}, ${quote(option.slice(equals + 1))})`;
    }),
    "fsconfig(FSCONFIG_CMD_CREATE)",
    `fsmount(FSMOUNT_CLOEXEC, ${attributeNames(attributes)})`,
  ];
}

/** A detached copy of a mount (open_tree(2)). */
function copyOf(
  source: string,
  flags: number | bigint,
  set: number | bigint,
  clear: number | bigint,
  propagation: number | bigint,
): string[] {
  const recursive = (BigInt(flags) & 1n) !== 0n ? "|AT_RECURSIVE" : "";
  const deep = (bit: bigint) => ((BigInt(flags) & bit) !== 0n ? "|AT_RECURSIVE" : "");
  const change = (bit: bigint, changes: readonly string[]) =>
    changes.length === 0 ? [] : [`mount_setattr(AT_EMPTY_PATH${deep(bit)}, {${changes.join(", ")}})`];
  return [
    (BigInt(flags) & 8n) === 0n
      ? `open_tree(${quote(source)}, OPEN_TREE_CLONE${recursive})`
      : "the mount that was held",
    ...change(2n, [
      ...(BigInt(set) === 0n ? [] : [`set=${attributeNames(set)}`]),
      ...(BigInt(clear) === 0n ? [] : [`clear=${attributeNames(clear)}`]),
    ]),
    ...change(4n, BigInt(propagation) === 0n ? [] : [`propagation=${propagationNames(propagation)}`]),
  ];
}

const inRoot = (path: string) => `openat2(root, ${quote(path)}, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS)`;
const attach = (target: string) => [inRoot(target), "move_mount(mount, target)"];

type Explanations = { readonly [N in StepName]: (step: StepOf<N>) => readonly string[] };

const explanations = {
  mkdir: (s) => [`mkdir(${quote(s.path)}, ${octal(s.mode)})`],
  write: (s) => [`open(${quote(s.path)}, O_WRONLY)`, `write(${content(s.data)})`],
  "try-write": (s) => [`open(${quote(s.path)}, O_WRONLY)`, `write(${content(s.data)})`],
  read: (s) => [`open(${quote(s.path)}, O_RDONLY)`, "read()"],
  file: (s) => [
    `open(${quote(`${s.path}.tmp`)}, O_WRONLY|O_CREAT|O_EXCL, ${octal(s.mode)})`,
    `write(${content(s.data)})`,
    `rename(${quote(s.path)})`,
  ],
  rmdir: (s) => [`rmdir(${quote(s.path)})`],
  remove: (s) => [`unlinkat(${quote(s.path)}) and everything below it`],
  usage: (s) => [`fstatat(each file below ${list(s.paths)}, AT_SYMLINK_NOFOLLOW)`],
  detach: (s) => [`umount2(${quote(s.path)}, MNT_DETACH|UMOUNT_NOFOLLOW)`],
  spread: (s) => [`open(${quote(s.path)}, O_DIRECTORY)`, "ioctl(FS_IOC_SETFLAGS, FS_TOPDIR_FL)"],
  chown: (s) => [`lchown(${quote(s.path)}, ${s.uid}, ${s.gid})`],
  "kill-group": (s) => [
    ...(s.freezer === "" ? [] : [`write(${quote(s.freezer)}, "FROZEN")`]),
    `kill(each of ${quote(s.tasks)}, SIGKILL)`,
    ...(s.freezer === "" ? [] : [`write(${quote(s.freezer)}, "THAWED")`]),
  ],
  "write-until": (s) => [
    `open(${quote(s.path)}, O_WRONLY)`,
    `write(${content(s.data)})`,
    `read(${quote(s.state)}) until it has ${quote(s.line)}`,
  ],
  "device-program": (s) => [
    `bpf(BPF_PROG_LOAD, BPF_PROG_TYPE_CGROUP_DEVICE, ${s.program.length / 8} instructions)`,
    `bpf(BPF_PROG_ATTACH, ${quote(s.group)}, BPF_CGROUP_DEVICE)`,
  ],
  netlink: (s) => [`socket(AF_NETLINK, SOCK_RAW, ${s.protocol})`, `sendto(${s.messages.length} bytes)`, "recvmsg()"],
  "try-netlink": (s) => [
    `socket(AF_NETLINK, SOCK_RAW, ${s.protocol})`,
    `sendto(${s.messages.length} bytes)`,
    "recvmsg(), where EEXIST and ENOENT are fine",
  ],
  "socket-option": (s) => [`socket(${s.family}, SOCK_RAW, ${s.protocol})`, `getsockopt(${s.level}, ${s.option})`],
  "netlink-list": (s) => [`socket(AF_NETLINK, SOCK_RAW, ${s.protocol})`, "sendto(NLM_F_DUMP)", "recvmsg()"],
  "keep-open": (s) => s.paths.map((path) => `open(${quote(path)}, O_WRONLY|O_NOFOLLOW|O_NONBLOCK)`),
  unmount: (s) => [`umount2(${quote(s.path)}, MNT_DETACH|UMOUNT_NOFOLLOW)`, `unlink(${quote(s.path)})`],
  "write-back": (s) => [
    `open(${quote(s.path)}, O_RDONLY)`,
    BigInt(s.sync) === 1n ? "fsync()" : `sync_file_range(${s.offset}, ${s.size}, SYNC_FILE_RANGE_WRITE)`,
  ],
  "shared-memory": (s) => ['memfd_create("orlop-layer")', `ftruncate(${s.size})`, "mmap(PROT_READ, MAP_SHARED)"],
  taken: () => [],
  layer: (s) => [`open(${quote(s.path)}, O_RDONLY|O_DIRECTORY|O_NOFOLLOW)`, "umask(0)"],
  "layer-directory": (s) => [`mkdirat(${bytes(s.path)}, ${octal(s.mode)})`, `fchown(${s.uid}, ${s.gid})`],
  "layer-file": (s) => [
    `openat(${bytes(s.path)}, O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW, ${octal(s.mode)})`,
    `fchown(${s.uid}, ${s.gid})`,
  ],
  "layer-data": (s) => [`pwrite(${s.data.length} bytes, ${s.offset})`],
  "layer-shared-data": (s) => [`pwrite(${s.size} bytes, ${s.offset})`],
  "layer-symlink": (s) => [`symlinkat(${bytes(s.target)}, ${bytes(s.path)})`, `fchownat(${s.uid}, ${s.gid})`],
  "layer-link": (s) => [`linkat(${bytes(s.target)}, ${bytes(s.path)})`],
  "layer-node": (s) => [
    `mknodat(${bytes(s.path)}, ${fileTypeName(s.kind)}|${octal(s.mode)}, makedev(${s.major}, ${s.minor}))`,
    `fchownat(${s.uid}, ${s.gid})`,
  ],
  "layer-xattr": (s) => [`fsetxattr(${bytes(s.name)}, ${s.value.length} bytes)`],
  "layer-whiteout": (s) => [`mknodat(${bytes(s.path)}, S_IFCHR, makedev(0, 0))`],
  "layer-opaque": (s) => [`openat(${bytes(s.path)})`, 'fsetxattr("trusted.overlay.opaque", "y")'],
  "layer-time": (s) => [`utimensat(${bytes(s.path)}, ${BigInt.asIntN(64, BigInt(s.mtimeNs))} ns)`],
  "layer-end": (s) => ["futimens(the last file)", ...(BigInt(s.sync) === 1n ? ["syncfs(layer)"] : [])],
  "layer-into": (s) => [`openat2(root, ${quote(s.path)}, O_RDONLY|O_DIRECTORY, RESOLVE_IN_ROOT)`, "umask(0)"],
  "layer-parent": (s) => [`mkdirat(${bytes(s.path)}, 0755)`],
  "layer-place": (s) => [`unlinkat(${bytes(s.path)}) unless it is ${s.directory === 0 ? "no" : "a"} directory`],
  "copy-tree": (s) => [
    `ioctl(FICLONE) or copy_file_range() of everything in ${s.layers.length} layers to ${quote(s.target)}`,
  ],
  "tree-stat": (s) => [`openat2(root, ${quote(s.path)}, O_PATH, RESOLVE_IN_ROOT)`, "statx()"],
  "tree-below": (s) => [`open(${quote(s.path)}, O_RDONLY|O_DIRECTORY|O_NOFOLLOW)`],
  "tree-walk": (s) => [
    `openat2(root, ${quote(s.path)}, O_PATH, RESOLVE_IN_ROOT)`,
    "openat(O_PATH|O_NOFOLLOW), statx(), getdents64(), read() of everything below",
  ],
  stdio: (s) => [
    (BigInt(s.flags) & 2n) === 0n
      ? `pipe2(O_CLOEXEC) for streams ${s.streams}`
      : "a terminal will come from the container",
  ],
  log: (s) => [`open(${quote(s.path)}, O_WRONLY|O_APPEND|O_CREAT) as ${s.driver}, ${s.maxFiles} of ${s.maxSize} bytes`],
  "exit-record": (s) => [
    `open(${quote(s.path)}) at the end${BigInt(s.sync) === 0n ? "" : ", fsync() when no engine is there"}`,
  ],
  listen: (s) => ["socket(AF_UNIX, SOCK_STREAM)", `bind(${quote(s.path)})`, "listen()"],
  "watch-memory": (s) => [
    `open(${quote(s.events)}, O_RDONLY)`,
    ...(s.control === "" ? ["epoll for EPOLLPRI"] : ["eventfd2(0)", `write(${quote(s.control)}, "EVENTFD FILE")`]),
  ],
  spawn: (s) => [
    `clone3(${BigInt(s.flags) === 0n ? "" : `${cloneFlagNames(s.flags)}|`}CLONE_PIDFD${s.group === "" ? "" : `|CLONE_INTO_CGROUP, ${quote(s.group)}`})`,
  ],
  "id-map": (s) => [
    ...(BigInt(s.deny) === 1n ? ['write("/proc/CHILD/setgroups", "deny")'] : []),
    `write("/proc/CHILD/uid_map", ${quote(s.uidMap)})`,
    `write("/proc/CHILD/gid_map", ${quote(s.gidMap)})`,
  ],
  release: () => ["send(child)"],
  continue: () => ["send(child)"],
  unshare: (s) => [`unshare(${cloneFlagNames(s.flags)})`],
  setns: (s) => [
    ...(s.path === "" ? [] : [`open(${quote(s.path)})`]),
    `setns(${s.path === "" ? "where it was, " : ""}${cloneFlagNames(s.flags)})`,
  ],
  target: (s) => [`pidfd_open(${s.pid})`, `read("/proc/${s.pid}/stat") = … ${s.started} …`],
  "kill-target": (s) => [`pidfd_send_signal(target ${s.target}, SIGKILL)`],
  join: (s) => [
    `setns(target ${s.target}, ${cloneFlagNames(BigInt(s.flags) & ~1n)})`,
    "close_range(all but the report channel and streams)",
  ],
  enter: (s) => ["clone(CLONE_PARENT)", ...(BigInt(s.session) === 0n ? [] : ["setsid()"])],
  await: () => ["recv(parent)", "setresgid(0, 0, 0)", "setresuid(0, 0, 0)"],
  propagation: (s) => [`mount(NULL, ${quote(s.path)}, NULL, ${propagationNames(s.flags)}, NULL)`],
  overlay: (s) => [
    'fsopen("overlay", FSOPEN_CLOEXEC)',
    ...s.lowers.map((lower) => `fsconfig(FSCONFIG_SET_STRING, "lowerdir+", ${quote(lower)})`),
    ...(s.upper === ""
      ? []
      : [
          `fsconfig(FSCONFIG_SET_STRING, "upperdir", ${quote(s.upper)})`,
          `fsconfig(FSCONFIG_SET_STRING, "workdir", ${quote(s.work)})`,
        ]),
    ...s.options.map((option) => `fsconfig(${quote(option)})`),
    "fsconfig(FSCONFIG_CMD_CREATE)",
    "fsmount(FSMOUNT_CLOEXEC)",
    `move_mount(mount, ${quote(s.target)})`,
  ],
  mount: (s) => [...fileSystem(s.fstype, s.source, s.attributes, s.options), `move_mount(mount, ${quote(s.target)})`],
  bind: (s) => [...copyOf(s.source, s.flags, s.set, s.clear, 0), `move_mount(mount, ${quote(s.target)})`],
  root: (s) => [`open(${quote(s.path)}, O_PATH|O_DIRECTORY)`],
  "root-move": (s) => [inRoot(s.target), `move_mount(${quote(s.source)}, target)`],
  "root-mount": (s) => [...fileSystem(s.fstype, s.source, s.attributes, s.options), ...attach(s.target)],
  hold: (s) => [
    `open_tree(${quote(s.source)}, OPEN_TREE_CLONE${(BigInt(s.flags) & 1n) === 0n ? "" : "|AT_RECURSIVE"})`,
  ],
  "root-bind-below": (s) => [
    `openat2(${quote(s.source)}, ${quote(s.below)}, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS)`,
    ...copyOf(s.below, s.flags, s.set, s.clear, s.propagation),
    ...attach(s.target),
  ],
  "root-copy": (s) => [
    inRoot(s.source),
    `copy_file(everything in it, ${quote(s.target)})`,
    ...(BigInt(s.sync) === 0n ? [] : [`syncfs(${quote(s.target)})`]),
  ],
  "root-bind": (s) => [...copyOf(s.source, s.flags, s.set, s.clear, s.propagation), ...attach(s.target)],
  "root-mkdir": (s) => [inRoot(s.path), `mkdirat(${octal(s.mode)})`],
  "root-symlink": (s) => [`symlinkat(${quote(s.target)}, root, ${quote(s.path)})`],
  "root-mknod": (s) => [
    `mknodat(root, ${quote(s.path)}, ${fileTypeName(s.kind)}|${octal(s.mode)}, makedev(${s.major}, ${s.minor}))`,
    `fchownat(${s.uid}, ${s.gid})`,
    `fchmodat(${octal(s.mode)})`,
  ],
  "root-file": (s) => [inRoot(s.path), `write(${content(s.data)})`],
  "root-mask": (s) => [inRoot(s.path), "move_mount(a file: /dev/null, a directory: an empty read-only tmpfs)"],
  "root-readonly": (s) => [
    inRoot(s.path),
    "open_tree(AT_EMPTY_PATH|OPEN_TREE_CLONE|AT_RECURSIVE)",
    "mount_setattr(AT_EMPTY_PATH|AT_RECURSIVE, {set=MOUNT_ATTR_RDONLY})",
    "move_mount(mount, target)",
  ],
  "root-attributes": (s) => [
    inRoot(s.path),
    `mount_setattr(AT_EMPTY_PATH, {set=${attributeNames(s.set)}, clear=${attributeNames(s.clear)}})`,
  ],
  sysctl: (s) => [`write("/proc/sys/${s.key}", ${quote(s.value)})`],
  pivot: (s) => [
    "fchdir(root)",
    'pivot_root(".", ".")',
    'umount2(".", MNT_DETACH)',
    'chdir("/")',
    ...(BigInt(s.propagation) === 0n ? [] : [`mount(NULL, "/", NULL, ${propagationNames(s.propagation)}, NULL)`]),
  ],
  hostname: (s) => [`sethostname(${quote(s.name)})`],
  domainname: (s) => [`setdomainname(${quote(s.name)})`],
  "oom-score": (s) => [`write("/proc/self/oom_score_adj", ${quote(s.score)})`],
  rlimit: (s) => [`setrlimit(${rlimitName(Number(s.resource))}, {${s.soft}, ${s.hard}})`],
  umask: (s) => [`umask(${octal(s.mask)})`],
  keyring: (s) => [`keyctl(KEYCTL_JOIN_SESSION_KEYRING, ${quote(s.name)})`],
  terminal: (s) => [
    "setsid()",
    'open("/dev/pts/ptmx", O_RDWR|O_NOCTTY)',
    "ioctl(TIOCGPTPEER)",
    `fchown(${s.uid})`,
    "sendmsg(SCM_RIGHTS to the monitor)",
    "ioctl(TIOCSCTTY)",
    "dup2(terminal, 0, 1, 2)",
    ...(BigInt(s.console) === 0n ? [] : ["move_mount(terminal, /dev/console)"]),
  ],
  "attach-stdio": (s) => ["setsid()", `fchown(pipes, ${s.uid}, ${s.gid})`, "dup2(pipes or /dev/null, 0, 1, 2)"],
  bounding: (s) => [`prctl(PR_CAPBSET_DROP, each but ${capabilitySetNames(s.mask)})`],
  user: (s) => [
    `setgroups([${s.groups.join(", ")}])`,
    `setresgid(${s.gid})`,
    "prctl(PR_SET_KEEPCAPS, 1)",
    `setresuid(${s.uid})`,
  ],
  capabilities: (s) => [
    `capset(effective=${capabilitySetNames(s.effective)}, permitted=${capabilitySetNames(s.permitted)}, inheritable=${capabilitySetNames(s.inheritable)})`,
    ...(BigInt(s.ambient) === 0n ? [] : [`prctl(PR_CAP_AMBIENT_RAISE, ${capabilitySetNames(s.ambient)})`]),
  ],
  "no-new-privileges": () => ["prctl(PR_SET_NO_NEW_PRIVS, 1)"],
  seccomp: (s) => [`seccomp(SECCOMP_SET_MODE_FILTER, ${s.flags}, ${s.program.length / 8} instructions)`],
  cwd: (s) => [...(BigInt(s.make) === 0n ? [] : [`mkdir(${quote(s.path)})`]), `chdir(${quote(s.path)})`, "getcwd()"],
  ready: () => ["recv(parent)"],
  gate: () => ["recv(parent)"],
  "open-init": () => ['open("/proc/self/exe")'],
  init: (s) => [
    "fork()",
    `execve(${quote(s.program[0] ?? "")}, ${list(s.program)}, ${s.env.length} variables)`,
    `execveat(self, ${list(s.argv)})`,
  ],
  exec: (s) => [
    "close_range(3, ~0, 0)",
    `execve(${quote(s.argv[0] ?? "")}, ${list(s.argv)}, ${s.env.length} variables)`,
  ],
} satisfies Explanations;

/** The system calls that this step becomes, in order. */
export function explainStep(step: Step): readonly string[] {
  const explain = explanations[step.op] as (step: Step) => readonly string[];
  return explain(step);
}

/** Who carries each step out: the task that becomes the monitor, or its child, whose steps are behind `spawn` and `continue`. */
export function sidesOf(steps: readonly Step[]): readonly ("host" | "container")[] {
  let left = 0;
  return steps.map((step) => {
    if (step.op === "spawn" || step.op === "continue") left = Number(step.steps);
    else if (left-- > 0) return "container";
    return "host";
  });
}

/** A whole plan as text: `op` and its reason, then its system calls, indented. The child's parts are marked. */
export function explainPlan(steps: readonly Step[]): string {
  const sides = sidesOf(steps);
  const headings = { host: "host side\n", container: "the container's process\n" };
  const isSpawning = sides.includes("container");
  return steps
    .map((step, index) => {
      const side = sides[index] ?? "host";
      const heading = isSpawning && side !== sides[index - 1] ? headings[side] : "";
      const calls = explainStep(step).map((call) => `      ${call}\n`);
      return `${heading}  ${step.op}: ${step.why}\n${calls.join("")}`;
    })
    .join("");
}
