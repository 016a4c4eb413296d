/** The contract of src/storage/README.md, "Snapshots": one suite, run on every driver. */
import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runOneShot } from "../../src/kernel/executor-one-shot.ts";
import type { RootSource } from "../../src/kernel/root-source.ts";
import { ChangeFilter, changeOf } from "../../src/storage/changes.ts";
import { planImageLayers } from "../../src/storage/image-layers.ts";
import type { StorageDriver, Upper } from "../../src/storage/upper.ts";
import { layersOf, planComparison, planView } from "../../src/storage/view.ts";
import { describeTree, makeTree, seeded } from "../conformance/tar/tree.ts";
import { executorPath, kernelTest, type Scratch } from "./harness.ts";
import { openTree } from "./tree.ts";

const needs = ["root", "executor", "overlay"] as const;

const upperOf: Readonly<Record<StorageDriver, (path: string) => Upper>> = {
  overlay: (path) => ({ kind: "directory", path, volatile: false }),
  copies: (path) => ({ kind: "copies", path }),
};

/** Two layers: the upper one hides, replaces and adds. */
function makeLayers(directory: string): string[] {
  const [low, high] = ["low", "high"].map((name) => join(directory, name)) as [string, string];
  mkdirSync(low);
  mkdirSync(high);
  makeTree(low, seeded(77), { longNames: false, xattrs: true, sparse: true });
  const shell = (cwd: string, script: string): void => void execFileSync("sh", ["-ec", script], { cwd });
  shell(
    low,
    "mkdir gone opaque merged; echo x >gone/x; echo old >opaque/old; echo low >merged/low; echo low >both; chmod 4711 both; ln both linked; ln -s both link; mkdir kind; echo x >kind/x; echo f >was-file; mkfifo pipe; setfattr -n user.note -v v both",
  );
  shell(
    high,
    "mknod gone c 0 0; mkdir -m 750 opaque merged; setfattr -n trusted.overlay.opaque -v y opaque; echo new >opaque/new; echo high >merged/high; echo file >kind; mkdir was-file; chown 7:8 merged",
  );
  return [high, low];
}

class Snapshot {
  readonly root: RootSource;
  readonly #directory: string;

  constructor(driver: StorageDriver, directory: string, name: string, layers: readonly string[]) {
    this.#directory = directory;
    const own = join(directory, name);
    mkdirSync(own);
    this.root = planImageLayers({
      layers,
      bottom: join(directory, "nothing"),
      name: "test",
      mountPoint: join(directory, "mount"),
      upper: upperOf[driver](own),
    });
  }

  /** A start: runs a shell's script in the root, and lets nothing of the mounts stay. */
  async run(script: string): Promise<string> {
    await runOneShot(this.root.prepare, { executable: executorPath });
    const at = this.root.mountPoint;
    const mount = this.root.mount.map((step) => {
      if (step.op === "bind") return `mount --bind '${step.source}' '${step.target}'`;
      if (step.op !== "overlay") throw new Error(step.op);
      return `mount -t overlay overlay -o 'lowerdir=${step.lowers.join(":")},upperdir=${step.upper},workdir=${step.work}' '${step.target}'`;
    });
    const inside = `${mount.join("\n")}\ncd '${at}'\n${script}`;
    return execFileSync("unshare", ["--mount", "sh", "-ec", inside]).toString();
  }

