/**
 * Measures EROFS images (an index over the layer's own tar, which stays the data) against unpacked directories.
 *
 *   bun bench/erofs.ts [--rounds 3] [--tree /usr/share/doc]
 *
 * Pull: from a gzip blob on the disk to a layer that is verified, synced and can be mounted. Start: an overlay on it, in a mount
 * namespace of its own, and its end. First read: every file, caches dropped before. Without attributes and hard links.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { decompress } from "../src/images/decompress.ts";
import { GrowingFile } from "../src/images/layer-source.ts";
import { defaultLayerLimits } from "../src/images/plan-layer.ts";
import { unpackLayer } from "../src/images/unpack-layer.ts";
import { runOneShot } from "../src/kernel/executor-one-shot.ts";
import { CLONE_NEWNS, MS_REC, MS_SLAVE } from "../src/kernel/linux.ts";
import type { Step } from "../src/kernel/step.ts";
import { digestOfHex } from "../src/spec/digest.ts";
import type { TarEntry } from "../src/spec/tar-entry.ts";
import { TarReader } from "../src/spec/tar-reader.ts";
import { executorPath } from "../test/kernel/harness.ts";
import { openPlan } from "../test/kernel/layer.ts";
import { type IndexedEntry, makeErofsIndex } from "./erofs-image.ts";
import { describeMachine } from "./machine.ts";
import { figuresOf } from "./statistics.ts";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, tree: { type: "string", default: "/usr/share/doc" } },
});
const directory = mkdtempSync(join(tmpdir(), "orlop-erofs-"));
const at = (name: string): string => join(directory, name);
const readAll = "tar -C merged -cf - . | wc -c";
const times = new Map<string, number[]>();
/** mount(8) would put a loop device between: the kernel mounts the file itself. */
const python = `import ctypes, os, sys
c = ctypes.CDLL(None, use_errno=True)
image, place, tar = (os.fsencode(word) for word in sys.argv[1:])
sys.exit(os.strerror(ctypes.get_errno()) if c.mount(image, place, b"erofs", 1, b"device=" + tar) else 0)`;
const sh = (script: string): string =>
  execFileSync("sh", ["-ec", script], { cwd: directory, env: { ...process.env, PYTHON: python } }).toString();

try {
  console.log(describeMachine().join(" "));
  sh(`tar -C / --format=pax -cf layer.tar ${options.tree.slice(1)}; gzip -k -1 layer.tar; rm layer.tar`);
  const diffId = digestOfHex(sh("gzip -dc layer.tar.gz | sha256sum").slice(0, 64));
  const makers = { directory: () => unpack(diffId), erofs: () => index(diffId) } as const;
  for (const name of ["up", "work", "low", "merged"]) mkdirSync(at(name));
  for (let round = 0; round < Number(options.rounds); round++)
    for (const kind of ["directory", "erofs"] as const) {
      sh("rm -rf dir erofs.img erofs.tar; sync");
      await timed(`${kind}: pull`, makers[kind]);
      await timed(`${kind}: mount in a namespace of its own`, () => mountOnce(kind));
      sh(mountScript(kind));
      try {
        sh("sync; echo 3 > /proc/sys/vm/drop_caches; tar --help >/dev/null; wc -c </dev/null");
        await timed(`${kind}: first read of everything`, async () => sh(readAll));
        await timed(`${kind}: second read of everything`, async () => sh(readAll));
        if (round === 0)
          console.log(
            `${kind}: ${sh("cd merged; find . -type f -links 1 | sort | xargs -d '\\n' sha256sum | sha256sum")}`,
          );
      } finally {
        sh(`umount merged up; ${kind === "erofs" ? "umount low" : "true"}`);
      }
      const size = sh(kind === "directory" ? "du -sk dir | cut -f1" : "du -ck erofs.img erofs.tar | tail -1 | cut -f1");
      times.set(`${kind}: disk (KiB)`, [Number(size)]);
    }
  for (const [what, all] of times) console.log(`${what.padEnd(48)} ${figuresOf(all).median.toFixed(0)}`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function mountScript(kind: "directory" | "erofs"): string {
  const low = kind === "erofs" ? 'python3 -c "$PYTHON" $PWD/erofs.img $PWD/low $PWD/erofs.tar; low=low' : "low=dir";
  return `mount -t tmpfs t up; mkdir up/u up/w; ${low}; mount -t overlay o -o lowerdir=$low,upperdir=up/u,workdir=up/w merged`;
}

/** As the executor does it at a container's start. */
async function mountOnce(kind: "directory" | "erofs"): Promise<void> {
  const why = "measured";
  const steps: Step[] = [
    { op: "unshare", flags: CLONE_NEWNS, why },
    { op: "propagation", path: "/", flags: MS_REC | MS_SLAVE, why },
    { op: "mount", fstype: "tmpfs", source: "t", target: at("up"), attributes: 0, options: [], why },
    { op: "mkdir", path: at("up/u"), mode: 0o755, why },
    { op: "mkdir", path: at("up/w"), mode: 0o755, why },
  ];
  if (kind === "erofs") {
    const options = [`device=${at("erofs.tar")}`];
    steps.push({
      op: "mount",
      fstype: "erofs",
      source: at("erofs.img"),
      target: at("low"),
      attributes: 1,
      options,
      why,
    });
  }
  const lowers = [at(kind === "erofs" ? "low" : "dir")];
  steps.push({ op: "overlay", target: at("merged"), lowers, upper: at("up/u"), work: at("up/w"), options: [], why });
  await runOneShot(steps, { executable: executorPath });
}

async function timed(what: string, run: () => Promise<unknown>): Promise<void> {
  const began = performance.now();
  await run();
  times.set(what, [...(times.get(what) ?? []), performance.now() - began]);
}

async function unpack(diffId: ReturnType<typeof digestOfHex>): Promise<void> {
  mkdirSync(at("dir"));
  const { size } = statSync(at("layer.tar.gz"));
  using source = new GrowingFile([at("layer.tar.gz")], size, size);
  await unpackLayer({ source, diffId, directory: at("dir"), plan: openPlan(), limits: defaultLayerLimits, sync: true });
}

/** The tar is kept as it is, and its index made while it streams by. */
async function index(diffId: ReturnType<typeof digestOfHex>): Promise<void> {
  const entries: IndexedEntry[] = [];
  const hash = createHash("sha256");
  let written = 0;
  let pieceAt = 0;
  let piece: Uint8Array = new Uint8Array(0);
  let last: { entry: TarEntry; offset: number } | undefined;
  const reader = new TarReader({
    entry: (entry) => {
      last = { entry, offset: 0 };
      entries.push(last);
    },
    data: (chunk, offset) => {
      if (offset === 0 && last !== undefined) last.offset = pieceAt + (chunk.byteOffset - piece.byteOffset);
    },
    finish: () => undefined,
  });
  await using tar = await open(at("erofs.tar"), "w");
  for await (const bytes of decompress(createReadStream(at("layer.tar.gz"), { highWaterMark: 256 * 1024 }))) {
    piece = bytes;
    pieceAt = written;
    hash.update(bytes);
    reader.write(bytes);
    await tar.write(bytes);
    written += bytes.length;
  }
  reader.end();
  if (digestOfHex(hash.digest("hex")) !== diffId) throw new Error("another tar");
  await using image = await open(at("erofs.img"), "w");
  await image.write(makeErofsIndex(entries, written));
  await image.sync();
  await tar.sync();
}
