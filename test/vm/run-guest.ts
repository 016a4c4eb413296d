/** Boots the virtual machine, and gives what its task printed. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { endMark, type GuestDisk } from "./guest-disk.ts";
import type { GuestKernel } from "./guest-kernel.ts";

export interface GuestResult {
  /** Of the task; undefined when the guest never came so far. */
  readonly exitCode: number | undefined;
  /** The serial console's. */
  readonly output: string;
}

const memory = "1536M";

/** Software emulation unless told otherwise, so that it runs inside any other virtual machine too. */
const accelerator = process.env["ORLOP_VM_ACCELERATOR"] ?? "tcg,thread=multi";

/** @param timeoutMs after which the machine is switched off */
export async function runGuest(
  kernel: GuestKernel,
  { initramfs, disk }: GuestDisk,
  timeoutMs: number,
): Promise<GuestResult> {
  const machine = ["-M", "pc", "-accel", accelerator, "-cpu", "max", "-smp", "2", "-m", memory, "-no-reboot"];
  const boot = ["-kernel", kernel.image, "-initrd", initramfs, "-append", "console=ttyS0 quiet panic=-1 rdinit=/init"];
  const devices = ["-drive", `file=${disk},format=raw,if=virtio,cache=unsafe`, "-nic", "none"];
  const console = ["-nodefaults", "-display", "none", "-serial", "stdio"];
  const child = spawn("qemu-system-x86_64", [...machine, ...boot, ...devices, ...console], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  await once(child, "close");
  const text = output.replaceAll("\r", "");
  const ended = new RegExp(`^${endMark} (\\d+)$`, "m").exec(text);
  return { exitCode: ended === null ? undefined : Number(ended[1]), output: text };
}
