/** Trees read out on the real file system: everything that an archive can say, and nothing outside. */
import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { StreamedStepFailure } from "../../src/kernel/plan-stream.ts";
import type { TreeNode, TreeRecord } from "../../src/kernel/tree-record.ts";
import { TreeTar } from "../../src/storage/tree-tar.ts";
import { describeEntries, readTar } from "../conformance/tar/read.ts";
import { describeTree, makeTree, seeded } from "../conformance/tar/tree.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest } from "./harness.ts";
import { archiveTree, openTree, walkSteps, walkTree } from "./tree.ts";

const needs = ["root", "executor"] as const;

const nodesOf = (records: readonly TreeRecord[]): Map<string, TreeNode> =>
  new Map(records.flatMap((record) => (record.kind === "entry" ? [[record.node.path, record.node]] : [])));
const contentOf = (records: readonly TreeRecord[]): string =>
  records.map((record) => (record.kind === "content" ? Buffer.from(record.bytes).toString("latin1") : "")).join("");
/** Of every file, in an order that is no file system's. */
const getfattr = (tree: string): string[] =>
  execFileSync("getfattr", ["-R", "-P", "-h", "-d", "-m", "user", "-e", "hex", "."], { cwd: tree })
    .toString()
    .split("\n\n")
    .sort();
const python = `import sys, tarfile
tarfile.open(sys.argv[1]).extractall(sys.argv[2], numeric_owner=True)`;

for (let seed = 1; seed <= Number(process.env["ORLOP_TAR_TREES"] ?? 4); seed++)
  kernelTest(
    `random tree ${seed} as an archive unpacks with GNU tar, bsdtar and Python to the same files`,
    needs,
    async ({ directory }) => {
      const tree = join(directory, "tree");
      mkdirSync(tree);
      makeTree(tree, seeded(seed + 900), { longNames: true, xattrs: true, sparse: true });
      const sparse = seed % 2 === 0 ? 4096 : 0; // every other tree with its holes
      const tar = join(directory, "archive.tar");
      writeFileSync(tar, await archiveTree({ root: tree, sparse }));
      const unpackers: Record<string, (to: string) => readonly [string, ...string[]]> = {
        gnu: (to) => ["tar", "-C", to, "--xattrs", "--numeric-owner", "-xpf", tar],
        // It refuses names that the locale has no room for.
        bsdtar: (to) => ["env", "LC_ALL=C.UTF-8", "bsdtar", "-C", to, "--numeric-owner", "-xpf", tar],
        python: (to) => ["python3", "-c", python, tar, to],
      };
      // Python has floating-point times, and none for links
      const seconds = (line: string): string =>
        line.replace(/ (\d{10})\d{9} /, " $1 ").replace(/ (120777 \S+) \d+ /, " $1 ");
      for (const [name, command] of Object.entries(unpackers)) {
        const copy = join(directory, name);
        mkdirSync(copy);
        const [program, ...words] = command(copy);
        execFileSync(program, words);
        const same = (lines: string[]): string[] => lines.map((line) => seconds(line).replace(/ = .*$/, "")).sort();
        expect(same(describeTree(copy))).toEqual(same(describeTree(tree)));
        if (name === "gnu") expect(getfattr(copy)).toEqual(getfattr(tree));
      }
      const read = describeEntries(readTar(readFileSync(tar)));
      expect(read.map((line) => line.replace(/ = .*$/, "")).sort()).toEqual(
        describeTree(tree)
          .map((line) => line.replace(/ = .*$/, ""))
          .sort(),
      );
    },
  );

kernelTest("a file of a terabyte of holes is an archive of a few blocks", needs, async ({ directory }) => {
  const fd = openSync(join(directory, "lastlog"), "w");
  writeSync(fd, "begin", 0);
  writeSync(fd, "middle", 2 ** 38);
  ftruncateSync(fd, 2 ** 40);
  const tar = await archiveTree({ root: directory });
  expect(tar.length).toBeLessThan(20_000);
  const listed = execFileSync("tar", ["-tvf", "-"], { input: tar }).toString();
  expect(listed).toContain(`${2 ** 40}`);
  expect(listed).toContain("./lastlog");
});

