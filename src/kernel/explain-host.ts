/** The steps on the host side: those of the task, which may become the monitor. */

import { bytes, content, type Explanations, list, octal, quote } from "./explain-words.ts";
import { cloneFlagNames, fileTypeName } from "./flag-names.ts";

export const hostExplanations = {
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
} satisfies Partial<Explanations>;
