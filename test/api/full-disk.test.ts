/** The state directory's disk is full: removing goes on working, ends are told, and nothing stays in a state without a reason. */

import { expect } from "bun:test";
import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { FrozenDisk } from "../frozen-disk.ts";
import { kernelTest, type Need, type Scratch } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { type Answer, messageOf, request } from "./engine-fixture.ts";

const needs: readonly Need[] = ["root", "product", "overlay"];
const waitMs = 20_000;

class Machine {
  readonly product: Product;
  readonly disk: FrozenDisk;
  readonly spare: string;

  constructor({ directory, defer }: Scratch) {
    this.disk = new FrozenDisk(directory, "state");
    defer(() => this.disk[Symbol.dispose]());
    this.product = new Product(directory, { env: nothingReady });
    defer(() => this.product.stop());
    this.spare = join(this.disk.path, "orlop.db-spare");
  }

  ask(method: string, path: string, body?: unknown): Promise<Answer> {
    return request(this.product, method, path, body);
  }

  async create(name: string, script: string, more: object = {}, host: object = {}): Promise<void> {
    const body = { Image: "host", Cmd: ["sh", "-c", script], HostConfig: { NetworkMode: "none", ...host }, ...more };
    expect(await this.ask("POST", `/containers/create?name=${name}`, body)).toMatchObject({ status: 201 });
  }

  async run(name: string, script: string, more: object = {}, host: object = {}): Promise<void> {
    await this.create(name, script, more, host);
    expect(await this.ask("POST", `/containers/${name}/start`)).toMatchObject({ status: 204 });
  }

  async inspect(
    name: string,
  ): Promise<{ State: { Status: string; Error: string; ExitCode: number }; RestartCount: number }> {
    return JSON.parse((await this.ask("GET", `/containers/${name}/json`)).body);
  }

  becomes(name: string, status: string): Promise<void> {
    return waitUntil(async () => (await this.inspect(name)).State.Status === status, waitMs, `${name} is ${status}`);
  }

  /** There is room for removals, which an engine takes a moment after its first change. */
  async fill(): Promise<void> {
    await waitUntil(
      () => (statSync(this.spare, { throwIfNoEntry: false })?.size ?? 0) >= 256 << 10,
      waitMs,
      "the spare room",
    );
    this.disk.fill();
  }

  async names(): Promise<string[]> {
    const all = JSON.parse((await this.ask("GET", "/containers/json?all=1")).body) as { Names: string[] }[];
    return all.flatMap(({ Names }) => Names).sort();
  }
}

const volumeNames = async (machine: Machine): Promise<string[]> => {
  const { Volumes } = JSON.parse((await machine.ask("GET", "/volumes")).body) as { Volumes: { Name: string }[] };
  return Volumes.map(({ Name }) => Name);
};

kernelTest(
  "containers, their volumes and named volumes are removed on a full disk, and make room",
  needs,
  async (scratch) => {
    const machine = new Machine(scratch);
    await machine.product.ok("ps");
    for (const name of ["one", "two", "three"]) await machine.run(name, "exit 3", { Volumes: { "/v": {} } });
    await machine.run("large", "head -c 3000000 /dev/zero >/large; exit 3");
    for (const name of ["one", "two", "three", "large"]) await machine.becomes(name, "exited");
    await machine.ask("POST", "/volumes/create", { Name: "named" });
    await machine.fill();
    expect((await machine.ask("POST", "/volumes/create", { Name: "another" })).status).toBe(500);
    expect((await machine.ask("DELETE", "/containers/one?v=1")).status).toBe(204);
    expect((await machine.ask("DELETE", "/containers/two")).status).toBe(204); // its volume stays: that is written down
    expect((await machine.ask("DELETE", "/volumes/named")).status).toBe(204);
    expect((await volumeNames(machine)).length).toBe(2);
    expect((await machine.ask("DELETE", "/containers/large")).status).toBe(204);
    expect(await machine.names()).toEqual(["/three"]);
    machine.product.killEngine();
    await machine.product.ok("ps");
    expect(await machine.names()).toEqual(["/three"]);
    expect((await volumeNames(machine)).length).toBe(2);
    machine.disk.empty();
    await machine.ask("DELETE", "/containers/three");
    await waitUntil(() => existsSync(machine.spare), waitMs, "there is spare room again");
  },
);