kernelTest("hard links are one file", needs, async ({ directory }) => {
  writeFileSync(join(directory, "a"), "once");
  execFileSync("ln", ["a", "b"], { cwd: directory });
  const entries = readTar(await archiveTree({ root: directory })).map(({ entry }) => entry);
  expect(entries.map(({ kind }) => kind).sort()).toEqual(["directory", "file", "hardlink"]);
});

// ── what changed ─────────────────────────────────────────────────────────────────────────────────────────────────────

kernelTest(
  "a comparison tells new, changed, gone, hidden and untouched",
  [...needs, "overlay"],
  async ({ directory, defer }) => {
    const place = (name: string): string => join(directory, name);
    for (const name of ["lower/etc", "lower/gone", "lower/replaced/in", "upper", "work", "merged"])
      mkdirSync(place(name), { recursive: true });
    for (const name of [
      "etc/same",
      "etc/changed",
      "etc/copied",
      "etc/backdated",
      "gone/x",
      "replaced/old",
      "replaced/kept",
    ])
      writeFileSync(place(`lower/${name}`), "old");
    const options = `lowerdir=${place("lower")},upperdir=${place("upper")},workdir=${place("work")}`;
    execFileSync("mount", ["-t", "overlay", "overlay", "-o", options, place("merged")]);
    defer(() => void execFileSync("umount", [place("merged")]));
    const merged = (name: string): string => place(`merged/${name}`);
    writeFileSync(merged("etc/new"), "new");
    writeFileSync(merged("etc/changed"), "new");
    execFileSync("chmod", ["600", merged("etc/copied")]);
    execFileSync("chmod", ["644", merged("etc/copied")]); // back: copied up for nothing
    execFileSync("cp", ["-p", merged("etc/backdated"), place("times")]);
    writeFileSync(merged("etc/backdated"), "NEW");
    execFileSync("touch", ["-r", place("times"), merged("etc/backdated")]);
    rmSync(merged("gone"), { recursive: true });
    rmSync(merged("replaced"), { recursive: true });
    mkdirSync(merged("replaced"));
    writeFileSync(merged("replaced/kept"), "new");
    const nodes = nodesOf(await walkTree({ root: place("upper"), below: place("lower"), flags: 2 }));
    const told = [...nodes].map(([path, node]) => {
      const flags = (["isWhiteout", "isOpaque", "isBelow", "isSame", "isHidden"] as const).filter((flag) => node[flag]);
      return `${path} ${flags.map((flag) => flag.slice(2)).join(" ")}`.trim();
    });
    expect(told.sort()).toEqual(
      [
        "Below", // the root: its time is another
        "etc Below",
        "etc/new",
        "etc/changed Below",
        "etc/copied Below Same",
        "etc/backdated Below",
        "gone Whiteout Below",
        "replaced Opaque Below",
        "replaced/kept Below",
        "replaced/in Hidden",
        "replaced/old Hidden",
      ].sort(),
    );
  },
);

// ── hostile trees ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Stops the executor where an entry is about to be read, changes the tree, and lets it go on. */
async function swapAtEntry(root: string, which: number, swap: () => void): Promise<TreeRecord[]> {
  const { stream, pid } = openTree({ ORLOP_POINT: `tree.entry:stop:${which}` });
  const records: TreeRecord[] = [];
  const reading = (async () => {
    for await (const batch of stream.read(walkSteps({ root }))) records.push(...batch);
  })();
  reading.catch(() => undefined);
  await waitUntil(() => stateOf(pid) === "T", 5000, "the executor stops at its point");
  swap();
  process.kill(pid, "SIGCONT");
  await reading;
  return records;
}

for (const [what, make] of Object.entries({
  "a file": (path: string) => writeFileSync(path, "inside"),
  "a directory": (path: string) => {
    mkdirSync(path);
    writeFileSync(join(path, "inner"), "inside");
  },
}))
  for (const which of [1, 2, 3])
    kernelTest(`${what} that becomes a link out at step point ${which} leads nowhere`, needs, async ({ directory }) => {
      const [root, outside] = [join(directory, "root"), join(directory, "outside")];
      mkdirSync(root);
      mkdirSync(outside);
      writeFileSync(join(outside, "inner"), "SECRET");
      make(join(root, "victim"));
      if (what === "a file") writeFileSync(join(root, "other"), "inside"); // as many entries
      const target = what === "a file" ? join(outside, "inner") : outside;
      const records = await swapAtEntry(root, which, () => {
        renameSync(join(root, "victim"), join(root, "moved"));
        symlinkSync(target, join(root, "victim"));
      });
      expect(contentOf(records)).not.toContain("SECRET");
    });

