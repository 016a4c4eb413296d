/** The tar reader and writer against GNU tar, libarchive's bsdtar and Python's tarfile, on random trees. */
import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TarEntry } from "../../../src/spec/tar-entry.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../../src/spec/tar-writer.ts";
import { describeEntries, type ReadEntry, readTar } from "./read.ts";
import { describeTree, makeTree, seeded } from "./tree.ts";

const treeCount = Number(process.env["ORLOP_TAR_TREES"] ?? 3);
const seeds = Array.from({ length: treeCount }, (_, i) => i + 1);

const python = (format: string): string =>
  `import sys, tarfile
with tarfile.open(sys.argv[1], "w", format=tarfile.${format}) as archive: archive.add(sys.argv[2], ".")`;

/** It refuses names that the locale's character set has no room for, and a machine without a locale has ASCII. */
const bsdtar = ["env", "LC_ALL=C.UTF-8", "bsdtar"] as const;

interface Writer {
  readonly name: string;
  readonly longNames: boolean;
  readonly xattrs: boolean;
  readonly sparse: boolean;
  /** Devices and pipes; all but v7 have them. */
  readonly special?: false;
  readonly command: (archive: string, tree: string) => readonly string[];
}

const all = { longNames: true, xattrs: true, sparse: true };
const gnuTar = (...options: string[]): Writer["command"] => {
  return (archive, tree) => ["tar", "-C", tree, ...options, "-cf", archive, "."];
};
const writers: readonly Writer[] = [
  { name: "GNU tar, ustar", longNames: false, xattrs: false, sparse: false, command: gnuTar("--format=ustar") },
  {
    name: "GNU tar, v7",
    longNames: false,
    xattrs: false,
    sparse: false,
    special: false,
    command: gnuTar("--format=v7"),
  },
  { name: "GNU tar, gnu", ...all, xattrs: false, command: gnuTar("--format=gnu") },
  { name: "GNU tar, old sparse", ...all, xattrs: false, command: gnuTar("--format=gnu", "-S") },
  { name: "GNU tar, pax", ...all, command: gnuTar("--format=pax", "--xattrs") },
  { name: "GNU tar, sparse 0.0", ...all, command: gnuTar("--format=pax", "-S", "--sparse-version=0.0", "--xattrs") },
  { name: "GNU tar, sparse 0.1", ...all, command: gnuTar("--format=pax", "-S", "--sparse-version=0.1", "--xattrs") },
  { name: "GNU tar, sparse 1.0", ...all, command: gnuTar("--format=pax", "-S", "--sparse-version=1.0", "--xattrs") },
  { name: "bsdtar, pax", ...all, command: (a, t) => [...bsdtar, "--format=pax", "--xattrs", "-C", t, "-cf", a, "."] },
  {
    name: "bsdtar, gnu",
    ...all,
    xattrs: false,
    command: (a, t) => [...bsdtar, "--format=gnutar", "-C", t, "-cf", a, "."],
  },
  { name: "tarfile, pax", ...all, xattrs: false, command: (a, t) => ["python3", "-c", python("PAX_FORMAT"), a, t] },
  { name: "tarfile, gnu", ...all, xattrs: false, command: (a, t) => ["python3", "-c", python("GNU_FORMAT"), a, t] },
];

function withFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "orlop-tar-"));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What getfattr says, in the shape that `xattrsOf` gives. */
function treeXattrs(tree: string): string[] {
  const dump = execFileSync("getfattr", ["-R", "-P", "-h", "-d", "-m", "user", "-e", "hex", "."], {
    cwd: tree,
  }).toString();
  return dump
    .split("\n\n")
    .filter((part) => part.includes("user.note"))
    .map((part) => `${unescaped(/# file: (.*)/.exec(part)?.[1] ?? "")} ${/user.note=0x(.*)/.exec(part)?.[1]}`)
    .sort();
}

