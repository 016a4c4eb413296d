/** From a registry to directories that overlays can use: download, threads, executor, and what a failure leaves. */
import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { OrlopError } from "../../src/base/errors.ts";
import { pullImage } from "../../src/images/pull.ts";
import { UnpackPool } from "../../src/images/unpack-pool.ts";
import type { Digest } from "../../src/spec/digest.ts";
import { parseReference } from "../../src/spec/reference.ts";
import { LayerDirectories } from "../../src/storage/layer-directories.ts";
import { Puller, randomBytes } from "../registry/pulling.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest, type Scratch } from "./harness.ts";
import { startSupervisor } from "./supervisor-fixture.ts";

const needs = ["root", "executor"] as const;

/** Where layers are unpacked. */
const sizes = { "a thread of its own": 1 << 30, "the engine's thread": 1000 } as const;
type Place = keyof typeof sizes;

/** The threads of this process that run a worker. */
function workerThreads(): number[] {
  const isWorker = (thread: string): boolean => {
    try {
      return readFileSync(`/proc/self/task/${thread}/comm`, "utf8") === "Worker\n";
    } catch {
      return false; // it has ended
    }
  };
  return readdirSync("/proc/self/task").filter(isWorker).map(Number);
}

function workers(): number {
  return workerThreads().length;
}

/** A tar of these files. */
function tarOf(scratch: Scratch, files: Readonly<Record<string, string | Buffer>>): Buffer {
  const folder = join(scratch.directory, "made");
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const tar = execFileSync("tar", ["-C", folder, "--sort=name", "-c", "."], { maxBuffer: 1 << 28 });
  rmSync(folder, { recursive: true });
  return tar;
}

async function setUp(scratch: Scratch, place: Place = "a thread of its own") {
  const supervisor = await startSupervisor(scratch);
  const registry = await ScriptedRegistry.open();
  scratch.defer(() => registry[Symbol.asyncDispose]());
  const puller = await Puller.open({
    config: { [registry.host]: { "plain-http": true } },
    folder: join(scratch.directory, "content"),
  });
  const open = () =>
    LayerDirectories.open(join(scratch.directory, "layers"), {
      removeTree: async (path) => rmSync(path, { recursive: true }),
      spread: async () => undefined,
    });
  const layers = await open();
  const pool = new UnpackPool({ controlSocket: join(supervisor.runDirectory, "control.sock") });
  const expected = pool.expect(sizes[place]);
  scratch.defer(() => expected[Symbol.dispose]());
  let unpacked = 0;
  const pull = async (tag: string, signal?: AbortSignal) => {
    using lease = puller.leases.open();
    const reference = parseReference(`${registry.host}/a:${tag}`);
    return await pullImage({
      lease,
      reference,
      platform: { os: "linux", architecture: "amd64" },
      sessions: puller.registries.sessions(reference),
      store: puller.store,
      fetcher: puller.fetcher,
      onEvent: () => undefined,
      onLayer: async ({ layer, position, image, arriving }) => {
        const diffId = image.config.diffIds[position];
        if (diffId === undefined) throw new Error("parseImageConfig gives each layer its diff id");
        await layers.ensure(diffId, async (directory) => {
          unpacked++;
          const blob = arriving ?? { path: puller.store.pathOf(layer.digest), sizeBytes: layer.size };
          const facts = await pool.unpack({ blob, diffId, directory, ...(signal === undefined ? {} : { signal }) });
          await arriving?.verified;
          return facts;
        });
      },
      ...(signal === undefined ? {} : { signal }),
    });
  };
  return {
    registry,
    puller,
    layers,
    open,
    pull,
    expected,
    unpackedCount: () => unpacked,
    folder: join(scratch.directory, "layers"),
  };
}

for (const place of Object.keys(sizes) as Place[])
  kernelTest(
    `five layers, one directory each, in ${place}; a second pull unpacks nothing`,
    [...needs],
    async (scratch) => {
      const before = workers();
      const { registry, layers, pull, unpackedCount } = await setUp(scratch, place);
      const tars = [1, 2, 3, 4, 5].map((i) => tarOf(scratch, { name: `layer ${i}`, data: randomBytes(3_000_000, i) }));
      const image = registry.addImage("1", tars);
      await Promise.all([pull("1"), pull("1")]);
      await pull("1");
      expect(unpackedCount()).toBe(5);
      for (const [i, diffId] of image.layers.entries()) {
        expect(readFileSync(join(layers.pathOf(diffId), "name"), "utf8")).toBe(`layer ${i + 1}`);
        expect(readFileSync(join(layers.pathOf(diffId), "data")).equals(randomBytes(3_000_000, i + 1))).toBe(true);
      }
      expect(new Set<string>(await layers.list())).toEqual(new Set<string>(image.layers));
      expect(workers() > before).toBe(place === "a thread of its own");
    },
  );

