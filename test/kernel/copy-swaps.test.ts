/**
 * `cp` into and out of a tree whose owner swaps its directories for links out, at each step point that a copy passes: the list of
 * them is what a copy without a swap has passed.
 */

import { expect } from "bun:test";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { byteStringOfText, plainEntry, type TarEntry } from "../../src/spec/tar-entry.ts";
import { TarReader } from "../../src/spec/tar-reader.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "../../src/spec/tar-writer.ts";
import { CopyPlanner } from "../../src/storage/plan-copy.ts";
import { PointFile } from "../crash/point-file.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest } from "./harness.ts";
import { openTree, walkSteps } from "./tree.ts";

const needs = ["root", "executor"] as const;
const text = byteStringOfText;
const waitMs = 10_000;

type Given = Partial<Omit<TarEntry, "path" | "link">> & { path: string; link?: string; content?: string };

function archive(...entries: readonly Given[]): Buffer {
  const plain: TarEntry = { ...plainEntry, path: text("a"), mode: 0o600, mtimeNs: 1_000_000_000n };
  const parts = entries.flatMap(({ content = "", path, link = "", ...entry }) => [
    encodeTarHeader({ ...plain, ...entry, path: text(path), link: text(link), size: content.length }),
    Buffer.from(content),
    tarPadding(content.length),
  ]);
  return Buffer.concat([...parts, tarEnd]);
}

/** One of each kind, beside and below what is swapped. */
const everything = archive(
  { path: "d", kind: "directory", mode: 0o700 },
  { path: "d/file", content: "from the archive" },
  { path: "d/victim", content: "from the archive" },
  { path: "d/e", kind: "directory", mode: 0o711, uid: 7, gid: 7 },
  { path: "d/e/victim", content: "from the archive", uid: 7, gid: 7 },
  { path: "d/e/symlink", kind: "symlink", link: "victim" },
  { path: "d/e/hard", kind: "hardlink", link: "d/victim" },
  { path: "d/pipe", kind: "fifo", mode: 0o622 },
  { path: "d/null", kind: "character", major: 1, minor: 3, mode: 0o666 },
  { path: "d/e", kind: "directory", mode: 0o755 },
  { path: "d/attributed", xattrs: [[text("user.note"), Buffer.from("v")]] },
);

/** A root with a tree, and beside it what must stay as it is. */
function lay(directory: string): { readonly root: string; readonly outside: string } {
  const [root, outside] = [join(directory, "root"), join(directory, "outside")];
  for (const path of [root, outside]) rmSync(path, { recursive: true, force: true });
  mkdirSync(join(root, "d/e"), { recursive: true });
  mkdirSync(join(outside, "e"), { recursive: true });
  for (const path of ["victim", "e/victim"]) {
    writeFileSync(join(outside, path), "SECRET", { mode: 0o604 });
    writeFileSync(join(root, "d", path), "inside");
  }
  return { root, outside };
}

/** Names, owners, modes, sizes, times: everything that a write would change. */
function facts(path: string): string[] {
  const { mode, uid, gid, size, mtimeMs, nlink } = lstatSync(path);
  const own = `${path} ${mode.toString(8)} ${uid}:${gid} ${size} ${mtimeMs} ${nlink}`;
  if (!lstatSync(path).isDirectory()) return [`${own} ${readFileSync(path, "utf8")}`];
  return [
    own,
    ...readdirSync(path)
      .sort()
      .flatMap((name) => facts(join(path, name))),
  ];
}

/** In place of the directory stands a link to the one outside. */
function swap(root: string, name: string): void {
  const target = name === "d" ? "../outside" : "../../outside/e";
  try {
    renameSync(join(root, name), join(root, `moved-${name.replace("/", "-")}`));
  } catch {
    return; // it is not there at this point
  }
  symlinkSync(target, join(root, name));
}

const isStopped = (pid: number): boolean => {
  try {
    return /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

type Work = (
  root: string,
  env: Readonly<Record<string, string>>,
  started: (pid: number) => Promise<void>,
) => Promise<string>;

async function putIn(root: string, env: Readonly<Record<string, string>>, started: (pid: number) => Promise<void>) {
  const { stream, pid } = openTree(env);
  stream.plan.add({ op: "root", why: "a test's", path: root });
  const planner = new CopyPlanner((step) => stream.plan.add(step), { strict: false, owner: undefined });
  const reader = new TarReader(planner);
  try {
    planner.begin(text("/"));
    reader.write(everything);
    reader.end();
    planner.end();
    const done = stream.plan.end();
    done.catch(() => undefined);
    await started(pid);
    await done;
  } catch (error) {
    await stream.plan.abandon();
    return String(error); // a tree that changes may be refused
  }
  return "";
}

async function takeOut(root: string, env: Readonly<Record<string, string>>, started: (pid: number) => Promise<void>) {
  const { stream, pid } = openTree(env);
  let content = "";
  const reading = (async () => {
    for await (const batch of stream.read(walkSteps({ root })))
      for (const record of batch)
        if (record.kind === "content") content += Buffer.from(record.bytes).toString("latin1");
  })().catch((error: unknown) => String(error));
  await started(pid);
  await reading;
  return content;
}

/** With what each says when nothing is swapped. */
const works: Readonly<Record<string, readonly [Work, string]>> = {
  "put in": [putIn, ""],
  "taken out": [takeOut, "insideinside"],
};

for (const [what, [work, wanted]] of Object.entries(works))
  for (const swapped of ["d", "d/e"])
    kernelTest(
      `${swapped} becomes a link out at each point of a tree being ${what}: nothing outside is read or changed`,
      needs,
      async ({ directory, defer }) => {
        const points = new PointFile(join(directory, "points"));
        defer(() => points[Symbol.dispose]());
        const env = { ORLOP_POINT_FILE: points.path };
        expect(await work(lay(directory).root, env, () => Promise.resolve())).toBe(wanted);
        const passed = points.reached().filter((point) => /^(step\.|tree\.)/.test(point));
        expect(passed.length).toBeGreaterThan(5);
        const counts = new Map<string, number>();
        for (const point of passed) {
          const nth = (counts.get(point) ?? 0) + 1;
          counts.set(point, nth);
          const { root, outside } = lay(directory);
          const before = facts(outside);
          points.arm(point, "stop", nth);
          const said = await work(root, env, async (pid) => {
            await waitUntil(() => isStopped(pid), waitMs, `${point} ${nth} is reached`);
            swap(root, swapped);
            points.disarm();
            process.kill(pid, "SIGCONT");
          });
          expect([point, nth, said.includes("SECRET")]).toEqual([point, nth, false]);
          expect([point, nth, facts(outside)]).toEqual([point, nth, before]);
        }
      },
      120_000,
    );