/** getfattr writes control characters and "=" as \ooo. */
function unescaped(name: string): string {
  return name.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function xattrsOf(entries: readonly ReadEntry[]): string[] {
  return entries
    .filter(({ entry }) => entry.kind !== "hardlink")
    .flatMap(({ entry }) =>
      entry.xattrs.map(
        ([, value]) => `${Buffer.from(entry.path.slice(2), "latin1")} ${Buffer.from(value).toString("hex")}`,
      ),
    )
    .sort();
}

describe("the reader", () => {
  for (const writer of writers)
    test.each(seeds)(`${writer.name}: tree %d reads as the file system has it`, (seed) =>
      withFolder((folder) => {
        const tree = join(folder, "tree");
        mkdirSync(tree);
        makeTree(tree, seeded(seed), writer);
        const archive = join(folder, "archive.tar");
        const [program = "", ...args] = writer.command(archive, tree);
        execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
        const entries = readTar(readFileSync(archive), [1, 511, 65_536, 512, 100_003]);
        expect(describeEntries(entries).map(withoutFirst).sort()).toEqual(describeTree(tree).map(withoutFirst).sort());
        if (writer.xattrs) expect(xattrsOf(entries)).toEqual(treeXattrs(tree).filter(firstOfLink(entries)));
      }),
    );
});

/** Which of several hard links comes first is the archive's choice: compare that they are the same file by content only. */
const withoutFirst = (line: string): string => line.replace(/ = .*$/, "");
/** A hard link's attributes travel with the first path (bsdtar repeats them). */
function firstOfLink(entries: readonly ReadEntry[]): (line: string) => boolean {
  const links = new Set(
    entries
      .filter(({ entry }) => entry.kind === "hardlink")
      .map(({ entry }) => Buffer.from(entry.path.slice(2), "latin1").toString()),
  );
  return (line) => !links.has(line.slice(0, line.lastIndexOf(" ")));
}

describe("the writer", () => {
  test.each(seeds)("tree %d, written by us, unpacks with GNU tar to the same files", (seed) =>
    withFolder((folder) => {
      const tree = join(folder, "tree");
      const copy = join(folder, "copy");
      mkdirSync(tree);
      mkdirSync(copy);
      makeTree(tree, seeded(seed + 1000), all);
      const original = join(folder, "original.tar");
      execFileSync("tar", ["-C", tree, "--format=pax", "--xattrs", "-cf", original, "."]);
      const ours = join(folder, "ours.tar");
      writeFileSync(ours, writeTar(readTar(readFileSync(original))));
      execFileSync("tar", ["-C", copy, "--xattrs", "-xpf", ours]);
      expect(describeTree(copy)).toEqual(describeTree(tree));
      expect(treeXattrs(copy)).toEqual(treeXattrs(tree));
      const listed = execFileSync("python3", [
        "-c",
        "import sys,tarfile; print(len(tarfile.open(sys.argv[1]).getmembers()))",
        ours,
      ]);
      expect(Number(listed)).toBe(readTar(readFileSync(ours)).length);
      execFileSync("env", [...bsdtar.slice(1), "-tf", ours]);
    }),
  );

  test("numbers, times and names that ustar cannot hold come back as they were", () => {
    const base = readTar(writeTar([]))[0];
    expect(base).toBeUndefined();
    const entries = extremes().map((entry) => ({ entry, content: Buffer.alloc(0) }));
    expect(readTar(writeTar(entries)).map(({ entry }) => entry)).toEqual(entries.map(({ entry }) => entry));
  });
});

function extremes(): TarEntry[] {
  const text = (value: string): TarEntry["path"] => value as TarEntry["path"];
  const plain: TarEntry = {
    kind: "file",
    path: text("a"),
    link: text(""),
    mode: 0o7777,
    uid: 0,
    gid: 0,
    user: text(""),
    group: text(""),
    size: 0,
    mtimeNs: 0n,
    major: 0,
    minor: 0,
    xattrs: [],
  };
  return [
    { ...plain, path: text("a".repeat(4096)) },
    { ...plain, path: text(`${"a".repeat(100)}/${"b".repeat(100)}`) },
    { ...plain, path: text(`${"a".repeat(155)}/${"b".repeat(99)}/`), kind: "directory" },
    { ...plain, path: text(`${"a/".repeat(127)}b`) },
    { ...plain, path: text("\xff\x01\n=") },
    { ...plain, kind: "symlink", link: text("t".repeat(4096)) },
    { ...plain, uid: 4_294_967_294, gid: 2_097_152, user: text("u".repeat(40)) },
    { ...plain, mtimeNs: -1n },
    { ...plain, mtimeNs: -1_500_000_000n },
    { ...plain, mtimeNs: 1_700_000_000_123_456_789n },
    { ...plain, mtimeNs: 99_999_999_999_000_000_000n },
    { ...plain, kind: "block", major: 4095, minor: 1_048_575 },
    { ...plain, xattrs: [[text("security.capability"), Buffer.from([0, 1, 10, 61, 255])]] },
  ];
}

function writeTar(entries: readonly ReadEntry[]): Buffer {
  const parts = entries.flatMap(({ entry, content }) => [encodeTarHeader(entry), content, tarPadding(entry.size)]);
  return Buffer.concat([...parts, tarEnd]);
}