kernelTest(
  "where there is not even spare room, a removal fails, says why, and can be repeated",
  needs,
  async (scratch) => {
    const machine = new Machine(scratch);
    await machine.product.ok("ps");
    await machine.run("kept", "exit 3", { Volumes: { "/v": {} } });
    await machine.becomes("kept", "exited");
    await machine.ask("POST", "/volumes/create", { Name: "named" });
    await machine.fill();
    rmSync(machine.spare);
    machine.disk.fill();
    for (const path of ["/containers/kept", "/containers/kept?v=1", "/volumes/named"]) {
      const refused = await machine.ask("DELETE", path);
      expect([path, refused.status, messageOf(refused)]).toEqual([
        path,
        503,
        expect.stringContaining("no space left on device"),
      ]);
    }
    const { State } = await machine.inspect("kept");
    expect([State.Status, State.ExitCode, State.Error]).toEqual([
      "exited",
      3,
      expect.stringContaining("could not be removed: "),
    ]);
    expect((await volumeNames(machine)).length).toBe(2);
    machine.disk.empty();
    expect((await machine.ask("DELETE", "/containers/kept")).status).toBe(204);
    expect((await volumeNames(machine)).length).toBe(2); // the anonymous one was to stay, and is nobody's any more
    machine.product.killEngine();
    await machine.product.ok("ps");
    expect((await volumeNames(machine)).length).toBe(2);
  },
);

kernelTest("a container's end is told on a full disk, and its policy goes on", needs, async (scratch) => {
  const machine = new Machine(scratch);
  await machine.product.ok("ps");
  const waiting = "while [ ! -e /dev/shm/go ]; do sleep 0.05; done";
  await machine.run("ending", `${waiting}; exit 5`);
  await machine.run(
    "again",
    `${waiting}; sleep 0.2; exit 6`,
    {},
    { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 1 } },
  );
  await machine.fill();
  const { containers } = machine.product.engine;
  const wait = await containers.wait("ending", "next-exit");
  for (const name of ["ending", "again"]) await machine.product.ok("exec", name, "touch", "/dev/shm/go");
  expect((await wait.exit()).StatusCode).toBe(5);
  await machine.becomes("ending", "exited");
  // Its next start may find no room either; then that is its reason.
  await waitUntil(
    async () => {
      const { RestartCount, State } = await machine.inspect("again");
      return RestartCount === 1 || State.Error.includes("ENOSPC");
    },
    waitMs,
    "it was started again, or says why not",
  );
  machine.product.killEngine();
  machine.product.disconnect();
  await machine.product.ok("ps");
  expect((await machine.inspect("ending")).State).toMatchObject({ Status: "exited", ExitCode: 5 });
  expect((await machine.ask("DELETE", "/containers/ending")).status).toBe(204);
  machine.disk.empty();
});

kernelTest("a restart by policy that finds no room is tried again, and says so", needs, async (scratch) => {
  const machine = new Machine(scratch);
  await machine.product.ok("ps");
  const waiting = "while [ ! -e /dev/shm/go ]; do sleep 0.05; done";
  await machine.run("again", `${waiting}; exit 6`, {}, { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 1 } });
  await machine.fill();
  await machine.product.ok("exec", "again", "touch", "/dev/shm/go");
  const said = async (): Promise<string> => (await machine.inspect("again")).State.Error;
  await waitUntil(async () => (await said()).includes("ENOSPC"), waitMs, "its restart finds no room");
  const { State, RestartCount } = await machine.inspect("again");
  expect([State.Status, State.Error, RestartCount]).toEqual([
    "restarting",
    expect.stringMatching(/ENOSPC.*; restart 1 by its policy on-failure, after \d+ ms$/),
    1,
  ]);
  machine.disk.empty();
  await machine.becomes("again", "running");
});

kernelTest("an update that cannot be written down changes no limit", needs, async (scratch) => {
  const machine = new Machine(scratch);
  await machine.product.ok("ps");
  const limits = { Memory: 256 << 20, MemorySwap: 512 << 20, PidsLimit: 50, CpuShares: 512 };
  await machine.run("limited", "sleep 1000", {}, limits);
  const acts = (): Promise<string> =>
    machine.product.ok(
      "exec",
      "limited",
      "sh",
      "-c",
      "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes pids/pids.max cpu/cpu.shares 2>/dev/null || cat memory.max memory.swap.max pids.max cpu.weight",
    );
  const before = await acts();
  await machine.fill();
  const asked = { Memory: 128 << 20, MemorySwap: 256 << 20, PidsLimit: 20, CpuShares: 256 };
  const refused = await machine.ask("POST", "/containers/limited/update", asked);
  expect([refused.status, messageOf(refused)]).toEqual([503, expect.stringContaining("no space left on device")]);
  expect(await acts()).toBe(before);
  const { HostConfig } = JSON.parse((await machine.ask("GET", "/containers/limited/json")).body);
  expect(HostConfig).toMatchObject(limits);
  machine.disk.empty();
  expect((await machine.ask("POST", "/containers/limited/update", asked)).status).toBe(200);
  expect(await acts()).not.toBe(before);
});
