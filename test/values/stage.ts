/** Where the values act: an engine, a root, two images, a donor, a network; and what can be seen of a container. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { busyboxLayer, tarOfFiles } from "../images/layer-tar.ts";
import { expectNoLeaks, type Snapshot, takeSnapshot, type Watch } from "../leakcheck.ts";
import { nothingReady, Product } from "../product.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { waitUntil } from "../wait-until.ts";

/** A container that others share something with. */
export const NEIGHBOUR = "values-neighbour";

/** Part of a body. */
export type Fragment = Readonly<Record<string, unknown>>;

export class Stage {
  readonly directory = mkdtempSync(join(tmpdir(), "orlop-values-"));
  readonly product = new Product(this.directory, { env: nothingReady });
  readonly rootfs = makeBusyboxRoot(this.directory);
  readonly registry: ScriptedRegistry;
  #before: Snapshot | undefined;

  private constructor(registry: ScriptedRegistry) {
    this.registry = registry;
  }

  static async open(): Promise<Stage> {
    const stage = new Stage(await ScriptedRegistry.open());
    for (const which of ["one", "two"])
      stage.registry.addImage(which, [busyboxLayer(), tarOfFiles({ "etc/which": which, "srv/deep/file": which })]);
    for (const which of ["one", "two"]) await stage.product.ok("pull", "-q", stage.image(which));
    await stage.product.ok(
      "network",
      "create",
      "--subnet",
      "10.111.0.0/24",
      "--ipv6",
      "--subnet",
      "fd00:111::/64",
      "values",
    );
    const script = "echo given >/donated/file; exec sleep 1000";
    const neighbour = { Cmd: ["sh", "-c", script], Volumes: { "/donated": {} } };
    const host = { NetworkMode: "values", IpcMode: "shareable" };
    await stage.product.engine.containers.start(await stage.create({ ...neighbour, HostConfig: host }, NEIGHBOUR));
    await stage.printed({ Cmd: ["true"], HostConfig: { NetworkMode: "bridge" } });
    for (const name of ["values-parts", "values-source"]) await stage.product.engine.volumes.create({ Name: name });
    stage.product.disconnect();
    await Bun.sleep(500); // the engine closes what it opened for that
    stage.#before = takeSnapshot(stage.#watch);
    return stage;
  }

  image(which: string): string {
    return `${this.registry.host}/test/box:${which}`;
  }

  get #watch(): Watch {
    const { runDir, stateDir } = this.product;
    return { directory: this.directory, folders: [`${runDir}/containers`, `${stateDir}/containers`] };
  }

  async create(ask: Fragment, name?: string): Promise<string> {
    const base = {
      HostConfig: { ...(ask["Image"] === undefined ? { Rootfs: this.rootfs } : {}), NetworkMode: "none" },
    };
    return (await this.product.engine.containers.create(merged(base, ask), name)).Id;
  }

  /** What a container wrote until its end; nothing of it stays. */
  async printed(ask: Fragment): Promise<string> {
    const { containers } = this.product.engine;
    const id = await this.create(ask);
    try {
      const wait = await containers.wait(id, "next-exit");
      await containers.start(id);
      await wait.exit();
      return await this.product.ok("logs", id);
    } finally {
      await containers.remove(id, { force: true, volumes: true });
    }
  }

  /** What `look` finds at a container that runs; nothing of it stays. */
  async running(ask: Fragment, look: (seen: Seen) => string | Promise<string>, name?: string): Promise<string> {
    const { containers } = this.product.engine;
    const id = await this.create(merged({ Cmd: ["sleep", "1000"] }, ask), name);
    try {
      await containers.start(id);
      return await look(await Seen.of(this, id));
    } finally {
      await containers.remove(id, { force: true, volumes: true }).catch((error: { status?: number }) => {
        if (error.status !== 404) throw error; // it was to remove itself
      });
    }
  }

  async close(): Promise<void> {
    await removeGroups();
    await this.product.engine.containers.remove(NEIGHBOUR, { force: true, volumes: true });
    this.product.disconnect();
    try {
      if (this.#before !== undefined) await expectNoLeaks(this.#before, this.#watch, 20_000);
    } finally {
      await this.product.stop();
      await this.registry[Symbol.asyncDispose]();
      rmSync(this.directory, { recursive: true, force: true });
    }
  }
}

/** Parents that were asked for stay when the container goes, as with Docker: who names them owns them. */
export async function removeGroups(): Promise<void> {
  const below = ["values/deeper/down", "values/deeper", "values", "values-relative"];
  const all = readdirSync("/sys/fs/cgroup").flatMap((hierarchy) =>
    below.map((path) => `/sys/fs/cgroup/${hierarchy}/${path}`),
  );
  for (const group of all.filter((path) => existsSync(path))) {
    // The container's own group is cleared away behind the answer.
    await waitUntil(() => groupsIn(group) === 0, 10_000, `${group} is empty`);
    rmdirSync(group);
  }
}

function groupsIn(group: string): number {
  return readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory()).length;
}

/** A container that runs. */
export class Seen {
  readonly stage: Stage;
  readonly id: string;
  readonly pid: number;

  private constructor(stage: Stage, id: string, pid: number) {
    this.stage = stage;
    this.id = id;
    this.pid = pid;
  }

  static async of(stage: Stage, id: string): Promise<Seen> {
    return new Seen(stage, id, (await stage.product.engine.containers.inspect(id)).State.Pid);
  }

  /** At a path of its inspection, e.g. "Config.Labels". */
  async inspected(path: string): Promise<unknown> {
    let value: unknown = await this.stage.product.engine.containers.inspect(this.id);
    for (const name of path.split(".")) value = (value as Record<string, unknown> | null)?.[name];
    return value;
  }

  inside(script: string): Promise<string> {
    return this.stage.product.ok("exec", this.id, "sh", "-c", script);
  }

  logs(...flags: string[]): Promise<string> {
    return this.stage.product.ok("logs", ...flags, this.id);
  }

  /** A file of its group in a hierarchy of v1. */
  group(controller: string, file: string): string {
    const lines = readFileSync(`/proc/${this.pid}/cgroup`, "utf8").split("\n");
    const line = lines.find((one) => one.split(":")[1]?.split(",").includes(controller));
    return readFileSync(`/sys/fs/cgroup/${controller}${line?.split(":")[2]}/${file}`, "utf8").trim();
  }

  proc(file: string): string {
    return readFileSync(`/proc/${this.pid}/${file}`, "utf8").trim();
  }
}

/** The second's values win; lists are replaced. */
export function merged(first: Fragment, second: Fragment): Fragment {
  const result: Record<string, unknown> = { ...first };
  for (const [key, value] of Object.entries(second)) {
    const old = result[key];
    result[key] = isTable(old) && isTable(value) ? merged(old, value) : value;
  }
  return result;
}

function isTable(value: unknown): value is Fragment {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
