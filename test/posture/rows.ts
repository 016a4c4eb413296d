/**
 * The rows of the security posture, each as a question to a container that runs. `probe` is a script for sh with busybox's
 * commands; what it prints must be `expected`, or match it.
 */

import { readFileSync } from "node:fs";

export interface Row {
  readonly row: string;
  /** Flags of `orlop run`. */
  readonly flags?: readonly string[];
  readonly probe: string;
  readonly expected: string | RegExp;
}

/** CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE. */
const dockersCapabilities = "00000000a80425fb";
const none = "0000000000000000";

const capabilities = "sed -n 's/^Cap\\(...\\):\\t/\\1 /p' /proc/self/status";
const status = (field: string): string => `sed -n 's/^${field}:\\t//p' /proc/self/status`;
/** Options of the mount at this path, of the mount and of the file system, sorted. */
const mountOptions = (path: string): string =>
  `awk '$5 == "${path}" { split($0, halves, " - "); split(halves[2], fs, " "); print fs[1] "," $6 "," fs[3] }' /proc/self/mountinfo | tail -n 1 | tr , '\\n' | sort -u | tr '\\n' ' '`;
const has = (...words: string[]): RegExp =>
  new RegExp(words.map((word) => `(?=.*(?:^| )${word.replace(/[.*+?^$()|[\]\\]/g, "\\$&")} )`).join(""));

const maskedFiles = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
]
  .concat(["/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats"])
  .concat(["/sys/devices/virtual/powercap", "/sys/firmware"]);

export const rows: readonly Row[] = [
  {
    row: "capabilities",
    probe: capabilities,
    expected: `Inh ${none}\nPrm ${dockersCapabilities}\nEff ${dockersCapabilities}\nBnd ${dockersCapabilities}\nAmb ${none}`,
  },
  {
    row: "capabilities: dropped and added ones",
    flags: ["--cap-drop", "ALL", "--cap-add", "NET_ADMIN"],
    probe: capabilities,
    expected: `Inh ${none}\nPrm 0000000000001000\nEff 0000000000001000\nBnd 0000000000001000\nAmb ${none}`,
  },
  {
    row: "non-root user",
    flags: ["--user", "1000"],
    probe: capabilities,
    expected: `Inh ${none}\nPrm ${none}\nEff ${none}\nBnd ${dockersCapabilities}\nAmb ${none}`,
  },
  { row: "no_new_privileges", probe: status("NoNewPrivs"), expected: "0" },
  {
    row: "no_new_privileges, asked for",
    flags: ["--security-opt", "no-new-privileges"],
    probe: status("NoNewPrivs"),
    expected: "1",
  },
  {
    row: "masked: nothing can be read",
    probe: `for path in ${maskedFiles.join(" ")} /sys/devices/system/cpu/cpu*/thermal_throttle; do
      if [ -d $path ]; then [ -z "$(ls -A $path)" ] || echo "$path has $(ls -A $path)"
      elif [ -e $path ]; then [ "$(head -c 1 $path | wc -c)" = 0 ] || echo "$path can be read"; fi
    done`,
    expected: "",
  },
  {
    row: "how: a file under character device 1:3, a directory under an empty read-only tmpfs",
    probe: `stat -c '%F %t:%T' /proc/interrupts; awk '$5 == "/sys/firmware" { print $9, $6 }' /proc/self/mountinfo`,
    expected: /^character special file 1:3\ntmpfs ro,\S+\n$/,
  },
  {
    row: "read-only",
    probe: `for path in bus fs irq sys sysrq-trigger; do
      [ ! -e /proc/$path ] || awk -v path=/proc/$path '$5 == path && $6 ~ /^ro/ { found = 1 } END { if (!found) print path }' /proc/self/mountinfo
    done`,
    expected: "",
  },
  { row: "/proc", probe: mountOptions("/proc"), expected: has("proc", "nosuid", "noexec", "nodev") },
  { row: "/dev", probe: mountOptions("/dev"), expected: has("tmpfs", "nosuid", "mode=755", "size=65536k") },
  {
    row: "/dev/pts",
    probe: mountOptions("/dev/pts"),
    expected: has("devpts", "nosuid", "noexec", "ptmxmode=666", "mode=620", "gid=5"),
  },
  {
    row: "/dev/shm",
    probe: `${mountOptions("/dev/shm")}; stat -c %a /dev/shm; df -k /dev/shm | awk 'NR == 2 { print $2 }'`,
    expected: /(?=.*nodev )(?=.*noexec )(?=.*nosuid ).*1777\n65536\n$/s,
  },
  {
    row: "/dev/mqueue",
    probe: mountOptions("/dev/mqueue"),
    expected: has("mqueue", "nosuid", "noexec", "nodev"),
  },
  { row: "/sys", probe: mountOptions("/sys"), expected: has("sysfs", "nosuid", "noexec", "nodev", "ro") },
  {
    row: "/sys/fs/cgroup",
    probe: `awk '$5 ~ "^/sys/fs/cgroup" && $6 !~ /^ro,nosuid,nodev,noexec/ { print $5, $6 }' /proc/self/mountinfo; ls /sys/fs/cgroup | head -n 1 | wc -l`,
    expected: "1",
  },
  {
    row: "device nodes",
    probe:
      "ls /dev | tr '\\n' ' '; for link in ptmx fd stdin stdout stderr; do readlink /dev/$link; done | tr '\\n' ' '",
    expected:
      "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero " +
      "pts/ptmx /proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2",
  },
  {
    row: "device nodes: numbers",
    probe: "for name in null zero full random urandom tty; do stat -c '%n %t:%T %a' /dev/$name; done",
    expected:
      "/dev/null 1:3 666\n/dev/zero 1:5 666\n/dev/full 1:7 666\n/dev/random 1:8 666\n/dev/urandom 1:9 666\n/dev/tty 5:0 666",
  },
  {
    row: "device cgroup: a node can be made, but not opened unless it is on the list",
    probe: `for numbers in '1 1' '10 229' '1 11'; do
      mknod /tmp/node c $numbers && (: </tmp/node) 2>&1 | grep -o 'Operation not permitted'; rm -f /tmp/node
    done
    mknod /tmp/zero c 1 5 && head -c 1 /tmp/zero | wc -c`,
    expected: "Operation not permitted\nOperation not permitted\nOperation not permitted\n1",
  },
  {
    row: "seccomp",
    probe: `${status("Seccomp")}; mount -t tmpfs none /tmp 2>&1 | grep -o 'denied\\|not permitted'; unshare -U true 2>&1 | grep -o 'not permitted'`,
    expected: /^2\n(denied|not permitted)\nnot permitted\n$/,
  },
  {
    row: "seccomp, unconfined",
    flags: ["--security-opt", "seccomp=unconfined"],
    probe: status("Seccomp"),
    expected: "0",
  },
  {
    row: "sysctls",
    probe: "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range",
    expected: "0\n0\t2147483647",
  },
  { row: "oom_score_adj", probe: "cat /proc/self/oom_score_adj", expected: "0" },
  { row: "groups: root", probe: "id -G", expected: "0" },
  {
    row: "groups: primary, the image's and those asked for (the kernel sorts them)",
    flags: ["--user", "worker", "--group-add", "50", "--group-add", "staff"],
    probe: "awk '/^Groups:/ { $1 = \"\"; print }' /proc/self/status",
    expected: /^ 50 60 77 1000 ?\n$/,
  },
  {
    row: "user parsing: a number stays a number",
    flags: ["--user", "4242:4343"],
    probe: "id -u; id -g; id -G",
    expected: "4242\n4343\n4343",
  },
  {
    row: "binds: ro is recursive, propagation is private",
    probe: `touch /given/below/x 2>&1 | grep -o 'Read-only file system'; awk '$5 ~ "^/given" && /shared:|master:/' /proc/self/mountinfo`,
    expected: "Read-only file system",
  },
  {
    row: "privileged",
    flags: ["--privileged"],
    probe: `${status("Seccomp")}; [ -c /dev/mem ] || [ -c /dev/kmsg ] && echo devices; awk '$5 == "/proc/kcore"' /proc/self/mountinfo; ${status("CapEff")}`,
    // All that this machine's root has itself: some have no CAP_SYS_RESOURCE.
    expected: `0\ndevices\n${/^CapBnd:\t(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]}`,
  },
  {
    row: "descriptors: only standard input, output and error; the fourth is the lister's own",
    probe: "exec /bin/busybox ls -l /proc/self/fd",
    expected: /^total 0\n.* 0 -> \/dev\/null\n.* 1 -> pipe:\S+\n.* 2 -> pipe:\S+\n.* 3\nls: [^\n]*\n$/,
  },
  {
    row: "working directory and executable",
    probe: "for link in cwd root exe; do readlink /proc/1/$link; done",
    expected: "/\n/\n/bin/sh",
  },
  {
    row: "environment: nothing of the engine's",
    probe: "env | cut -d= -f1 | grep -vx 'PWD\\|SHLVL\\|OLDPWD' | sort | tr '\\n' ' '",
    expected: "HOME HOSTNAME PATH",
  },
  { row: "umask", probe: "umask", expected: "0022" },
  { row: "processes: its own alone", probe: "echo $$; ls /proc | grep -c '^[0-9]'", expected: /^1\n[1-4]\n$/ },
  {
    row: "a terminal has a console",
    flags: ["--tty"],
    probe: "ls /dev/console; tty",
    expected: "/dev/console\r\n/dev/pts/0\r",
  },
];

