/** The steps that a container's process carries out, and those that either side may. */

import { attach, content, copyOf, type Explanations, fileSystem, inRoot, list, octal, quote } from "./explain-words.ts";
import { attributeNames, capabilitySetNames, cloneFlagNames, fileTypeName, propagationNames } from "./flag-names.ts";
import { rlimitName } from "./rlimits.ts";

export const childExplanations = {
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
} satisfies Partial<Explanations>;
