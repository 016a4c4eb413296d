/** Archives copied into a root: what is there has a say, and nothing leaves the root. */
import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { StreamedStepFailure } from "../../src/kernel/plan-stream.ts";
import { byteStringOfText, plainEntry, type TarEntry } from "../../src/spec/tar-entry.ts";
import { TarReader } from "../../src/spec/tar-reader.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../src/spec/tar-writer.ts";
import { type CopyOptions, CopyPlanner } from "../../src/storage/plan-copy.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest } from "./harness.ts";
import { openTree } from "./tree.ts";

const needs = ["root", "executor"] as const;
const text = byteStringOfText;
const plain: TarEntry = { ...plainEntry, path: text("a"), mode: 0o644, mtimeNs: 1_000_000_000n };

type Given = Partial<Omit<TarEntry, "path" | "link">> & { path: string; link?: string; content?: string };

function archive(...entries: readonly Given[]): Buffer {
  const parts = entries.flatMap(({ content = "", path, link = "", ...entry }) => [
    encodeTarHeader({ ...plain, ...entry, path: text(path), link: text(link), size: content.length }),
    Buffer.from(content),
    tarPadding(content.length),
  ]);
  return Buffer.concat([...parts, tarEnd]);
}

interface CopyCase extends Partial<CopyOptions> {
  readonly root: string;
  readonly into?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly onStart?: (pid: number) => Promise<void>;
}

async function copy(
  tar: Uint8Array,
  { root, into = "/", strict = false, owner, env, onStart }: CopyCase,
): Promise<void> {
  const { stream, pid } = openTree(env);
  stream.plan.add({ op: "root", why: "a test's", path: root });
  const planner = new CopyPlanner((step) => stream.plan.add(step), { strict, owner });
  const reader = new TarReader(planner);
  try {
    planner.begin(into);
    reader.write(tar);
    reader.end();
    planner.end();
    const done = stream.plan.end();
    done.catch(() => undefined);
    await onStart?.(pid);
    await done;
  } catch (error) {
    await stream.plan.abandon();
    throw error;
  }
}

kernelTest("entries keep their metadata, or get the owner that is asked for", needs, async ({ directory }) => {
  const tar = archive(
    { path: "d", kind: "directory", mode: 0o1751, uid: 3, gid: 4 },
    { path: "d/f", mode: 0o4750, uid: 5, gid: 6, content: "x", xattrs: [[text("user.note"), Buffer.from("v")]] },
    { path: "d/l", kind: "symlink", link: "f", xattrs: [[text("trusted.note"), Buffer.from("v")]] },
    { path: "d/h", kind: "hardlink", link: "d/f" },
  );
  for (const [name, owner] of [["as", undefined] as const, ["to", { uid: 7, gid: 8 }] as const]) {
    mkdirSync(join(directory, name));
    await copy(tar, { root: join(directory, name), ...(owner && { owner }) });
    const file = lstatSync(join(directory, name, "d/f"));
    const folder = lstatSync(join(directory, name, "d"), { bigint: true });
    expect([file.mode & 0o7777, file.nlink, file.uid, file.gid]).toEqual([0o4750, 2, owner?.uid ?? 5, owner?.gid ?? 6]);
    expect([folder.mode & 0o7777n, folder.mtimeNs]).toEqual([0o1751n, 1_000_000_000n]);
    expect(
      execFileSync("getfattr", ["-h", "-n", "trusted.note", "d/l"], { cwd: join(directory, name) }).toString(),
    ).toContain('"v"');
  }
});

kernelTest(
  "directories are merged; what is of another kind is replaced, or kept where that is asked",
  needs,
  async ({ directory }) => {
    mkdirSync(join(directory, "full/deep"), { recursive: true });
    writeFileSync(join(directory, "full/deep/old"), "old");
    writeFileSync(join(directory, "file"), "old");
    await copy(archive({ path: "full", kind: "directory", mode: 0o755 }, { path: "full/new", content: "n" }), {
      root: directory,
    });
    expect(readdirSync(join(directory, "full")).sort()).toEqual(["deep", "new"]);
    for (const entry of [{ path: "full", content: "f" }, { path: "file", kind: "directory" } as const])
      await expect(copy(archive(entry), { root: directory, strict: true })).rejects.toThrow(StreamedStepFailure);
    expect(readFileSync(join(directory, "full/deep/old"), "utf8")).toBe("old");
    await copy(archive({ path: "full", content: "f" }, { path: "file", kind: "directory", mode: 0o755 }), {
      root: directory,
    });
    expect([lstatSync(join(directory, "full")).isFile(), lstatSync(join(directory, "file")).isDirectory()]).toEqual([
      true,
      true,
    ]);
  },
);

