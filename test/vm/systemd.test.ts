/** `orlop service` under a real systemd on cgroup v2: installed, restarted, and the machine rebooted. */

import { expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { testBesideOthers } from "../kernel/harness.ts";
import { makeGuestDisk } from "./guest-disk.ts";
import { fetchGuestKernel } from "./guest-kernel.ts";
import { runGuest } from "./run-guest.ts";
import { afterBoot, beforeBoot } from "./systemd-script.ts";

const repository = join(import.meta.dir, "../..");
const cache = join(repository, ".cache/vm");
const timeoutMs = 30 * 60_000;

const modules = [
  ...["overlay", "bridge", "veth", "nf_tables", "nft_chain_nat", "nft_masq", "nft_nat", "nft_ct", "nft_fib_inet"],
  ...["nft_reject_inet", "nf_conntrack_netlink"],
];

testBesideOthers(
  "systemd keeps the socket, leaves containers through its restarts, and a boot brings them back",
  ["root", "product", "qemu", "busybox", "systemd", "docker"],
  async ({ directory }) => {
    mkdirSync(cache, { recursive: true });
    const kernel = fetchGuestKernel(cache);
    const disk = makeGuestDisk(directory, kernel, {
      repository,
      take: ["dist/orlop", "dist/orlop-program", "dist/orlop-executor"],
      programs: ["docker", "nft", "ip", "mount", "umount", "sleep"],
      modules,
      systemd: true,
      script: `if [ -e /rebooted ]; then sh /after; else sh /before; fi\n`,
      files: { before: beforeBoot, after: afterBoot },
    });
    for (const boot of ["first", "second"]) {
      const { exitCode, output } = await runGuest(kernel, disk, { timeoutMs });
      if (exitCode !== 0) console.log(output);
      expect({ boot, exitCode }).toEqual({ boot, exitCode: 0 });
    }
  },
  2 * timeoutMs,
);
