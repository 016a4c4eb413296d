/** Layers on the real file system: everything an archive says, and nothing outside the layer's directory. */
import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Step } from "../../src/kernel/step.ts";
import { type ByteString, byteStringOfText, plainEntry, type TarEntry } from "../../src/spec/tar-entry.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../src/spec/tar-writer.ts";
import { describeTree, makeTree, seeded } from "../conformance/tar/tree.ts";
import { kernelTest } from "./harness.ts";
import { openPlan, unpackArchive } from "./layer.ts";

const needs = ["root", "executor"] as const;

const text = byteStringOfText;
const plain: TarEntry = { ...plainEntry, path: text("a"), mode: 0o644, mtimeNs: 1_000_000_000n };

function archive(...entries: readonly (Partial<TarEntry> & { readonly content?: string })[]): Buffer {
  const parts = entries.flatMap(({ content = "", ...entry }) => {
    const size = entry.size ?? Buffer.byteLength(content);
    return [encodeTarHeader({ ...plain, ...entry, size }), Buffer.from(content), tarPadding(content.length)];
  });
  return Buffer.concat([...parts, tarEnd]);
}

const attributesOf = (path: string, ...names: string[]): string =>
  execFileSync("getfattr", ["-h", "--absolute-names", "-e", "hex", "-m", "-", "-d", path, ...names]).toString();

/** Of a whole tree, file by file, in the order of their names: a directory has an order of its own. */
const allAttributes = (path: string): string[] =>
  execFileSync("getfattr", ["-R", "-P", "-h", "-d", "-e", "hex", "."], { cwd: path }).toString().split("\n\n").sort();

for (let seed = 1; seed <= Number(process.env["ORLOP_TAR_TREES"] ?? 5); seed++)
  kernelTest(
    `random tree ${seed} is unpacked as GNU tar had it, compressed or not`,
    [...needs],
    async ({ directory }) => {
      const tree = join(directory, "tree");
      mkdirSync(tree);
      makeTree(tree, seeded(seed + 500), { longNames: true, xattrs: true, sparse: true });
      const tar = join(directory, "archive.tar");
      execFileSync("tar", ["-C", tree, "--format=pax", "--xattrs", "-S", "-cf", tar, "."]);
      const bytes = readFileSync(tar);
      for (const [name, blob] of Object.entries({
        none: bytes,
        gzip: gzipSync(bytes),
        zstd: zstdCompressSync(bytes),
      })) {
        const unpacked = join(directory, name);
        await unpackArchive(bytes, { directory: unpacked }, blob);
        expect(describeTree(unpacked)).toEqual(describeTree(tree));
        expect(allAttributes(unpacked)).toEqual(allAttributes(tree));
      }
    },
  );

kernelTest("capabilities survive the owner and the content", [...needs], async ({ directory }) => {
  const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
  const tar = archive({
    uid: 7,
    gid: 8,
    mode: 0o4755,
    content: "program",
    xattrs: [[text("security.capability"), capability]],
  });
  await unpackArchive(tar, { directory: join(directory, "l") });
  const path = join(directory, "l/a");
  expect(attributesOf(path)).toContain(`security.capability=0x${capability.toString("hex")}`);
  const { uid, gid, mode, mtimeMs } = statSync(path);
  expect([uid, gid, mode & 0o7777, mtimeMs]).toEqual([7, 8, 0o4755, 1000]);
});

kernelTest("a sparse file keeps its holes", [...needs], async ({ directory }) => {
  const source = join(directory, "s");
  execFileSync(
    "sh",
    ["-c", `truncate -s 64M ${source} && printf x | dd of=${source} bs=1 seek=40000000 conv=notrunc`],
    {
      stdio: "ignore",
    },
  );
  execFileSync("tar", ["-C", directory, "-S", "-cf", join(directory, "s.tar"), "s"]);
  await unpackArchive(readFileSync(join(directory, "s.tar")), { directory: join(directory, "l") });
  const unpacked = statSync(join(directory, "l/s"));
  expect(unpacked.size).toBe(64 << 20);
  expect(unpacked.blocks).toBeLessThan(64);
});