kernelTest("a thread is there for the next image, and gone some seconds later", [...needs], async (scratch) => {
  const before = workers();
  const { registry, pull, expected } = await setUp(scratch);
  for (const i of [1, 2]) registry.addImage(`${i}`, [tarOf(scratch, { data: randomBytes(9 << 20, i) })]);
  expected[Symbol.dispose]();
  await pull("1");
  expect(workers()).toBe(before + 1);
  await pull("2");
  expect(workers()).toBe(before + 1);
  await waitUntil(() => workers() === before, 10_000, "the thread ends");
});

kernelTest(
  "a layer whose tar is another one is an exact error, and nothing usable is left",
  [...needs],
  async (scratch) => {
    const { registry, puller, layers, pull, folder } = await setUp(scratch);
    const image = registry.addImage("1", [gzipSync(tarOf(scratch, { a: "b" }))]);
    const error = await pull("1").catch((reason) => reason);
    expect(error).toBeInstanceOf(OrlopError);
    expect([error.code, error.kind]).toEqual(["digest_mismatch", "unavailable"]);
    expect(error.message).toContain("the unpacked layer does not match its digest");
    expect(await layers.list()).toEqual([]);
    expect(readdirSync(join(folder, "new"))).toEqual([]);
    expect(await puller.store.sizeOf(image.manifest)).toBeUndefined();
  },
);

kernelTest("a damaged layer says where; the one beside it is not lost", [...needs], async (scratch) => {
  const { registry, layers, pull } = await setUp(scratch);
  const good = tarOf(scratch, { a: "b" });
  registry.addImage("1", [good]);
  await pull("1");
  registry.addImage("2", [good, Buffer.concat([good, Buffer.from("garbage".repeat(100))])]);
  expect(await pull("2").catch((error) => error.message)).toMatch(
    /the tar archive is damaged at byte \d+: there is something behind/,
  );
  expect((await layers.list()).length).toBe(1);
});

kernelTest("a layer is unpacked while its blob comes", [...needs], async (scratch) => {
  const { registry, layers, pull, folder } = await setUp(scratch);
  const tar = tarOf(scratch, { a: "first", b: randomBytes(6_000_000, 1) });
  const {
    layers: [digest = "" as Digest],
  } = registry.addImage("1", [tar]);
  const place = join(folder, "new");
  const isBegun = (): boolean => readdirSync(place).some((name) => existsSync(join(place, name, "a")));
  registry.script(new RegExp(`^GET .*/blobs/${digest}$`), async (_request, response) => {
    response.writeHead(200, { "content-length": tar.length });
    response.write(tar.subarray(0, 3_000_000));
    await waitUntil(isBegun, 5000, "the first file"); // the rest comes when it is there
    response.end(tar.subarray(3_000_000));
    return true;
  });
  await pull("1");
  expect(readFileSync(join(layers.pathOf(digest), "a"), "utf8")).toBe("first");
  expect(readFileSync(join(layers.pathOf(digest), "b")).equals(randomBytes(6_000_000, 1))).toBe(true);
});

kernelTest(
  "while layers are unpacked, the thread that answers requests comes before all others",
  [...needs],
  async (scratch) => {
    const { registry, pull, expected } = await setUp(scratch);
    const tar = tarOf(scratch, { data: randomBytes(6_000_000, 1) });
    const {
      layers: [digest = "" as Digest],
    } = registry.addImage("1", [tar]);
    const nice = () => ({ main: getPriority(process.pid), workers: workerThreads().map((tid) => getPriority(tid)) });
    expect(nice().main).toBe(0);
    registry.script(new RegExp(`^GET .*/blobs/${digest}$`), async (_request, response) => {
      response.writeHead(200, { "content-length": tar.length });
      response.write(tar.subarray(0, 3_000_000));
      await waitUntil(() => nice().main < 0, 5000, "it comes first");
      expect(new Set(nice().workers)).toEqual(new Set([0]));
      response.end(tar.subarray(3_000_000));
      return true;
    });
    await pull("1");
    expected[Symbol.dispose]();
    expect(nice().main).toBe(0);
  },
);

