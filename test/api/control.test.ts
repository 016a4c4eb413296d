/** Containers changed while they live: paused, renamed, given other limits. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { testWhere } from "../kernel/harness.ts";
import { waitUntil } from "../wait-until.ts";
import { docker, messageOf, request, useProduct } from "./engine-fixture.ts";

const product = useProduct();
const ask = (method: string, path: string, body?: unknown) => request(product(), method, path, body);

interface Inspection {
  readonly Id: string;
  readonly Name: string;
  readonly State: { Status: string; Running: boolean; Paused: boolean; Pid: number; ExitCode: number };
  readonly HostConfig: Record<string, unknown>;
}

async function inspect(name: string): Promise<Inspection> {
  return JSON.parse((await ask("GET", `/containers/${name}/json`)).body) as Inspection;
}

/** A container that counts, so that it can be seen to stand still. */
async function counting(name: string, host: Record<string, unknown> = {}): Promise<string> {
  const body = {
    Image: "host",
    Cmd: ["sh", "-c", "trap 'exit 7' TERM; trap 'exit 8' USR1; i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"],
    HostConfig: host,
  };
  expect((await ask("POST", `/containers/create?name=${name}`, body)).status).toBe(201);
  expect((await ask("POST", `/containers/${name}/start`)).status).toBe(204);
  await waitUntil(async () => (await lines(name)) > 0, 5000, "it counts");
  return name;
}

async function lines(name: string): Promise<number> {
  return (await ask("GET", `/containers/${name}/logs?stdout=1`)).body.split("\n").length - 3;
}

const remove = (name: string) => ask("DELETE", `/containers/${name}?force=1`);

testWhere("docker")("paused it stands still, across the engine's death; unpaused it goes on", async () => {
  await counting("still");
  expect((await ask("POST", "/containers/still/pause")).status).toBe(204);
  expect((await inspect("still")).State).toMatchObject({ Status: "paused", Running: true, Paused: true });
  expect((await docker(product(), ["ps", "--format", "{{.Status}}"])).stdout).toContain("(Paused)");
  expect(JSON.parse((await ask("GET", "/info")).body)).toMatchObject({ ContainersPaused: 1, ContainersRunning: 0 });

  const pid = product().killEngine();
  await waitUntil(() => product().enginePid() !== pid, 5000, "another engine");
  expect((await inspect("still")).State.Status).toBe("paused");
  let before = 0;
  // What it had written may come into the log a little later; then there is no more.
  const standsStill = async (): Promise<boolean> => {
    before = await lines("still");
    await Bun.sleep(100);
    return (await lines("still")) === before;
  };
  await waitUntil(standsStill, 5000, "it stands still");

  for (const [verb, message] of [
    ["pause", "is already paused"],
    ["start", "cannot start a paused container, try unpause instead"],
    ["attach?stream=1", "is paused"],
  ]) {
    const answer = await ask("POST", `/containers/still/${verb}`);
    expect([answer.status, messageOf(answer).includes(message ?? "")]).toEqual([409, true]);
  }
  expect(messageOf(await ask("DELETE", "/containers/still"))).toContain("is paused and must be unpaused first");

  expect((await ask("POST", "/containers/still/unpause")).status).toBe(204);
  await waitUntil(async () => (await lines("still")) > before, 5000, "it goes on");
  expect(messageOf(await ask("POST", "/containers/still/unpause"))).toContain("is not paused");
  await remove("still");
});

test("what does not run cannot be paused", async () => {
  await ask("POST", "/containers/create?name=never", { Image: "host", Cmd: ["true"] });
  const answer = await ask("POST", "/containers/never/pause");
  expect([answer.status, messageOf(answer)]).toEqual([409, expect.stringContaining("is not running")]);
  await remove("never");
});