kernelTest("links on the way are followed inside the root, the last one is replaced", needs, async ({ directory }) => {
  const root = join(directory, "root");
  mkdirSync(join(root, "real"), { recursive: true });
  mkdirSync(join(directory, "outside"));
  symlinkSync("/real", join(root, "absolute"));
  symlinkSync("../../../outside", join(root, "out"));
  symlinkSync("real/f", join(root, "last"));
  await copy(archive({ path: "absolute/f", content: "1" }, { path: "last", content: "2" }), { root });
  expect(readFileSync(join(root, "real/f"), "utf8")).toBe("1");
  expect(lstatSync(join(root, "last")).isFile()).toBe(true);
  await copy(archive({ path: "out/f", content: "3" }), { root });
  expect(readFileSync(join(root, "outside/f"), "utf8")).toBe("3"); // "outside" of the root, in the root
  expect(readdirSync(join(directory, "outside"))).toEqual([]);
});

for (const [path, link, said] of [
  ["../x", "", "leads out"],
  ["a/../../x", "", "leads out"],
  ["x".repeat(256), "", "over 255 bytes"],
  [".", "", "replace the directory"],
] as const)
  kernelTest(`the name ${path.slice(0, 20)} is refused`, needs, async ({ directory }) => {
    mkdirSync(join(directory, "root"));
    await expect(copy(archive({ path, link }), { root: join(directory, "root") })).rejects.toThrow(said);
    expect(readdirSync(directory)).toEqual(["root"]);
  });

kernelTest(
  "hard links, overlay's own marks and devices of it are bounded as in a layer",
  needs,
  async ({ directory }) => {
    writeFileSync(join(directory, "secret"), "s");
    mkdirSync(join(directory, "root"));
    const cases: readonly (readonly [Given, string])[] = [
      [{ path: "a", kind: "hardlink", link: "../secret" }, "leads out"],
      [{ path: "a", kind: "hardlink", link: "a" }, "a hard link to itself"],
      [{ path: "a", kind: "hardlink", link: "missing" }, "ENOENT"],
      [{ path: "a", kind: "character" }, "device 0:0"],
      [{ path: "a", xattrs: [[text("trusted.overlay.opaque"), Buffer.from("y")]] }, "overlayfs's own mark"],
      [{ path: "a", kind: "symlink", link: "" }, "target is empty"],
    ];
    for (const [entry, said] of cases)
      await expect(copy(archive(entry), { root: join(directory, "root") })).rejects.toThrow(said);
    expect(readdirSync(directory).sort()).toEqual(["root", "secret"]);
  },
);

function isStopped(pid: number): Promise<void> {
  const isNow = (): boolean => /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  return waitUntil(isNow, 5000, "the executor stops at its point");
}

// the executor stops before each of its steps in turn, and the container swaps a directory for a link out
for (const [step, which] of [
  ["layer-parent", 1],
  ["layer-place", 1],
  ["layer-file", 1],
  ["layer-data", 1],
  ["layer-place", 2],
  ["layer-file", 2],
] as const)
  kernelTest(
    `a directory that becomes a link out before ${step} ${which} leads nowhere`,
    needs,
    async ({ directory }) => {
      const root = join(directory, "root");
      mkdirSync(join(root, "d"), { recursive: true });
      mkdirSync(join(directory, "outside"));
      const tar = archive({ path: "d/one", content: "1" }, { path: "d/two", content: "2" });
      const swap = async (pid: number): Promise<void> => {
        await isStopped(pid);
        renameSync(join(root, "d"), join(root, "moved"));
        symlinkSync("../outside", join(root, "d"));
        process.kill(pid, "SIGCONT");
      };
      await copy(tar, { root, env: { ORLOP_POINT: `step.${step}:stop:${which}` }, onStart: swap }).catch(
        () => undefined,
      );
      expect(readdirSync(join(directory, "outside"))).toEqual([]);
      expect(existsSync(join(directory, "one"))).toBe(false);
    },
  );

kernelTest(
  "a node that becomes a link out before its mode is set changes nothing outside",
  needs,
  async ({ directory }) => {
    const [root, outside] = [join(directory, "root"), join(directory, "outside")];
    mkdirSync(root);
    writeFileSync(outside, "", { mode: 0o600 });
    const swap = async (pid: number): Promise<void> => {
      await isStopped(pid);
      renameSync(join(root, "pipe"), join(root, "moved"));
      symlinkSync(outside, join(root, "pipe"));
      process.kill(pid, "SIGCONT");
    };
    const tar = archive({ path: "pipe", kind: "fifo", mode: 0o6777 });
    const copied = copy(tar, { root, env: { ORLOP_POINT: "layer-node.made:stop" }, onStart: swap });
    const errno = await copied.catch((error: StreamedStepFailure) => error.errno);
    expect([lstatSync(outside).mode & 0o7777, errno]).toEqual([0o600, "ESTALE"]);
  },
);

kernelTest("nodes keep their mode, whatever the umask", needs, async ({ directory }) => {
  const tar = archive(
    { path: "pipe", kind: "fifo", mode: 0o1776, uid: 3, gid: 4 },
    { path: "null", kind: "character", major: 1, minor: 3, mode: 0o666 },
  );
  await copy(tar, { root: directory });
  expect(["pipe", "null"].map((name) => lstatSync(join(directory, name)).mode & 0o7777)).toEqual([0o1776, 0o666]);
});