kernelTest(
  "layers are asked for while the configuration comes, and a wrong one ends them",
  [...needs],
  async (scratch) => {
    const { registry, layers, pull, folder } = await setUp(scratch);
    const tar = tarOf(scratch, { a: "first" });
    const {
      config,
      layers: [digest = "" as Digest],
    } = registry.addImage("1", [tar]);
    let answer: string | undefined;
    registry.script(new RegExp(`^GET .*/blobs/${config}$`), async (_request, response) => {
      await waitUntil(
        () => registry.seen(new RegExp(`^GET .*/blobs/${digest}$`)).length > 0,
        5000,
        "the layer's request",
      );
      if (answer !== undefined) response.end(answer);
      return answer !== undefined;
    });
    answer = "{}";
    await expect(pull("1")).rejects.toThrow(config);
    expect(readdirSync(join(folder, "new"))).toEqual([]);
    answer = undefined;
    await pull("1");
    expect(readFileSync(join(layers.pathOf(digest), "a"), "utf8")).toBe("first");
  },
);

kernelTest("a layer is unpacked before the disk has the configuration", [...needs], async (scratch) => {
  const { registry, puller, layers, pull, unpackedCount } = await setUp(scratch);
  const {
    config,
    layers: [digest = "" as Digest],
  } = registry.addImage("1", [tarOf(scratch, { a: "first" })]);
  const fetch = puller.fetcher.fetch.bind(puller.fetcher);
  const synced = Promise.withResolvers<void>();
  puller.fetcher.fetch = async (blob, options) => {
    const came = await fetch(blob, options);
    if (blob.digest === config) await synced.promise;
    return came;
  };
  let isOver = false;
  const pulled = pull("1").then(() => {
    isOver = true;
  });
  await waitUntil(() => unpackedCount() === 1 && existsSync(layers.pathOf(digest)), 5000, "the layer");
  expect(isOver).toBe(false);
  synced.resolve();
  await pulled;
});

kernelTest(
  "a beginning that was damaged on the disk is unpacked for nothing, and then the right one",
  [...needs],
  async (scratch) => {
    const { registry, puller, layers, pull } = await setUp(scratch);
    const tar = tarOf(scratch, { a: "first", b: randomBytes(3_000_000, 1) });
    const {
      layers: [digest = "" as Digest],
    } = registry.addImage("1", [tar]);
    const damaged = Buffer.from(tar.subarray(0, 2_000_000)).fill(7, 600_000, 700_000);
    writeFileSync(puller.store.ingestPathOf(digest), damaged);
    await pull("1");
    expect(readFileSync(join(layers.pathOf(digest), "b")).equals(randomBytes(3_000_000, 1))).toBe(true);
    expect(registry.seen(/GET .*\/blobs\//).length).toBe(3); // the configuration, the rest, and all of it
  },
);

for (const place of Object.keys(sizes) as Place[])
  kernelTest(
    `a pull that is left stops what unpacks it in ${place} and leaves no half layer`,
    [...needs],
    async (scratch) => {
      const { registry, layers, pull, folder } = await setUp(scratch, place);
      // much to do, but small as it comes where it is to be done here
      const isHere = place === "the engine's thread";
      const data = tarOf(scratch, { data: isHere ? Buffer.alloc(60_000_000) : randomBytes(60_000_000, 1) });
      registry.addImage("1", [isHere ? gzipSync(data) : data]);
      const leaving = new AbortController();
      const attempt = pull("1", leaving.signal).catch((error) => error.message);
      while (readdirSync(join(folder, "new")).length === 0) await Bun.sleep(1);
      leaving.abort(new Error("left"));
      expect(await attempt).toBe("left");
      expect(await layers.list()).toEqual([]);
      expect(readdirSync(join(folder, "new"))).toEqual([]);
    },
  );

kernelTest(
  "what a killed engine left half unpacked is removed when the next one opens",
  [...needs],
  async (scratch) => {
    const { registry, open, pull, folder } = await setUp(scratch);
    const image = registry.addImage("1", [tarOf(scratch, { a: "b" })]);
    const half = join(folder, "new", (image.layers[0] ?? "").slice("sha256:".length));
    mkdirSync(half);
    writeFileSync(join(half, "a"), "half");
    await open();
    expect(readdirSync(join(folder, "new"))).toEqual([]);
    await pull("1");
  },
);
