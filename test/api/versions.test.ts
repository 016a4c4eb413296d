/** Each row of the table of versions: asked for with the version before it and with its own, the answers differ as it says. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChangeName, changes } from "../../src/api/versions.ts";
import { busyboxLayer, tarOfFiles } from "../images/layer-tar.ts";
import { testWhere } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { operations } from "./description.ts";
import { type Answer, open, request } from "./engine-fixture.ts";

const directory = mkdtempSync(join(tmpdir(), "orlop-versions-"));
const product = new Product(directory, { env: nothingReady });
let registry: ScriptedRegistry;
const image = () => `${registry.host}/test/box:1`;

beforeAll(async () => {
  registry = await ScriptedRegistry.open();
  registry.addImage("1", [busyboxLayer()], { Cmd: ["sleep", "1000"] });
  await product.ok("pull", "-q", image());
  await product.ok("network", "create", "versions");
  const config = { Image: image(), HostConfig: { NetworkMode: "versions" } };
  await product.engine.containers.create(config, "running");
  await product.engine.containers.start("running");
  const archive = tarOfFiles({ unnamed: "image" });
  for await (const _ of product.engine.images.import(chunk(archive), { changes: [] }));
}, 60_000);
afterAll(async () => {
  await product.stop();
  await registry[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function* chunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

type Json = Readonly<Record<string, unknown>>;

/** What one version answers, as a word or two. */
interface Trial {
  readonly ask: (api: Api) => Promise<unknown>;
  readonly before: unknown;
  readonly since: unknown;
}

/** Requests of one version. */
class Api {
  readonly minor: number;

  constructor(minor: number) {
    this.minor = minor;
  }

  send(method: string, path: string, body?: unknown): Promise<Answer> {
    return request(product, method, `/v1.${this.minor}${path}`, body);
  }

  async get<T = Json>(path: string): Promise<T> {
    const { body } = await this.send("GET", path); // may come in chunks
    return JSON.parse(body.replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, "")) as T;
  }

  /** What today's inspect shows of a container that this version makes. */
  async made(body: Json, path: string): Promise<unknown> {
    const answer = await this.send("POST", "/containers/create?name=made", { Image: image(), ...body });
    if (answer.status !== 201) return answer.status;
    let value: unknown = await product.engine.containers.inspect("made");
    await product.engine.containers.remove("made", { force: true, volumes: true });
    for (const name of path.split(".").filter(Boolean)) value = (value as Json | undefined | null)?.[name];
    return value ?? null;
  }
}

const host = (HostConfig: Json, path: string) => (api: Api) => api.made({ HostConfig }, `HostConfig.${path}`);
const mount = (fields: Json, path: string) => (api: Api) =>
  api.made({ HostConfig: { Mounts: [{ Target: "/mnt", ...fields }] } }, `HostConfig.Mounts.0.${path}`);
const bind = (option: string) =>
  mount(
    { Type: "bind", Source: directory, ReadOnly: true, BindOptions: { [option]: true, Propagation: "rprivate" } },
    `BindOptions.${option}`,
  );
const endpoint = (settings: Json, path: string) => (api: Api) =>
  api.made(
    { HostConfig: { NetworkMode: "versions" }, NetworkingConfig: { EndpointsConfig: { versions: settings } } },
    `NetworkSettings.Networks.versions.${path}`,
  );
const status = (method: string, path: () => string) => async (api: Api) => (await api.send(method, path())).status;
/** For this machine's platform, and for one that no test has an image for. */
const forPlatforms = (method: string, path: () => string) => async (api: Api) => {
  const answers = ["linux/amd64", '{"os":"linux","architecture":"s390x"}'].map((platform) => {
    const whole = `${path()}${path().includes("?") ? "&" : "?"}platform=${encodeURIComponent(platform)}`;
    return api.send(method, whole);
  });
  return (await Promise.all(answers)).map((answer) => answer.status);
};
const platformIsHeeded = { before: [200, 200], since: [200, 404] };
const images = (api: Api, query = "") => api.get<readonly Json[]>(`/images/json?${query}`);
const ofBox = async (api: Api, query = "") =>
  (await images(api, query)).find((one) => String(one["RepoTags"]).includes("box"));
