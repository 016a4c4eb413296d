/** Volumes on an NFS server: Debian's kernel serves itself, in a virtual machine. */

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

/**
 * What exportfs, rpc.mountd and rpc.nfsd would say: who the client is, what it may have (no root squash, any port, fsid 0, so that
 * it is NFSv4's root), and which directory that is. Other versions would want a port mapper.
 */
const script = `
export NO_COLOR=1 ORLOP_TEST_SLOWNESS=10
mkdir -p /srv/export
mount -t tmpfs export /srv/export
mount -t nfsd nfsd /proc/fs/nfsd || exit 1
never=2147483647
echo "nfsd 127.0.0.1 $never guest" >/proc/net/rpc/auth.unix.ip/channel || exit 1
echo "guest /srv/export $never 9234 65534 65534 0" >/proc/net/rpc/nfsd.export/channel || exit 1
echo "guest 1 \\\\x00000000 $never /srv/export" >/proc/net/rpc/nfsd.fh/channel || exit 1
echo "-3 +4 +4.1 +4.2" >/proc/fs/nfsd/versions || exit 1
echo 10 >/proc/fs/nfsd/nfsv4gracetime
echo "tcp 2049" >/proc/fs/nfsd/portlist || exit 1
echo 2 >/proc/fs/nfsd/threads || exit 1
echo Y >/proc/fs/nfsd/v4_end_grace
bun test --timeout=600000 ./test/api/nfs-volume.test.ts
`;

testBesideOthers(
  "a container's volume lies on an NFS server, in a virtual machine that is one",
  ["root", "executor", "product", "qemu", "busybox"],
  async ({ directory }) => {
    mkdirSync(cache, { recursive: true });
    const kernel = fetchGuestKernel(cache);
    const disk = makeGuestDisk(directory, kernel, {
      repository,
      take: ["src", "test", "dist/test", "package.json", "tsconfig.json"],
      programs: ["bun", "ip", "nsenter", "unshare", "busybox"],
      modules: ["overlay", "nfsd", "nfsv4"],
      files: { "etc/hosts": "127.0.0.1 localhost\n127.0.0.1 files\n" },
      script,
    });
    const { exitCode, output } = await runGuest(kernel, disk, { timeoutMs });
    if (exitCode !== 0) console.log(output);
    expect(exitCode).toBe(0);
    expect(output).toContain("(pass) an NFS volume's server is looked up");
  },
  timeoutMs,
);
