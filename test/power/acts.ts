/** One of each kind of change that an engine acknowledges, in an order in which each can be made. */

import type { EngineClient } from "../../src/client/engine-client.ts";
import { tarOfFiles } from "../images/layer-tar.ts";
import { randomBytes } from "../registry/pulling.ts";
import { digestOf, type ScriptedRegistry } from "../registry/scripted-registry.ts";
import type { Fact, Files } from "./check-state.ts";

export interface Act {
  readonly what: string;
  /** May be asked for again when it was cut off. */
  run(engine: EngineClient): Promise<unknown>;
  /** What is there when it is done, and was not before. */
  readonly adds?: readonly Fact[];
  /** What is not there any more. */
  readonly ends?: readonly Fact[];
}

/** Of one container's record, so that a few of them fill the database's log. */
const fillerBytes = 600_000;
/** SQLite begins its log again from the start once it has 1000 pages of 4 KiB. */
const fillers = 10;

/** Of a file whose blob and content are on their way to the disk before they are whole. */
const largeBytes = 9 << 20;

/** @param layers gets what is in each layer, by diff id */
export function planActs(registry: ScriptedRegistry, layers: Map<string, Files>): Act[] {
  const name = (tag: string): string => `${registry.host}/a:${tag}`;
  const image = (tag: string): Fact => `image ${name(tag)}`;
  const layer = (i: number, firstBytes = 600_000): Buffer => {
    const files = Object.fromEntries(
      Array.from({ length: 12 }, (_, n) => [
        `d${n % 3}/f${n}`,
        randomBytes(n === 0 ? firstBytes : 3000 * n, i * 100 + n),
      ]),
    );
    const tar = tarOfFiles(files);
    layers.set(digestOf(tar), files);
    return tar;
  };
  const [shared, ...others] = [1, 2, 3].map((i) => layer(i)) as [Buffer, Buffer, Buffer];
  registry.addImage("1", [shared, others[0] as Buffer]);
  registry.addImage("2", [shared, others[1] as Buffer]);
  registry.addImage("3", [layer(4, largeBytes)]);
  const far = registry.addImage("far", [shared, layer(6)], {}, "arm64");
  const near = registry.addImage("near", [shared, layer(7)]);
  registry.addIndex("many", [far, "arm64"], [near, "amd64"]);
  const archives = new Map<string, Uint8Array>();

  const pull = (tag: string): Act => ({
    what: `pull ${tag}`,
    run: (engine) => all(engine.images.pull(name(tag), {})),
    adds: [image(tag)],
  });
  const pullFar = (adds: readonly Fact[]): Act => ({
    what: "pull many for arm64",
    run: (engine) => all(engine.images.pull(name("many"), { platform: "linux/arm64" })),
    adds: [...adds, `${image("many")} for arm64`],
  });
  const rmi = (tag: string): Act => ({
    what: `rmi ${tag}`,
    run: (engine) => engine.images.remove(name(tag), false),
    ends: [image(tag)],
  });
  const saved = (tag: string): Act => ({
    what: `save ${tag}`,
    run: async (engine) => void archives.set(tag, await joined(await engine.images.save([name(tag)]))),
  });
  const load = (tag: string): Act => ({
    what: `load ${tag}`,
    run: (engine) => all(engine.images.load(once(archives.get(tag) as Uint8Array))),
    adds: [image(tag)],
  });
  const host = `${registry.host}/a`;
  return [
    ...fill(name("1"), [pull("1")]),
    pull("2"),
    { what: "tag", run: (engine) => engine.images.tag(name("2"), host, "other"), adds: [image("other")] },
    rmi("1"),
    pull("3"),
    pull("1"),
    rmi("other"),
    saved("3"),
    rmi("3"),
    load("3"),
    {
      what: "import",
      run: (engine) => all(engine.images.import(once(layer(5)), { repo: host, tag: "imported", changes: [] })),
      adds: [image("imported")],
    },
    pull("many"),
    pullFar([]),
    {
      what: "rmi many for arm64",
      run: (engine) => engine.images.remove(name("many"), false, ["linux/arm64"]),
      ends: [`${image("many")} for arm64`],
    },
    pullFar([]),
    { ...rmi("many"), ends: [image("many"), `${image("many")} for arm64`] },
    pullFar([image("many")]),
    pull("many"),
    { what: "volume create", run: (engine) => engine.volumes.create({ Name: "vol" }), adds: ["volume vol"] },
    { what: "network create", run: (engine) => engine.networks.create({ Name: "net" }), adds: ["network net"] },
    {
      what: "create with a volume",
      run: (engine) =>
        engine.containers.create(
          { Image: name("3"), Cmd: ["/none"], HostConfig: { Binds: ["own:/own"], NetworkMode: "net" } },
          "old",
        ),
      adds: ["volume own", "container old, 0"],
    },
    {
      what: "rename",
      run: (engine) => engine.containers.rename("old", "new"),
      adds: ["container new, 0"],
      ends: ["container old, 0"],
    },
    {
      what: "update",
      run: (engine) => engine.containers.update("new", { Memory: 64 << 20, MemorySwap: 128 << 20 }),
      adds: [`container new, ${64 << 20}`],
      ends: ["container new, 0"],
    },
    {
      what: "copy into",
      run: (engine) =>
        engine.containers.putArchive("new", "/", once(tarOfFiles({ put: randomBytes(50_000, 9) })), false),
    },
    {
      what: "commit",
      run: (engine) => engine.images.commit("new", { repo: host, tag: "made", pause: 0, changes: [] }),
      adds: [image("made")],
    },
    {
      what: "rm",
      run: (engine) => engine.containers.remove("new"),
      ends: [`container new, ${64 << 20}`],
    },
    { what: "volume rm", run: (engine) => engine.volumes.remove("vol"), ends: ["volume vol"] },
    { what: "network rm", run: (engine) => engine.networks.remove("net"), ends: ["network net"] },
    ...["made", "imported", "1"].map(rmi),
    ...fill(name("3"), []),
    pull("1"),
    rmi("2"),
  ];
}

/**
 * Puts so much into the database that its log begins again from the start. From then on a sync of the log writes over what is
 * there already and takes nothing else along: what lies beside the database has to be on the disk by itself.
 */
function fill(image: string, before: readonly Act[]): Act[] {
  const config = { Image: image, Cmd: ["/none"], Labels: { filler: "x".repeat(fillerBytes) } };
  const each = Array.from({ length: fillers }, (_, i) => i);
  return [
    ...before,
    ...each.map(
      (i): Act => ({
        what: `create ${i}`,
        run: (engine) => engine.containers.create(config, `filler${i}`),
        adds: [`container filler${i}, 0`],
      }),
    ),
    ...each.map(
      (i): Act => ({
        what: `rm ${i}`,
        run: (engine) => engine.containers.remove(`filler${i}`),
        ends: [`container filler${i}, 0`],
      }),
    ),
  ];
}

async function all(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const taken: Uint8Array[] = [];
  for await (const piece of pieces) taken.push(piece);
  return Buffer.concat(taken);
}