test.each([
  ["stop", "POST", "stop", 7],
  ["kill", "POST", "kill", 137],
  ["its stop signal", "POST", "kill?signal=TERM", 7],
  ["restart", "POST", "restart?t=1", 0],
])("%s ends a paused container", async (_, method, verb, code) => {
  await counting("ending");
  await ask("POST", "/containers/ending/pause");
  expect((await ask(method, `/containers/ending/${verb}`)).status).toBe(204);
  if (code !== 0) {
    expect((await ask("POST", "/containers/ending/wait")).body).toContain(`"StatusCode":${code}`);
    expect((await inspect("ending")).State).toMatchObject({ Status: "exited", Paused: false, ExitCode: code });
  } else expect((await inspect("ending")).State.Status).toBe("running");
  await remove("ending");
});

test("another signal waits for the unpause", async () => {
  await counting("waiting");
  await ask("POST", "/containers/waiting/pause");
  await ask("POST", "/containers/waiting/kill?signal=USR1");
  expect((await inspect("waiting")).State.Status).toBe("paused");
  await ask("POST", "/containers/waiting/unpause");
  expect((await ask("POST", "/containers/waiting/wait")).body).toContain('"StatusCode":8');
  await remove("waiting");
});

test("a paused container is removed by force, and its group with it", async () => {
  await counting("gone");
  const { Id } = await inspect("gone");
  await ask("POST", "/containers/gone/pause");
  expect((await remove("gone")).status).toBe(204);
  expect((await ask("GET", `/containers/${Id}/json`)).status).toBe(404);
});

test("a new name is taken at once, and the old one is free", async () => {
  await counting("first", { AutoRemove: true });
  const { Id } = await inspect("first");
  expect((await ask("POST", "/containers/first/rename?name=second")).status).toBe(204);
  expect((await inspect("second")).Name).toBe("/second");
  expect((await ask("GET", "/containers/first/json")).status).toBe(404);
  await ask("POST", "/containers/create?name=first", { Image: "host", Cmd: ["true"] });
  for (const [name, status, message] of [
    ["first", 409, 'The container name "/first" is already in use'],
    ["second", 400, "same name as its current name"],
    ["", 400, "the container's new name"],
    ["-x", 400, "Invalid container name"],
  ] as const) {
    const answer = await ask("POST", `/containers/${Id}/rename?name=${name}`);
    expect([name, answer.status, messageOf(answer).includes(message)]).toEqual([name, status, true]);
  }
  const pid = product().killEngine();
  await waitUntil(() => product().enginePid() !== pid, 5000, "another engine");
  expect((await inspect("second")).Id).toBe(Id);
  await remove("first");
  await remove("second");
});

/** A file of its group, by the v1 controller or as v2 has it. */
function groupFile(pid: number, controller: string, v1: string, v2: string): string {
  const rows = readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n");
  const row = rows.map((line) => line.split(":")).find(([, names]) => names?.split(",").includes(controller));
  const path = row?.[2] ?? rows.find((line) => line.startsWith("0::"))?.slice(3);
  const root = row === undefined ? "/sys/fs/cgroup" : `/sys/fs/cgroup/${controller}`;
  return readFileSync(`${root}${path}/${row === undefined ? v2 : v1}`, "utf8").trim();
}