kernelTest("whiteouts become overlayfs's marks, in any order", [...needs], async ({ directory }) => {
  const layer = join(directory, "l");
  const tar = archive(
    { path: text("d"), kind: "directory" },
    { path: text("d/.wh.gone") },
    { path: text("o"), kind: "directory" },
    { path: text("o/.wh..wh..opq") },
    { path: text(".wh.again") },
    { path: text("again"), kind: "directory" },
    { path: text("before"), kind: "directory" },
    { path: text(".wh.before") },
    { path: text("kept"), content: "k" },
    { path: text(".wh.kept") },
    { path: text(".wh..wh.plnk"), content: "aufs" },
  );
  await unpackArchive(tar, { directory: layer });
  const gone = lstatSync(join(layer, "d/gone"));
  expect([gone.isCharacterDevice(), gone.rdev]).toEqual([true, 0]);
  for (const name of ["o", "again", "before"])
    expect(attributesOf(join(layer, name))).toContain("trusted.overlay.opaque=0x79");
  expect(attributesOf(join(layer, "d"))).not.toContain("opaque");
  expect(readFileSync(join(layer, "kept"), "utf8")).toBe("k");
  expect(readdirSync(layer).sort()).toEqual(["again", "before", "d", "kept", "o"]);
});

kernelTest("the overlay of two layers shows what the archive means", [...needs, "overlay"], async (scratch) => {
  const at = (name: string): string => join(scratch.directory, name);
  const lower = archive(
    { path: text("d"), kind: "directory" },
    { path: text("d/one"), content: "1" },
    { path: text("d/two"), content: "2" },
    { path: text("o"), kind: "directory" },
    { path: text("o/old"), content: "old" },
    { path: text("f"), content: "file" },
  );
  const upper = archive(
    { path: text("d/.wh.one") },
    { path: text("o"), kind: "directory" },
    { path: text("o/.wh..wh..opq") },
    { path: text("o/new"), content: "new" },
    { path: text(".wh.f") },
    { path: text("f"), kind: "directory" },
  );
  await unpackArchive(lower, { directory: at("lower") });
  const { implied } = await unpackArchive(upper, { directory: at("upper") });
  expect(implied).toEqual(["d"]);
  mkdirSync(at("m"));
  execFileSync("mount", ["-t", "overlay", "overlay", "-o", `lowerdir=${at("upper")}:${at("lower")}`, at("m")]);
  scratch.defer(() => void execFileSync("umount", [at("m")]));
  const shown = execFileSync("find", [at("m"), "-mindepth", "1", "-printf", "%P\n"])
    .toString()
    .trim()
    .split("\n")
    .sort();
  expect(shown).toEqual(["d", "d/two", "f", "o", "o/new"]);
});

kernelTest("later entries take the place of earlier ones", [...needs], async ({ directory }) => {
  const tar = archive(
    { path: text("a"), content: "first" },
    { path: text("a"), content: "2nd", mode: 0o600 },
    { path: text("b"), kind: "symlink", link: text("a") },
    { path: text("b"), content: "not through the link" },
    { path: text("c"), kind: "directory" },
    { path: text("c"), kind: "symlink", link: text("/etc") },
    { path: text("e"), kind: "symlink", link: text("/nowhere") },
    { path: text("e"), kind: "directory", mode: 0o711 },
    { path: text("e/f"), content: "inside" },
  );
  const layer = join(directory, "l");
  await unpackArchive(tar, { directory: layer });
  expect(readFileSync(join(layer, "a"), "utf8")).toBe("2nd");
  expect(readFileSync(join(layer, "b"), "utf8")).toBe("not through the link");
  expect(lstatSync(join(layer, "c")).isSymbolicLink()).toBe(true);
  expect(readFileSync(join(layer, "e/f"), "utf8")).toBe("inside");
});

kernelTest(
  "entries lie where they belong, in whatever order they come, however deep",
  [...needs],
  async ({ directory }) => {
    const deep = (depth: number): string => Array.from({ length: depth }, (_, i) => `d${i}/`).join("");
    const depths = [100, 40, 99, 0, 63, 64, 65, 100, 66, 1, 130, 64];
    const files = depths.map((depth, i) => ({ path: text(`${deep(depth)}f${i}`), content: `${i}` }));
    const again = [
      { path: text("ab/"), kind: "directory" as const },
      { path: text("a/b/"), kind: "directory" as const },
      { path: text("a/b"), content: "a file meanwhile" },
      { path: text("ab/c"), content: "its neighbour" },
      { path: text("a/b/"), kind: "directory" as const },
      { path: text("a/b/c"), content: "in the new directory" },
    ];
    const layer = join(directory, "l");
    await unpackArchive(archive(...files, ...again), { directory: layer });
    for (const { path, content } of files) expect(readFileSync(join(layer, path), "utf8")).toBe(content);
    expect(readFileSync(join(layer, "a/b/c"), "utf8")).toBe("in the new directory");
    expect(readFileSync(join(layer, "ab/c"), "utf8")).toBe("its neighbour");
  },
);

