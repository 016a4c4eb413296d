/**
 * Attempts to reach past a container, as scripts for busybox's sh that print "out" when they worked. Each is known to be a
 * real attempt, because it works with `proof`: the flags that open just this wall. Nothing is changed where one works.
 */

export interface Escape {
  readonly attempt: string;
  readonly script: string;
  /** Flags of `orlop run` with which it works. */
  readonly proof: readonly string[];
  /** Given in both cases. */
  readonly flags?: readonly string[];
}

/** What the tests put on the machine to be found: a process, a socket, a file. */
export interface Bait {
  /** Major and minor number of a block device of the machine, e.g. "7 0". */
  readonly disk: string;
  readonly abstractSocket: string;
  readonly loopbackPort: number;
  readonly directory: string;
  /** A word that only a process of the machine has on its command line. */
  readonly word: string;
  readonly shmId: string;
}

const privileged = ["--privileged"];
const probe = (name: string): string => `/escape-probe ${name}`;
/** Opens for writing and writes nothing. */
const writable = (path: string): string => `(: >>${path}) && echo out`;
const unmasked = (path: string): string => `umount ${path} && echo out`;

/** As a pattern that does not match itself: the script is on a command line too. */
const wordOf = ({ word }: Bait): string => `[${word.slice(0, 1)}]${word.slice(1)}`;

/** The process that was put there, by its number. (The machine's first one may have rights that nobody else here has.) */
const baitOf = (bait: Bait): string =>
  `$(grep -l "${wordOf(bait)}" /proc/[0-9]*/cmdline 2>/dev/null | head -n 1 | cut -d/ -f3)`;

export function escapesWith(bait: Bait): readonly Escape[] {
  return [
    {
      attempt: "a disk of the machine, through a node made inside",
      script: `mknod /tmp/disk b ${bait.disk} && head -c 512 /tmp/disk >/dev/null && echo out`,
      proof: privileged,
    },
    {
      attempt: "the kernel's messages, through a node made inside",
      script: "mknod /tmp/kmsg c 1 11 && (: </tmp/kmsg) && echo out",
      proof: privileged,
    },
    { attempt: "a root inode by file handle (shocker)", script: probe("handle"), proof: privileged },
    {
      attempt: "core_pattern: a program that the kernel runs",
      script: writable("/proc/sys/kernel/core_pattern"),
      proof: privileged,
    },
    {
      attempt: "a setting of the whole machine in /sys",
      script: writable("/sys/kernel/mm/transparent_hugepage/enabled"),
      proof: privileged,
    },
    {
      attempt: "a control hierarchy mounted inside, for its release_agent",
      script: "mkdir /tmp/cg && mount -t cgroup -o pids cgroup /tmp/cg && umount /tmp/cg && echo out",
      proof: privileged,
    },
    {
      attempt: "out of its own control group",
      script: "mkdir /sys/fs/cgroup/pids/escaped && rmdir /sys/fs/cgroup/pids/escaped && echo out",
      proof: privileged,
    },
    { attempt: "a mount of its own", script: "mount -t tmpfs none /tmp && echo out", proof: privileged },
    { attempt: "a mount by 32-bit calls", script: probe("mount32"), proof: privileged },
    { attempt: "a mask taken away from /proc/keys", script: unmasked("/proc/keys"), proof: ["--cap-add", "SYS_ADMIN"] },
    {
      attempt: "the read-only /proc/sys made writable",
      script: "mount -o remount,rw /proc/sys && echo out",
      proof: ["--cap-add", "SYS_ADMIN"],
    },
    {
      attempt: "a user namespace, and with it every capability",
      script: "unshare -U true && echo out",
      proof: ["--security-opt", "seccomp=unconfined"],
    },
    {
      attempt: "a mount namespace of its own",
      script: "unshare -m true && echo out",
      proof: ["--cap-add", "SYS_ADMIN"],
    },
    {
      attempt: "the machine's namespaces, through one of its processes",
      script: `nsenter -t ${baitOf(bait)} -m true && echo out`,
      flags: ["--pid", "host"],
      proof: privileged,
    },
    {
      attempt: "the machine's root, through one of its processes",
      script: `ls /proc/${baitOf(bait)}/root/ >/dev/null && echo out`,
      flags: ["--pid", "host"],
      proof: privileged,
    },
    {
      attempt: "tracing a process of the machine",
      script: probe(`trace ${baitOf(bait)}`),
      flags: ["--pid", "host"],
      proof: privileged,
    },
    {
      attempt: "sight of the machine's processes",
      script: `grep -q "${wordOf(bait)}" /proc/[0-9]*/cmdline && echo out`,
      proof: ["--pid", "host"],
    },
    {
      attempt: "signals to the machine's processes",
      script: `kill -0 ${baitOf(bait)} && echo out`,
      proof: ["--pid", "host"],
    },
    {
      attempt: "an abstract socket of the machine",
      script: probe(`abstract ${bait.abstractSocket}`),
      proof: ["--network", "host"],
    },
    {
      attempt: "a server on the machine's loopback",
      script: `nc -w 30 127.0.0.1 ${bait.loopbackPort} </dev/null && echo out`,
      proof: ["--network", "host"],
    },
    {
      attempt: "shared memory of the machine",
      script: `awk '$2 == "${bait.shmId}"' /proc/sysvipc/shm | grep -q . && echo out`,
      proof: ["--ipc", "host"],
    },
    {
      attempt: "the machine's host name",
      script: "hostname $(hostname) && echo out",
      proof: ["--uts", "host", "--cap-add", "SYS_ADMIN"],
    },
    { attempt: "the machine's clock", script: probe("clock"), proof: privileged },
    { attempt: "a restart of the machine", script: probe("reboot"), proof: privileged },
    { attempt: "swap", script: probe("swap"), proof: privileged },
    { attempt: "a program in the kernel (bpf)", script: probe("bpf"), proof: privileged },
    { attempt: "the kernel's counters (perf)", script: probe("perf"), proof: privileged },
    { attempt: "keyrings", script: probe("keys"), proof: ["--security-opt", "seccomp=unconfined"] },
    {
      attempt: "the hypervisor's socket family",
      script: probe("vsock"),
      proof: ["--security-opt", "seccomp=unconfined"],
    },
    {
      attempt: "the hypervisor's socket family, hidden by a high bit",
      script: probe("wide-vsock"),
      proof: ["--security-opt", "seccomp=unconfined"],
    },
    {
      attempt: "a read-only bind made writable",
      script: "mount -o remount,bind,rw /given && touch /given/written && rm /given/written && echo out",
      flags: ["--volume", `${bait.directory}:/given:ro`],
      proof: ["--cap-add", "SYS_ADMIN"],
    },
    {
      attempt: "more rights through a set-user-id program, as a user without any",
      script: "[ $(/suid-id -u) = 0 ] && echo out",
      flags: ["--user", "1000", "--security-opt", "no-new-privileges"],
      proof: ["--security-opt", "no-new-privileges=false"],
    },
  ];
}