kernelTest("a file that becomes a device before it is read is not opened", needs, async ({ directory }) => {
  writeFileSync(join(directory, "file"), "inside");
  const records = await swapAtEntry(directory, 2, () => {
    rmSync(join(directory, "file"));
    execFileSync("mknod", [join(directory, "file"), "c", "1", "5"]); // /dev/zero has no end
  });
  expect(contentOf(records)).toBe("inside"); // the inode that was looked at, not what has its name now
});

kernelTest(
  "a file that shrinks while it is read is filled with zeros, and the archive is whole",
  needs,
  async ({ directory }) => {
    const path = join(directory, "file");
    writeFileSync(path, Buffer.alloc(300_000, "x"));
    const records = await swapAtEntry(directory, 2, () => truncateSync(path, 1000));
    const writer = new TreeTar({ nameOf: (name) => (name === "" ? undefined : name) });
    for (const record of records) writer.take(record);
    writer.end();
    const [file] = readTar(Buffer.concat([...writer.written()]));
    expect(file?.entry.size).toBe(300_000);
    expect(file?.content.subarray(0, 1000).toString()).toBe("x".repeat(1000));
    expect(file?.content.subarray(1000).every((byte) => byte === 0)).toBe(true);
  },
);

kernelTest("a path never leaves the root, and what is missing is said by name", needs, async ({ directory }) => {
  mkdirSync(join(directory, "root"));
  writeFileSync(join(directory, "secret"), "SECRET");
  symlinkSync("../secret", join(directory, "root/up"));
  symlinkSync(join(directory, "secret"), join(directory, "root/absolute"));
  for (const path of ["/../secret", "/up/", "/absolute/.", "/missing"]) {
    const walk = walkTree({ root: join(directory, "root"), path });
    await expect(walk).rejects.toThrow(StreamedStepFailure);
    await expect(walk).rejects.toThrow(/ENOENT/);
  }
  const link = await walkTree({ root: join(directory, "root"), path: "/up" });
  expect(nodesOf(link).get("")?.link).toBe("../secret");
});

kernelTest("a mount is entered only where the plan says so", needs, async ({ directory, defer }) => {
  for (const name of ["entered", "other"]) {
    mkdirSync(join(directory, name));
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", join(directory, name)]);
    defer(() => void execFileSync("umount", [join(directory, name)]));
    writeFileSync(join(directory, name, "file"), name);
  }
  const nodes = nodesOf(await walkTree({ root: directory, enter: ["/entered"] }));
  expect([...nodes.keys()].sort()).toEqual(["", "entered", "entered/file", "other"]);
  expect(nodes.get("other")?.isMount).toBe(true);
});

kernelTest("a reader that leaves ends the walk; one that stops makes it wait", needs, async ({ directory }) => {
  writeFileSync(join(directory, "large"), Buffer.alloc(8 << 20));
  utimesSync(join(directory, "large"), 1, 1);
  const { stream, pid } = openTree();
  for await (const batch of stream.read(walkSteps({ root: directory }))) {
    expect(batch.length).toBeGreaterThan(0);
    await waitUntil(() => stateOf(pid) === "S", 5000, "the executor waits for its reader");
    break;
  }
  await waitUntil(() => stateOf(pid) === "", 5000, "the executor ends");
});

/** "" for a process that has ended. */
function stateOf(pid: number): string {
  try {
    const state = /^State:\t(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
    return state === "Z" ? "" : state;
  } catch {
    return "";
  }
}

kernelTest(
  "a time that nanoseconds of 64 bits do not hold is the nearest that they do",
  needs,
  async ({ directory }) => {
    for (const [name, seconds] of [
      ["late", 15_032_385_535],
      ["early", -2_147_483_648],
    ] as const)
      execFileSync("touch", ["-d", `@${seconds}`, join(directory, name)]);
    const nodes = nodesOf(await walkTree({ root: directory }));
    const secondsOf = (name: string): bigint => (nodes.get(name)?.mtimeNs ?? 0n) / 1_000_000_000n;
    expect([secondsOf("late"), secondsOf("early")]).toEqual([2n ** 63n / 1_000_000_000n - 1n, -2_147_483_648n]);
  },
);
