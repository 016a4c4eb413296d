/** ipvlan on a kernel that has it: Debian's, in a virtual machine. */

import { expect } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { testBesideOthers } from "../kernel/harness.ts";
import { makeGuestDisk } from "./guest-disk.ts";
import { fetchGuestKernel } from "./guest-kernel.ts";
import { runGuest } from "./run-guest.ts";

const repository = join(import.meta.dir, "../..");
const cache = join(repository, ".cache/vm");
const timeoutMs = 15 * 60_000;

const script = `
export NO_COLOR=1 ORLOP_TEST_SLOWNESS=10
ip link add link lo name probe type ipvlan 2>&1 | grep -q 'Unknown device type' && exit 1
bun test --timeout=600000 ./test/network/ipvlan.test.ts
`;

testBesideOthers(
  "containers of an ipvlan network reach each other and the wire, in a virtual machine whose kernel has it",
  ["root", "executor", "product", "qemu", "busybox", "ip"],
  async ({ directory }) => {
    mkdirSync(cache, { recursive: true });
    const kernel = fetchGuestKernel(cache);
    const disk = makeGuestDisk(directory, kernel, {
      repository,
      take: ["src", "test", "dist/test", "package.json", "tsconfig.json"],
      programs: ["bun", "ip", "nsenter", "unshare", "busybox"],
      modules: ["overlay", "veth", "ipvlan", "nf_tables", "nft_chain_nat", "nft_nat"],
      script,
    });
    const { exitCode, output } = await runGuest(kernel, disk, { timeoutMs });
    if (exitCode !== 0) console.log(output);
    expect(exitCode).toBe(0);
    expect(output).toContain("(pass) ipvlan: containers have addresses on the wire");
  },
  timeoutMs,
);
