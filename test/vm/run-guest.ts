/** Boots the virtual machine, and gives what its task printed. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { endMark, type GuestDisk } from "./guest-disk.ts";
import type { GuestKernel } from "./guest-kernel.ts";

export interface GuestResult {
  /** Of the task; undefined when the guest never came so far. */
  readonly exitCode: number | undefined;
  /** The serial console's. */
  readonly output: string;
}

export interface GuestOptions {
  /** After which the machine is switched off. */
  readonly timeoutMs: number;
  /** Words of the kernel's command line, which the task finds in /proc/cmdline. */
  readonly words?: readonly string[];
  /** Takes each line of the console as it comes. */
  readonly onLine?: (line: string, machine: RunningMachine) => void;
}

export interface RunningMachine {
  /** Switches it off, as a power cut does. */
  cut(): void;
  /** A line to its console. */
  type(line: string): void;
}

const memory = "1536M";

/** Software emulation unless told otherwise, so that it runs inside any other virtual machine too. */
const accelerator = process.env["ORLOP_VM_ACCELERATOR"] ?? "tcg,thread=multi";

export async function runGuest(kernel: GuestKernel, disk: GuestDisk, options: GuestOptions): Promise<GuestResult> {
  const child = startMachine(kernel, disk, options);
  child.stdin?.on("error", () => undefined); // the machine may be off by then
  const machine: RunningMachine = {
    cut: () => void child.kill("SIGKILL"),
    type: (line) => void child.stdin?.write(`${line}\n`),
  };
  const lines: string[] = [];
  const take = (line: string): void => {
    lines.push(line);
    options.onLine?.(line, machine);
  };
  const readers = [child.stdout, child.stderr].map((input) =>
    createInterface({ input: input as NonNullable<typeof input>, crlfDelay: Number.POSITIVE_INFINITY }),
  );
  for (const reader of readers) reader.on("line", take);
  await once(child, "close");
  const output = lines.join("\n").replaceAll("\r", "");
  const ended = new RegExp(`^${endMark} (\\d+)$`, "m").exec(output);
  return { exitCode: ended === null ? undefined : Number(ended[1]), output };
}

function startMachine(kernel: GuestKernel, disk: GuestDisk, { timeoutMs, words = [] }: GuestOptions): ChildProcess {
  // no_timer_check: on a busy machine the emulated timer may be late, and the kernel would take it for a broken one and stop.
  const own = ["console=ttyS0", "quiet", "panic=-1", "no_timer_check", "rdinit=/init"];
  const append = [...own, ...words].join(" ");
  const machine = ["-M", "pc", "-accel", accelerator, "-cpu", "max", "-smp", "2", "-m", memory, "-no-reboot"];
  const boot = ["-kernel", kernel.image, "-initrd", disk.initramfs, "-append", append];
  // what the guest has written stays when the machine is killed, as the host's pages: a flush need not reach the host's disk
  const devices = ["-drive", `file=${disk.disk},format=raw,if=virtio,cache=unsafe`, "-nic", "none"];
  const console = ["-nodefaults", "-display", "none", "-serial", "stdio"];
  return spawn("qemu-system-x86_64", [...machine, ...boot, ...devices, ...console], {
    stdio: ["pipe", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
}