kernelTest("what the planner would refuse, the executor cannot do either", [...needs], async ({ directory }) => {
  const why = "a test";
  const outside = join(directory, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "file"), "mine");
  const bytes = (name: string): Uint8Array => Buffer.from(name);
  const attributes = { mode: 0o644, uid: 0, gid: 0, mtimeNs: 0, why };
  const link: Step = {
    op: "layer-symlink",
    path: bytes("link"),
    target: bytes(outside),
    uid: 0,
    gid: 0,
    mtimeNs: 0,
    why,
  };
  const file = (path: string): Step => ({ op: "layer-file", path: bytes(path), size: 0, ...attributes });
  const attempts: readonly (readonly [string, readonly Step[]])[] = [
    ["EINVAL", [file("../outside/new")]],
    ["EINVAL", [file("..")]],
    ["EINVAL", [file("")]],
    ["EINVAL", [file("a/")]],
    ["EINVAL", [file("a\0b")]],
    ["EINVAL", [file("/etc/orlop-test")]],
    ["ENOTDIR", [link, file("link/new")]],
    ["ENOTDIR", [link, { op: "layer-directory", path: bytes("link/d"), mode: 0o755, uid: 0, gid: 0, why }]],
    ["ENOTDIR", [link, { op: "layer-link", path: bytes("hard"), target: bytes("link/file"), why }]],
    ["EINVAL", [{ op: "layer-link", path: bytes("hard"), target: bytes("../outside/file"), why }]],
    ["ENOTDIR", [link, { op: "layer-opaque", path: bytes("link"), why }]],
    ["ENOTDIR", [link, { op: "layer-whiteout", path: bytes("link/file"), why }]],
    ["ENAMETOOLONG", [file("n".repeat(256))]],
    ["EFBIG", [file("a"), { op: "layer-data", offset: 0, data: bytes("too much"), why }]],
    ["EBADF", [{ op: "layer-data", offset: 0, data: bytes("x"), why }]],
  ];
  for (const [i, [errno, steps]] of attempts.entries()) {
    const layer = join(directory, `l${i}`);
    mkdirSync(layer);
    const plan = openPlan();
    plan.add({ op: "layer", path: layer, why });
    for (const step of steps) plan.add(step);
    expect(await plan.end().catch((error) => error.errno)).toBe(errno);
  }
  expect(readdirSync(outside)).toEqual(["file"]);
  expect(readFileSync(join(outside, "file"), "utf8")).toBe("mine");
  expect(existsSync("/etc/orlop-test")).toBe(false);
});

kernelTest("a link inside the archive is never written through", [...needs], async ({ directory }) => {
  const outside = join(directory, "outside");
  mkdirSync(outside);
  const tar = archive({ path: text("x"), kind: "symlink", link: text(outside) }, { path: text("x/y"), content: "no" });
  const attempt = unpackArchive(tar, { directory: join(directory, "l") });
  expect(await attempt.catch((error) => error.message)).toContain(
    '"x/y" is refused: "x", which it lies in, is not a directory',
  );
  expect(readdirSync(outside)).toEqual([]);
});

kernelTest("a wrong diff id is found before the layer can be used", [...needs], async ({ directory }) => {
  const tar = archive({ content: "x" });
  const other = archive({ content: "y" });
  const attempt = unpackArchive(tar, { directory: join(directory, "l") }, other);
  expect(await attempt.catch((error) => error.message)).toContain("the unpacked layer does not match its digest");
});

kernelTest(
  "of a blob that somebody else hashes, the tar inside is still looked at",
  [...needs],
  async ({ directory }) => {
    const tar = archive({ content: "x" });
    const other = archive({ content: "y" });
    const unpack = (name: string, blob: Uint8Array) =>
      unpackArchive(tar, { directory: join(directory, name), isBlobHashed: true }, blob).catch(
        (error) => error.message,
      );
    expect(await unpack("gzip", gzipSync(other))).toContain("the unpacked layer does not match its digest");
    expect(await unpack("cut", other.subarray(0, 700))).toContain("it ends in the middle of an entry");
    expect(await unpack("plain", other)).toMatchObject({ contentBytes: 1 }); // its own digest is not this one: who hashes it says so
  },
);

kernelTest("a full disk is said in words", [...needs], async (scratch) => {
  const disk = join(scratch.directory, "disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]);
  scratch.defer(() => void execFileSync("umount", ["-l", disk])); // the task may be on its way out
  const tar = archive({ path: text("big" as string) as ByteString, content: "b".repeat(3_000_000) });
  const attempt = unpackArchive(tar, { directory: join(disk, "l") });
  expect(await attempt.catch((error) => error.message)).toBe(
    "unpacking the layer failed: no space left on device (big)",
  );
});
