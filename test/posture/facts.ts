/** What a process can find out about its container, as scripts for busybox's sh. Each prints the same wherever the posture is the same. */

const status = (field: string): string => `sed -n 's/^${field}:[[:space:]]*//p' /proc/self/status`;
/** Type and options of the last mount at this path. */
const mount = (path: string): string =>
  `awk '$5 == "${path}" { n = split($0, halves, " - "); split(halves[n], fs, " "); print fs[1] "," $6 "," fs[3] }' /proc/self/mountinfo | tail -n 1 | tr , '\\n' | grep -v '^inode64$' | sort -u | tr '\\n' ' '`;
const readable = (path: string): string =>
  `if [ -d ${path} ]; then ls -A ${path} | wc -l; elif [ -e ${path} ]; then head -c 1 ${path} 2>&1 | wc -c; else echo absent; fi`;
const writable = (path: string): string => `(: >>${path}) 2>/dev/null && echo can be opened for writing || echo cannot`;

const masked = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
].concat(
  ["/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats"],
  ["/sys/devices/virtual/powercap", "/sys/firmware"],
);
const limits = ["cpu", "file size", "data", "stack", "core", "resident set", "processes", "open files"].concat([
  "locked memory",
  "address space",
  "file locks",
  "pending signals",
  "msgqueue size",
  "nice",
  "realtime priority",
]);

const facts: Readonly<Record<string, string>> = {
  "effective capabilities": status("CapEff"),
  "permitted capabilities": status("CapPrm"),
  "inheritable capabilities": status("CapInh"),
  "bounding capabilities": status("CapBnd"),
  "ambient capabilities": status("CapAmb"),
  no_new_privileges: status("NoNewPrivs"),
  "seccomp mode": status("Seccomp"),
  "user ids": status("Uid"),
  groups: status("Groups"),
  "user map": "cat /proc/self/uid_map | tr -s ' '",
  umask: "umask",
  oom_score_adj: "cat /proc/self/oom_score_adj",
  "first process": "tr '\\0' ' ' </proc/1/cmdline | head -c 7",
  "processes seen": "ls /proc | grep -c '^[0-9]' | sed 's/[1-9]/few/'",
  "working directory": "pwd",
  environment: "env | cut -d= -f1 | grep -vx 'PWD\\|SHLVL\\|OLDPWD\\|_' | sort | tr '\\n' ' '",
  PATH: "echo $PATH",
  "host name": "hostname | wc -c",
  "cgroup view": "grep -c ':/$' /proc/self/cgroup | sed 's/^[1-9].*/a namespace of its own/'",
  "time namespace": `awk '{ print ($2 == 0 && $3 == 0) }' /proc/self/timens_offsets | sort -u`,
  "mounts in all":
    "awk '{ print $5 }' /proc/self/mountinfo | grep -v '^/sys/fs/cgroup/\\|thermal_throttle' | sort | uniq -c | tr -s ' ' | tr '\\n' ';'",
  "/": mount("/").replace("sort -u", "grep -x 'rw\\|ro\\|nosuid\\|nodev\\|noexec\\|overlay' | sort -u"),
  "/proc": mount("/proc"),
  "/dev": mount("/dev"),
  "/dev/pts": mount("/dev/pts"),
  "/dev/shm": mount("/dev/shm"),
  "/dev/mqueue": mount("/dev/mqueue"),
  "/sys": mount("/sys"),
  "/sys/fs/cgroup": mount("/sys/fs/cgroup"),
  "propagation of /": 'awk \'$5 == "/" { print ($7 == "-") ? "private" : $7 }\' /proc/self/mountinfo | sed \'s/:.*//\'',
  "nodes in /dev": "ls /dev | tr '\\n' ' '",
  "links in /dev": "for link in core ptmx fd stdin stdout stderr; do readlink /dev/$link; done | tr '\\n' ' '",
  "/dev/console without a terminal": "[ -e /dev/console ] && echo there || echo absent",
  "devices that can be opened":
    "for n in '1 1' '1 3' '1 5' '1 7' '1 8' '1 9' '1 11' '5 0' '5 1' '5 2' '10 200' '10 229' '10 237'; do mknod /tmp/n c $n && { (: </tmp/n) 2>&1 | grep -q 'not permitted' || echo $n; }; rm -f /tmp/n; done | tr '\\n' ';'",
  "block devices that can be opened":
    "mknod /tmp/b b 254 0 && (: </tmp/b) 2>&1 | grep -o 'not permitted'; rm -f /tmp/b",
  ...Object.fromEntries(masked.map((path) => [`what ${path} shows`, readable(path)])),
  "/proc/sys": writable("/proc/sys/kernel/domainname"),
  "/proc/sysrq-trigger": "awk '$5 == \"/proc/sysrq-trigger\" { print $6 }' /proc/self/mountinfo | cut -d, -f1",
  "/proc/bus": mount("/proc/bus"),
  "/proc/fs": mount("/proc/fs"),
  "/proc/irq": mount("/proc/irq"),
  "/sys/kernel": writable("/sys/kernel/mm/transparent_hugepage/enabled"),
  "/proc/1/root": "readlink /proc/1/root",
  ip_unprivileged_port_start: "cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
  ping_group_range: "cat /proc/sys/net/ipv4/ping_group_range | tr '\\t' ' '",
  "links of the network": "ls /sys/class/net | tr '\\n' ' '",
  "memory limit": "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null",
  "processes limit": "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null",
  ...Object.fromEntries(
    limits.map((limit) => [`limit: ${limit}`, `grep -i '^max ${limit}' /proc/self/limits | tr -s ' ' | cut -c1-60`]),
  ),
};

/** One script that asks all of them; `readFacts` takes its output apart. */
export const factsScript = [
  ...Object.entries(facts).map(([name, probe]) => `echo '### ${name}'; { ${probe}\n} 2>&1; echo`),
  "echo '### calls'; /facts-probe",
].join("\n");

/** By name, white space at the ends taken off. */
export function readFacts(output: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const part of output.split(/^### /m).slice(1)) {
    const [name = "", ...lines] = part.split("\n");
    if (name === "calls") {
      for (const line of lines.filter(Boolean)) {
        const colon = line.indexOf(": ") >= 0 ? line.indexOf(": ") : line.indexOf(":");
        found.set(line.slice(0, colon), line.slice(colon + 1).trim());
      }
    } else found.set(name, lines.join(" ").trim());
  }
  return found;
}
