/** What the disk begins to write before anybody syncs it. */

import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tarOfFiles } from "../images/layer-tar.ts";
import { randomBytes } from "../registry/pulling.ts";
import { waitUntil } from "../wait-until.ts";
import { runSteps } from "./child.ts";
import { kernelTest, type Scratch } from "./harness.ts";
import { unpackArchive } from "./layer.ts";

const needs = ["root", "executor"] as const;
const large = randomBytes(8 << 20, 1);
/** Left alone, the kernel waits until a page is 30 seconds old. */
const soonMs = 4000;

interface Disk {
  readonly path: string;
  /** Of all writes so far. */
  writtenBytes(): number;
}

function openDisk({ directory, defer }: Scratch): Disk {
  const image = join(directory, "image");
  const path = join(directory, "disk");
  writeFileSync(image, "");
  truncateSync(image, 64 << 20);
  execFileSync("mkfs.ext4", ["-q", "-m", "0", image]);
  mkdirSync(path);
  execFileSync("mount", ["-o", "loop", image, path]);
  defer(() => void execFileSync("umount", [path]));
  const device = execFileSync("findmnt", ["-n", "-o", "SOURCE", path]).toString().trim().replace("/dev/", "");
  execFileSync("sync", ["-f", path]);
  const sectorsField = 6;
  return {
    path,
    writtenBytes: () =>
      512 * Number(readFileSync(`/sys/block/${device}/stat`, "utf8").trim().split(/\s+/)[sectorsField]),
  };
}

kernelTest("write-back begins with a part of a file, or syncs all of it", [...needs], async (scratch) => {
  const { path, writtenBytes } = openDisk(scratch);
  const file = join(path, "file");
  const before = writtenBytes();
  writeFileSync(file, large);
  await runSteps([{ op: "write-back", path: file, offset: 0, size: 4 << 20, sync: 0 }]);
  await waitUntil(() => writtenBytes() - before >= 4 << 20, soonMs, "the first half is written");
  expect(writtenBytes() - before).toBeLessThan(6 << 20);
  await runSteps([{ op: "write-back", path: file, offset: 0, size: 0, sync: 1 }]);
  expect(writtenBytes() - before).toBeGreaterThanOrEqual(8 << 20);
  await expect(
    runSteps([{ op: "write-back", path: join(path, "none"), offset: 0, size: 0, sync: 1 }]),
  ).rejects.toMatchObject({ errno: "ENOENT" });
});

kernelTest("a layer's large files are written while it is unpacked", [...needs], async (scratch) => {
  const { path, writtenBytes } = openDisk(scratch);
  const before = writtenBytes();
  await unpackArchive(tarOfFiles({ large, small: randomBytes(100_000, 2) }), { directory: join(path, "layer") });
  await waitUntil(() => writtenBytes() - before >= large.length, soonMs, "the large one is written");
});