/** What a command line is refused for: flags, and what the one line says. */
export const refusals: readonly { readonly row: string; readonly flags: readonly string[]; readonly says: RegExp }[] = [
  { row: "user parsing: out of range", flags: ["--user", "4294967295"], says: /4294967295/ },
  { row: "user parsing: unknown name", flags: ["--user", "nobody-here"], says: /nobody-here/ },
  { row: "mounts under /proc refused", flags: ["--volume", "/tmp:/proc/sys"], says: /\/proc\/sys/ },
  { row: "names match the pattern", flags: ["--name", "../up"], says: /\.\.\/up/ },
  { row: "cgroup parents never contain ..", flags: ["--cgroup-parent", "/a/../b"], says: /\/a\/\.\.\/b/ },
  { row: "unknown capability", flags: ["--cap-add", "SYS_EVERYTHING"], says: /SYS_EVERYTHING/ },
];

/** Rows that cannot be reached yet, by name. They are printed, so that nobody takes silence for safety. */
/** Rows that no probe inside a default container can answer: the test that does, from test/. */
export const testedElsewhere: Readonly<Record<string, string>> = {
  "rule 4: exec into a container": "kernel/steps-namespace.test.ts",
  "rule 7: layers": "kernel/layers.test.ts",
  "rule 7: manifests and digests": "registry/hostile-content.test.ts",
  "rule 8: credentials stay with the host they are for": "registry/hostile-hosts.test.ts",
};

export const pendingRows: readonly string[] = [
  "user namespace: none unless asked or rootless (rootless is not there yet)",
  "rule 9: TCP with TLS (the engine listens on a unix socket alone)",
];
