/** What a container is, in layers: for somebody who meets one for the first time. Each layer shows its part of a real plan. */
import type { ExplainedStep } from "../client/explained-plan.ts";
import { wrap } from "../command/help.ts";
import { type Style, shortened } from "./explain-plan.ts";

interface Layer {
  readonly title: string;
  readonly text: string;
  readonly ops: readonly string[];
  /** Its most telling calls: these are shown first. */
  readonly telling: RegExp;
}

const introduction = `A container is not a small computer inside the computer. It is an ordinary process of this machine's kernel, which was told a few things before it began: what it may see, what its files are, how much it may use, and what it may do. This is what Orlop tells it, in order. The lines marked · are the real system calls of`;

/** In the order in which they take hold. A step belongs to the first layer that names its op. */
const layers: readonly Layer[] = [
  {
    title: "A process with its own view: namespaces",
    text: "clone3 makes a child, as any program does to start another. The flags give it namespaces: its own list of processes (in which it is number 1), its own mounts, network, host name, and message queues. What is not in them, it cannot name, and what it cannot name, it cannot touch.",
    ops: [
      "spawn",
      "unshare",
      "setns",
      "hostname",
      "domainname",
      "netlink",
      "try-netlink",
      "netlink-list",
      "socket-option",
      "unmount",
      "sysctl",
      "id-map",
      "await",
      "release",
    ],
    telling: /^(clone3|unshare|sethostname)/,
  },
  {
    title: "Files of its own: a root, and mounts",
    text: 'The image "host" is this machine\'s own root directory with a sheet of glass over it (an overlay): reading looks through, writing stays on the glass, and the glass is thrown away at the end. A fresh /proc, /dev and /sys belong to the new namespaces. pivot_root then makes this tree "/", and the old one is gone from view.',
    ops: [
      "overlay",
      "mount",
      "bind",
      "root",
      "root-mount",
      "root-move",
      "root-bind",
      "root-bind-below",
      "root-copy",
      "hold",
      "detach",
      "root-mkdir",
      "root-symlink",
      "root-mknod",
      "root-file",
      "propagation",
      "pivot",
      "mkdir",
      "spread",
      "file",
      "keep-open",
    ],
    telling: /^fsopen\("(overlay|proc|sysfs|devpts|tmpfs)"|^pivot_root/,
  },
  {
    title: "A share of the machine: cgroups and limits",
    text: "Namespaces hide, they do not limit. A cgroup is a group of processes that the kernel counts and bounds together: memory, CPU time, number of processes, devices. Whatever the container starts is born into its group, and the group is how all of it is stopped.",
    ops: [
      "write",
      "try-write",
      "device-program",
      "rlimit",
      "oom-score",
      "kill-group",
      "write-until",
      "usage",
      "watch-memory",
    ],
    telling: /cgroup\/(memory|pids|freezer)\b/,
  },
  {
    title: "Less power than root: what is taken away",
    text: "Inside, the process may be root; but root's power comes in pieces (capabilities), and it keeps only some. A filter (seccomp) answers the system calls that no container needs with an error. Some files of the kernel are covered, or made read-only. All containers share one kernel, so this is the wall.",
    ops: [
      "root-mask",
      "root-readonly",
      "root-attributes",
      "keyring",
      "bounding",
      "user",
      "capabilities",
      "no-new-privileges",
      "seccomp",
      "umask",
    ],
    telling: /^(seccomp|capset|prctl|keyctl)|proc\/kcore/,
  },
  {
    title: "And then it is just your program",
    text: "The child gets its terminal or pipes, changes to its directory, and calls execve: from here on it is the program, with no Orlop code in it. A small process outside, its monitor, stays as its parent: it keeps the log and waits for the exit code.",
    ops: [
      "stdio",
      "log",
      "exit-record",
      "listen",
      "terminal",
      "attach-stdio",
      "cwd",
      "ready",
      "continue",
      "gate",
      "open-init",
      "init",
      "exec",
      "target",
      "kill-target",
      "join",
      "enter",
    ],
    telling: /^(setsid|chdir|execve|dup2|close_range)/,
  },
];

/** A folder of the cgroup file system is made by the same step as any other, and belongs elsewhere. */
function layerOf(step: ExplainedStep): Layer | undefined {
  const op =
    step.side === "host" && step.calls.some((call) => call.startsWith('mkdir("/sys/fs/cgroup/')) ? "write" : step.op;
  return layers.find((layer) => layer.ops.includes(op));
}

/** Calls of each layer that are shown; the whole plan has them all. */
const shownCalls = 6;

/** @param commandLine  whose plan it is, e.g. "orlop run --rm -it host bash" */
export function renderLayers(steps: readonly ExplainedStep[], commandLine: string, style: Style): string {
  const parts = layers.map((layer, at) => {
    const calls = steps.filter((step) => layerOf(step) === layer).flatMap((step) => step.calls);
    const telling = calls.filter((call) => layer.telling.test(call));
    const chosen = [...new Set(telling.length > 0 ? telling : calls)].slice(0, shownCalls);
    const shown = chosen.map((call) => style.dim(shortened(`  · ${call}`)));
    const rest = calls.length - chosen.length;
    const more = rest > 0 ? [style.dim(`  · and ${rest} more`)] : [];
    return [style.bold(`${at + 1}. ${layer.title}`), wrap(layer.text), ...shown, ...more].join("\n");
  });
  const closing = wrap(
    `That is ${steps.length} steps. All of them, each with its reason: orlop explain ${commandLine.replace(/^orlop /, "")}`,
  );
  return `${[wrap(`${introduction} \`${commandLine}\`.`), ...parts, closing].join("\n\n")}\n`;
}