test("limits change while it runs, and stay changed", async () => {
  await counting("changing", { Memory: 64 << 20, PidsLimit: 50 });
  const { State } = await inspect("changing");
  const change = { Memory: 256 << 20, MemorySwap: 512 << 20, CpuShares: 300, NanoCpus: 500_000_000, PidsLimit: 40 };
  expect(JSON.parse((await ask("POST", "/containers/changing/update", change)).body)).toEqual({ Warnings: [] });
  expect(groupFile(State.Pid, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(256 << 20));
  expect(groupFile(State.Pid, "pids", "pids.max", "pids.max")).toBe("40");
  expect(groupFile(State.Pid, "cpu", "cpu.cfs_quota_us", "cpu.max")).toStartWith("50000");
  expect((await inspect("changing")).HostConfig).toMatchObject(change);

  await ask("POST", "/containers/changing/update", { Memory: 32 << 20, MemorySwap: 32 << 20, PidsLimit: -1 });
  expect(groupFile(State.Pid, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(32 << 20));
  expect(groupFile(State.Pid, "pids", "pids.max", "pids.max")).toBe("max");
  await ask("POST", "/containers/changing/restart?t=0");
  const again = await inspect("changing");
  expect(groupFile(again.State.Pid, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(32 << 20));
  await remove("changing");
});

test.each([
  [{ Memory: 512 << 20 }, 409, ": Memory limit should be smaller than already set memoryswap limit"],
  [{ CpuPeriod: 1000 }, 409, ": Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set"],
  [{ CpuQuota: 1000 }, 409, ": Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set"],
  [{ Memory: 1000 }, 400, "Minimum memory limit allowed is 6MB"],
  [{ CpusetCpus: "999" }, 400, "Requested CPUs are not available - requested 999"],
  [{ Ulimits: [{ Name: "nofile", Soft: 1, Hard: 1 }] }, 501, "Ulimits is not supported"],
  [{ Speed: 5 }, 501, "Speed is not supported"],
  [{ Memory: "much" }, 400, "invalid Memory"],
] as const)("an update that cannot be carried out changes nothing: %j", async (change, status, message) => {
  await ask("POST", "/containers/create?name=fixed", {
    Image: "host",
    Cmd: ["true"],
    HostConfig: { Memory: 64 << 20, NanoCpus: 500_000_000 },
  });
  const before = (await inspect("fixed")).HostConfig;
  const answer = await ask("POST", "/containers/fixed/update", change);
  expect([answer.status, messageOf(answer)]).toEqual([status, expect.stringContaining(message)]);
  expect((await inspect("fixed")).HostConfig).toEqual(before);
  await remove("fixed");
});

test("what the kernel refuses is undone: memory below what is in use", async () => {
  const body = {
    Image: "host",
    Cmd: ["sh", "-c", "head -c 40000000 /dev/zero | (tr '\\0' x > /dev/shm/full; echo full; sleep 100)"],
    HostConfig: { Memory: 128 << 20, MemorySwap: 128 << 20, MemorySwappiness: -1 },
  };
  await ask("POST", "/containers/create?name=full", body);
  await ask("POST", "/containers/full/start");
  await waitUntil(
    async () => (await ask("GET", "/containers/full/logs?stdout=1")).body.includes("full"),
    10_000,
    "it is full",
  );
  const { State } = await inspect("full");
  const answer = await ask("POST", "/containers/full/update", {
    CpuShares: 200,
    Memory: 8 << 20,
    MemorySwap: 8 << 20,
  });
  if (answer.status !== 200) {
    // v1 refuses what is in use; v2 ends processes instead.
    expect([answer.status, messageOf(answer)]).toEqual([409, expect.stringContaining("Cannot update container")]);
    expect(groupFile(State.Pid, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(128 << 20));
  }
  await remove("full");
});

test("a restart policy that is given later holds for the next end", async () => {
  await counting("again");
  expect(await product().ok("update", "--restart", "on-failure:1", "again")).toBe("again");
  process.kill((await inspect("again")).State.Pid, "SIGUSR1"); // a kill by the API is one by hand
  const count = async () =>
    (JSON.parse((await ask("GET", "/containers/again/json")).body) as { RestartCount: number }).RestartCount;
  await waitUntil(async () => (await count()) === 1, 5000, "it is started again");
  await remove("again");
  await ask("POST", "/containers/create?name=once", { Image: "host", Cmd: ["true"], HostConfig: { AutoRemove: true } });
  const refused = await ask("POST", "/containers/once/update", { RestartPolicy: { Name: "always" } });
  expect([refused.status, messageOf(refused)]).toEqual([409, expect.stringContaining("AutoRemove is enabled")]);
  await remove("once");
});

test("who attaches and asks for no stream is not kept", async () => {
  expect((await ask("POST", "/containers/create?name=mute", { Image: "host", Cmd: ["true"] })).status).toBe(201);
  const answer = await ask("POST", "/containers/mute/attach?stream=1");
  expect([answer.status, answer.body]).toEqual([200, ""]);
  await remove("mute");
});