const info = (name: string) => async (api: Api) => (await api.get("/info"))[name] !== undefined;
const inspected = (name: string) => async (api: Api) => (await api.get(`/images/${image()}/json`))[name] !== undefined;

async function prunedVolume(api: Api): Promise<string> {
  await product.engine.volumes.create({ Name: "named" });
  await api.send("POST", "/volumes/prune");
  const left = (await product.engine.volumes.list()).filter(({ Name }) => Name === "named").length;
  await product.engine.volumes.remove("named", true);
  return left === 0 ? "gone" : "there";
}

async function network4(api: Api): Promise<unknown> {
  await api.send("POST", "/networks/create", { Name: "made", EnableIPv4: false, EnableIPv6: true });
  const { EnableIPv4 } = (await product.engine.networks.inspect("made")) as Json;
  await product.engine.networks.remove("made");
  return EnableIPv4;
}

async function updatedPids(api: Api): Promise<unknown> {
  await api.send("POST", "/containers/running/update", { PidsLimit: 77 });
  const { HostConfig } = (await product.engine.containers.inspect("running")) as unknown as { HostConfig: Json };
  await product.engine.done({ method: "POST", path: "/containers/running/update", json: { PidsLimit: 0 } });
  return HostConfig["PidsLimit"];
}

/** Whether standard output is attached though it was not asked for: something is written while a client is there. */
async function attachedOutput(api: Api): Promise<boolean> {
  const socket = await open(product);
  let text = "";
  const body = { Image: image(), Cmd: ["sh", "-c", "read line; echo said"], OpenStdin: true };
  await product.engine.containers.create(body, "attached");
  socket.on("data", (bytes: Uint8Array) => {
    text += Buffer.from(bytes).toString("latin1");
  });
  const ended = new Promise((resolve) => socket.once("end", resolve));
  const key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const target = `/v1.${api.minor}/containers/attached/attach/ws?stream=1&stdin=1`;
  socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n`);
  await new Promise((resolve) => socket.once("data", resolve));
  await product.engine.containers.start("attached");
  socket.write(Uint8Array.of(0x82, 0x81, 0, 0, 0, 0, 0x0a)); // "\n", masked with zeros
  await ended;
  socket.destroy();
  await product.engine.containers.remove("attached", { force: true });
  return text.includes("said");
}

const trials: Readonly<Record<ChangeName, Trial>> = {
  autoRemove: { ask: host({ AutoRemove: true }, "AutoRemove"), before: false, since: true },
  infoOptions: {
    ask: async (api) => (await api.get<{ SecurityOptions: string[] }>("/info")).SecurityOptions[0],
    before: "seccomp",
    since: "name=seccomp,profile=builtin",
  },
  networkMembers: {
    ask: async (api) => {
      const found = (await api.get<readonly Json[]>("/networks")).find(({ Name }) => Name === "versions");
      return Object.keys(found?.["Containers"] as object).length;
    },
    before: 1,
    since: 0,
  },
  waitCondition: {
    ask: async (api) => {
      await product.engine.containers.create({ Image: image() }, "waited");
      const answered = await api.send("POST", "/containers/waited/wait?condition=nonsense");
      await product.engine.containers.remove("waited");
      return answered.status;
    },
    before: 200,
    since: 400,
  },
  pullPlatform: {
    ask: status("POST", () => `/images/create?fromImage=${registry.host}/test/box&tag=1&platform=a/b/c/d/e`),
    before: 200,
    since: 400,
  },
  nonRecursiveBind: { ask: bind("NonRecursive"), before: false, since: true },
  privateIpc: { ask: host({}, "IpcMode"), before: "shareable", since: "private" },
  updatePids: { ask: updatedPids, before: null, since: 77 },
  createPlatform: {
    ask: async (api) => {
      const answer = await api.send("POST", "/containers/create?name=made&platform=a/b/c/d/e", { Image: image() });
      if (answer.status === 201) await product.engine.containers.remove("made");
      return answer.status;
    },
    before: 201,
    since: 400,
  },
  imageFilter: { ask: async (api) => (await images(api, "filter=nothing")).length > 0, before: false, since: true },
  oneShot: {
    ask: async (api) =>
      (await api.get("/containers/running/stats?stream=0&one-shot=1"))["preread"] === "0001-01-01T00:00:00Z",
    before: false,
    since: true,
  },
  attachedStreams: { ask: attachedOutput, before: true, since: false },
  builderSize: {
    ask: async (api) => (await api.get("/system/df"))["BuilderSize"] !== undefined,
    before: true,
    since: false,
  },
  consoleSize: { ask: host({ ConsoleSize: [7, 9] }, "ConsoleSize"), before: [0, 0], since: [7, 9] },
  createMountpoint: { ask: bind("CreateMountpoint"), before: false, since: true },
  pruneNamed: { ask: prunedVolume, before: "gone", since: "there" },
  sharedSize: { ask: async (api) => (await ofBox(api, "shared-size=1"))?.["SharedSize"], before: -1, since: 0 },
  stopSignal: {
    ask: async (api) => {
      await product.engine.containers.create({ Image: image() }, "stopped");
      await product.engine.containers.start("stopped");
      const answered = await api.send("POST", "/containers/stopped/stop?t=0&signal=nonsense");
      await product.engine.containers.remove("stopped", { force: true });
      return answered.status;
    },
    before: 204,
    since: 400,
  },
  streamType: {
    ask: async (api) => /docker\.(\w+)/.exec((await api.send("GET", "/containers/running/logs?stdout=1")).headers)?.[1],
    before: "raw",
    since: "multiplexed",
  },
  usageType: {
    ask: async (api) => (await api.get("/system/df?type=image"))["Volumes"] !== undefined,
    before: true,
    since: false,
  },
  annotations: { ask: host({ Annotations: { a: "b" } }, "Annotations"), before: null, since: { a: "b" } },
  noName: {
    ask: async (api) =>
      (await images(api)).map(({ RepoTags }) => JSON.stringify(RepoTags)).includes('["<none>:<none>"]'),
    before: true,
    since: false,
  },
  endpointMac: {
    ask: endpoint({ MacAddress: "02:42:00:00:00:63" }, "MacAddress"),
    before: "",
    since: "02:42:00:00:00:63",
  },
  imageCreated: { ask: inspected("Created"), before: true, since: false },
  readOnlyBelow: { ask: bind("ReadOnlyForceRecursive"), before: false, since: true },
  severalNetworks: {
    ask: async (api) => {
      const networks = { EndpointsConfig: { versions: {}, bridge: {} } };
      const made = await api.made({ HostConfig: { NetworkMode: "versions" }, NetworkingConfig: networks }, "Name");
      return made;
    },
    before: 400,
    since: "/made",
  },
  startInterval: {
    ask: (api) =>
      api.made({ Healthcheck: { Test: ["NONE"], StartInterval: 5_000_000 } }, "Config.Healthcheck.StartInterval"),
    before: 0,
    since: 5_000_000,
  },
  virtualSize: { ask: inspected("VirtualSize"), before: true, since: false },
  shortAlias: {
    ask: async (api) => {
      const { Id, NetworkSettings } = await api.get<{
        Id: string;
        NetworkSettings: { Networks: Record<string, { Aliases: string[] | null }> };
      }>("/containers/running/json");
      return NetworkSettings.Networks["versions"]?.Aliases?.includes(Id.slice(0, 12)) ?? false;
    },
    before: true,
    since: false,
  },
  volumeSubpath: {
    ask: mount({ Type: "volume", Source: "versions", VolumeOptions: { Subpath: "x" } }, "VolumeOptions.Subpath"),
    before: "",
    since: "x",
  },
  listedAnnotations: {
    ask: async (api) => {
      await product.engine.containers.create({ Image: image(), HostConfig: { Annotations: { a: "b" } } }, "listed");
      const all = await api.get<readonly { Names: string[]; HostConfig: Json }[]>("/containers/json?all=1");
      await product.engine.containers.remove("listed");
      return all.find(({ Names }) => Names[0] === "/listed")?.HostConfig["Annotations"] ?? null;
    },
    before: null,
    since: { a: "b" },
  },
  tmpfsOptions: {
    ask: mount({ Type: "tmpfs", TmpfsOptions: { Options: [["exec"]] } }, "TmpfsOptions.Options"),
    before: [],
    since: [["exec"]],
  },
  gatewayPriority: { ask: endpoint({ GwPriority: 5 }, "GwPriority"), before: 0, since: 5 },
  listedManifests: {
    ask: async (api) => (await ofBox(api, "manifests=1"))?.["Manifests"] !== undefined,
    before: false,
    since: true,
  },
  pushPlatform: {
    ask: forPlatforms("POST", () => `/images/${registry.host}/test/box/push?tag=1`),
    ...platformIsHeeded,
  },
  archivedPlatform: {
    ask: forPlatforms("GET", () => `/images/${image()}/get`),
    ...platformIsHeeded,
  },
  historyPlatform: {
    ask: forPlatforms("GET", () => `/images/${image()}/history`),
    ...platformIsHeeded,
  },
  inspectPlatform: {
    ask: forPlatforms("GET", () => `/images/${image()}/json`),
    ...platformIsHeeded,
  },
  imageDescriptor: { ask: inspected("Descriptor"), before: false, since: true },
  imageManifests: {
    ask: async (api) => (await api.get(`/images/${image()}/json?manifests=1`))["Manifests"] !== undefined,
    before: false,
    since: true,
  },
  imageMounts: {
    ask: (api) => mount({ Type: "image", Source: image() }, "Type")(api),
    before: 400,
    since: "image",
  },
  withoutIpv4: { ask: network4, before: true, since: false },
  expectedCommits: {
    ask: async (api) => ((await api.get("/info"))["RuncCommit"] as Json)["Expected"] !== undefined,
    before: true,
    since: false,
  },
  bridgeFilters: { ask: info("BridgeNfIptables"), before: true, since: false },
  leanImage: {
    ask: async (api) =>
      Object.keys((await api.get(`/images/${image()}/json`))["Config"] as object).includes("Hostname"),
    before: true,
    since: false,
  },
  removedPlatforms: { ask: status("DELETE", () => "/images/none:1?platforms=a/b/c/d/e"), before: 404, since: 400 },
  countedContainers: { ask: async (api) => (await ofBox(api))?.["Containers"], before: -1, since: 1 },
};

describe.each(Object.entries(trials))("%s", (name, { ask, before, since }) => {
  const { since: minor, what } = changes[name as ChangeName];
  test(`${what} (1.${minor})`, async () => {
    const [old, now] = [await ask(new Api(minor - 1)), await ask(new Api(minor))];
    product.disconnect();
    expect([old, now]).toEqual([before, since]);
  });
});

testWhere("description")("every row names operations of Docker's description, and a version that is spoken", () => {
  const known = new Set(operations().map(({ id }) => id));
  for (const { since, operations: named } of Object.values(changes)) {
    expect(named.filter((operation) => !known.has(operation))).toEqual([]);
    expect(since).toBeGreaterThan(24);
    expect(since).toBeLessThanOrEqual(51);
  }
});

test("the container-wide MAC address is warned of, and must be the endpoint's", async () => {
  const body = { Image: image(), MacAddress: "02:42:00:00:00:01", HostConfig: { NetworkMode: "versions" } };
  const old = await new Api(43).send("POST", "/containers/create?name=made", body);
  await product.engine.containers.remove("made");
  const now = await new Api(44).send("POST", "/containers/create?name=made", body);
  await product.engine.containers.remove("made");
  expect([JSON.parse(old.body).Warnings, JSON.parse(now.body).Warnings]).toEqual([
    [],
    ["The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."],
  ]);
  const other = { EndpointsConfig: { versions: { MacAddress: "02:42:00:00:00:02" } } };
  const both = await new Api(44).send("POST", "/containers/create?name=made", { ...body, NetworkingConfig: other });
  product.disconnect();
  expect([both.status, both.body]).toEqual([400, expect.stringContaining("02:42:00:00:00:02")]);
});
