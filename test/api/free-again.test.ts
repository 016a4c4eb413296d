/**
 * What a container had is free again when its removal is answered: its name, its port, the only address of its network, its
 * anonymous volumes. Also where the engine, netd or the supervisor was killed while it ran.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { canListen } from "../kernel/netd-fixture.ts";
import type { Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { begin, request, useProduct } from "./engine-fixture.ts";

// Before the engine's own, which ends it.
afterAll(() => done("DELETE", "/networks/narrow"));
const product = useProduct();
const port = 48_555;
const backMs = 20_000;

const ask = (method: string, path: string, body?: unknown) => request(product(), method, path, body);

async function done(method: string, path: string, body?: unknown): Promise<string> {
  const answer = await ask(method, path, body);
  expect([method, path, answer.status < 300 ? "" : answer.body]).toEqual([method, path, ""]);
  return answer.body;
}

beforeAll(async () => {
  // Four addresses: the network's, the gateway's, one of a container, the broadcast one.
  await done("POST", "/networks/create", { Name: "narrow", IPAM: { Config: [{ Subnet: "10.112.0.0/30" }] } });
});

const create = (Cmd: readonly string[], AutoRemove: boolean) =>
  done("POST", "/containers/create?name=gone", {
    Image: "host",
    Cmd,
    Volumes: { "/data": {} },
    ExposedPorts: { "80/tcp": {} },
    HostConfig: { AutoRemove, NetworkMode: "narrow", PortBindings: { "80/tcp": [{ HostPort: String(port) }] } },
  });

/** Asked once, at once. */
async function expectFree(): Promise<void> {
  expect(await canListen("0.0.0.0", port)).toBe(true);
  expect((await ask("GET", "/containers/gone/json")).status).toBe(404);
  const { Volumes } = JSON.parse(await done("GET", "/volumes")) as { Volumes: unknown[] | null };
  expect(Volumes ?? []).toEqual([]);
}

const start = () => done("POST", "/containers/gone/start");

/** Each ends and removes the container that `create` made. */
const removals: Readonly<
  Record<string, { readonly cmd: readonly string[]; readonly rm: boolean; run(): Promise<void> }>
> = {
  "wait for removed": {
    cmd: ["true"],
    rm: true,
    async run() {
      const removed = await begin(product(), "POST", "/containers/gone/wait?condition=removed");
      await start();
      expect(await removed.body).toContain('"StatusCode":0');
    },
  },
  "the removal of one that runs": {
    cmd: ["sleep", "1000"],
    rm: false,
    async run() {
      await start();
      await done("DELETE", "/containers/gone?force=1&v=1");
    },
  },
  "the removal of one that has ended": {
    cmd: ["true"],
    rm: false,
    async run() {
      await start();
      await done("POST", "/containers/gone/wait");
      await done("DELETE", "/containers/gone?v=1");
    },
  },
};

test.each(Object.entries(removals))("%s: the next one has the same at once", async (_, { cmd, rm, run }) => {
  for (let round = 0; round < 5; round++) {
    await create(cmd, rm);
    await run();
    await expectFree();
  }
});

const killed: Readonly<Record<string, (product: Product) => readonly (number | undefined)[]>> = {
  "the engine": (one) => [one.enginePid()],
  netd: (one) => [one.netdPid()],
  "the supervisor": (one) => [one.supervisorPid()],
  "the engine and netd": (one) => [one.enginePid(), one.netdPid()],
  "all three": (one) => [one.supervisorPid(), one.enginePid(), one.netdPid()],
};

/** Resolves when an engine serves that has a supervisor: without one it ends, and another one comes. */
async function killAll(pids: readonly (number | undefined)[]): Promise<void> {
  const engine = product().enginePid();
  const isSupervisorKilled = pids.includes(product().supervisorPid());
  for (const pid of pids) process.kill(pid ?? expect.unreachable("it does not run"), "SIGKILL");
  await product().ok("ps");
  if (isSupervisorKilled) {
    const isNext = () => ![undefined, engine].includes(product().enginePid());
    await waitUntil(isNext, backMs, "the next engine is there");
    await product().ok("ps");
  }
}

test.each(Object.entries(killed))(
  "%s killed: the port is held while the container runs, and free when its removal is answered",
  async (_, pidsOf) => {
    await create(["sleep", "1000"], false);
    await start();
    expect(await canListen("0.0.0.0", port)).toBe(false);
    const pids = pidsOf(product());
    await killAll(pids);
    await waitUntil(async () => !(await canListen("0.0.0.0", port)), backMs, "the port is held again");
    await done("DELETE", "/containers/gone?force=1&v=1");
    await expectFree();
    // Nobody else has it by mistake: the next one starts with it.
    await create(["true"], false);
    await start();
    await done("POST", "/containers/gone/wait");
    await done("DELETE", "/containers/gone?v=1");
    await expectFree();
  },
  60_000,
);

test.each(Object.entries(killed))(
  "%s killed together with the container's monitor: the port is free when the container is removed",
  async (_, pidsOf) => {
    await create(["sleep", "1000"], false);
    await start();
    await killAll([...product().monitorPids(), ...pidsOf(product())]);
    await done("DELETE", "/containers/gone?force=1&v=1");
    await expectFree();
  },
  60_000,
);