  /** What was changed, as `docker diff` tells it. */
  async changes(): Promise<string[]> {
    await runOneShot(this.root.prepare, { executable: executorPath });
    const told: string[] = [];
    const filter = new ChangeFilter({ mountPoints: new Set() });
    for (const layer of layersOf(this.root))
      for await (const batch of openTree().stream.read(planComparison(layer, join(this.#directory, "below"), false)))
        for (const record of batch.flatMap((one) => filter.take(one))) {
          const change = record.kind === "entry" ? changeOf(record.node) : undefined;
          if (change !== undefined) told.push(`${change.kind} ${change.path}`);
        }
    return told.sort();
  }

  /** Names in the root, seen from outside. */
  async names(access: "read" | "write"): Promise<string[]> {
    const steps = [...planView(this.root, access, join(this.#directory, "memory"))];
    const walk = { op: "tree-walk", path: "/", follow: 1, flags: 0, sparse: 0, enter: [], why: "a test" } as const;
    const names: string[] = [];
    for await (const batch of openTree().stream.read([...steps, walk]))
      for (const record of batch) if (record.kind === "entry") names.push(record.node.path);
    return names.sort();
  }
}

function suite(name: string, body: (driver: StorageDriver, scratch: Scratch) => Promise<void>): void {
  for (const driver of Object.keys(upperOf) as StorageDriver[])
    kernelTest(`${driver}: ${name}`, needs, (scratch) => {
      mkdirSync(join(scratch.directory, "nothing"));
      return body(driver, scratch);
    });
}

const describe =
  'find . -mindepth 1 -printf "%P %M %U:%G %T@ %l %n\\n" | grep -v "^[^ ]* d" | sort; find . -mindepth 1 -type d -printf "%P %M %U:%G\\n" | sort; find . -type f | sort | while read -r f; do sha256sum "$f"; done; find . -print0 | sort -z | xargs -0 getfattr -h -d -m user -e hex';

suite("shows what its layers show together, metadata and all", async (driver, { directory }) => {
  const layers = makeLayers(directory);
  const together = execFileSync(
    "unshare",
    [
      "--mount",
      "sh",
      "-ec",
      `mkdir ../together; mount -t overlay overlay -o 'lowerdir=${layers.join(":")}' ../together; cd ../together; ${describe}`,
    ],
    { cwd: layers[0] },
  ).toString();
  const shown = await new Snapshot(driver, directory, "own", layers).run(describe);
  // overlay tells hard links of lower layers by inodes that differ between mounts: the count of names is not compared
  const plain = (text: string): string[] => text.split("\n").map((line) => line.replace(/ \d+$/, ""));
  expect(plain(shown)).toEqual(plain(together));
  expect(shown).toContain("opaque/new");
  expect(shown).not.toContain("opaque/old");
  expect(shown).not.toContain("gone");
});

suite("keeps changes from one start to the next, to itself", async (driver, { directory }) => {
  const layers = makeLayers(directory);
  const before = layers.map(describeTree);
  const [one, other] = ["one", "other"].map((name) => new Snapshot(driver, directory, name, layers)) as [
    Snapshot,
    Snapshot,
  ];
  await one.run("echo changed >both; rm -r merged; echo new >new");
  expect(await one.run("cat both new; ls -d merged 2>/dev/null || true")).toBe("changed\nnew\n");
  expect(await other.run("cat both; ls merged")).toBe("low\nhigh\nlow\n");
  expect(layers.map(describeTree)).toEqual(before);
});

suite("tells what was changed, and nothing else", async (driver, { directory }) => {
  const layers = makeLayers(directory);
  const snapshot = new Snapshot(driver, directory, "own", layers);
  expect(await snapshot.changes()).toEqual([]);
  await snapshot.run(
    "echo new >new; echo changed >both; rm -r merged; mkdir merged; echo again >merged/high; rm kind; chmod 600 link was-file; chmod 755 was-file; touch -d @1 pipe; rm pipe",
  );
  const changed = await snapshot.changes();
  expect(changed).toEqual(
    [
      "added new",
      "deleted kind",
      "deleted merged/low",
      "deleted pipe",
      "modified both",
      "modified merged",
      "modified merged/high",
      // a copy keeps the two names one file; overlay takes them apart at the first change
      ...(driver === "copies" ? ["modified linked"] : []),
    ].sort(),
  );
});

suite("is seen from outside without being changed", async (driver, { directory }) => {
  const snapshot = new Snapshot(driver, directory, "own", makeLayers(directory));
  await snapshot.run("echo new >new; rm both");
  const [read, write] = [await snapshot.names("read"), await snapshot.names("write")];
  expect(read).toEqual(write);
  expect([read.includes("new"), read.includes("both"), read.includes("opaque/old")]).toEqual([true, false, false]);
});

suite("of no layers is empty, and writable", async (driver, { directory }) => {
  const snapshot = new Snapshot(driver, directory, "own", []);
  expect(await snapshot.run("ls -A; echo x >x; cat x")).toBe("x\n");
  expect(readdirSync(join(directory, "nothing"))).toEqual([]);
});

suite("owns one directory, and nothing outside it", async (driver, { directory }) => {
  const snapshot = new Snapshot(driver, directory, "own", makeLayers(directory));
  await snapshot.run("echo x >x");
  expect(snapshot.root.owned).toEqual([join(directory, "own")]);
  expect(readdirSync(directory).sort()).toEqual(["high", "low", "mount", "nothing", "own"]);
});

kernelTest("a copy that was killed half-way is made anew", needs, async ({ directory }) => {
  mkdirSync(join(directory, "nothing"));
  const snapshot = new Snapshot("copies", directory, "own", makeLayers(directory));
  const env = { ORLOP_POINT: "copy-tree.whole:kill" };
  await expect(runOneShot(snapshot.root.prepare, { executable: executorPath, env })).rejects.toThrow();
  expect(existsSync(join(directory, "own/root/copy"))).toBe(false);
  writeFileSync(join(directory, "own/root/copy.new/tree/stale"), "");
  expect(await snapshot.run("cat both; ls stale 2>/dev/null || true")).toBe("low\n");
  expect(readdirSync(join(directory, "own/root"))).toEqual(["copy"]);
  expect(readFileSync(join(directory, "own/root/copy/both"), "utf8")).toBe("low\n");
});
