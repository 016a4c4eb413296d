/** Which containers are listed and pruned, and how large they are. */

import { expect, test } from "bun:test";
import { testWhere } from "../kernel/harness.ts";
import { docker, messageOf, request, useProduct } from "./engine-fixture.ts";

const product = useProduct();
const ask = (method: string, path: string, body?: unknown) => request(product(), method, path, body);

async function create(name: string, body: Record<string, unknown> = {}): Promise<void> {
  const answer = await ask("POST", `/containers/create?name=${name}`, { Image: "host", Cmd: ["true"], ...body });
  expect(answer.status).toBe(201);
}

async function names(filters: Record<string, string[]>, more = "all=1"): Promise<string[]> {
  const answer = await ask("GET", `/containers/json?${more}&filters=${encodeURIComponent(JSON.stringify(filters))}`);
  expect(answer.body).toStartWith("[");
  return (JSON.parse(answer.body) as { Names: string[] }[]).map(({ Names }) => Names[0]?.slice(1) ?? "");
}

/** Removes all that are stopped. */
async function prune(filters: Record<string, string[]> = {}): Promise<{ count: number; bytes: number }> {
  const answer = await ask("POST", `/containers/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`);
  const { ContainersDeleted, SpaceReclaimed } = JSON.parse(answer.body) as {
    ContainersDeleted: string[];
    SpaceReclaimed: number;
  };
  return { count: ContainersDeleted.length, bytes: SpaceReclaimed };
}

test("each filter finds its own, the newest first", async () => {
  await create("one", {
    Labels: { tier: "front" },
    HostConfig: { PortBindings: { "8443/tcp": [{ HostPort: "" }] } },
  });
  await create("two", {
    HostConfig: { NetworkMode: "none", Tmpfs: { "/scratch": "" } },
    ExposedPorts: { "80/tcp": {} },
  });
  await create("three", { Cmd: ["sh", "-c", "exit 5"], HostConfig: { NetworkMode: "host" } });
  await ask("POST", "/containers/three/start");
  await ask("POST", "/containers/three/wait");
  await create("four", {
    Cmd: ["sleep", "100"],
    ExposedPorts: { "80/tcp": {}, "90/udp": {} },
    HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "48443" }] } },
  });
  await ask("POST", "/containers/four/start");
  const cases: [Record<string, string[]>, string][] = [
    [{}, "four three two one"],
    [{ before: ["three"] }, "two one"],
    [{ since: ["two"] }, "four three"],
    [{ since: ["one"], before: ["four"] }, "three two"],
    [{ label: ["tier"] }, "one"],
    [{ label: ["tier=back"] }, ""],
    [{ network: ["none"] }, "two"],
    [{ network: ["bridge"] }, "four one"],
    [{ network: ["host", "none"] }, "three two"],
    [{ volume: ["/scratch"] }, "two"],
    [{ expose: ["80"] }, "four"],
    [{ expose: ["70-90/tcp"] }, "four"],
    [{ expose: ["90"] }, ""],
    [{ expose: ["90/udp"] }, "four"],
    [{ publish: ["48443"] }, "four"],
    [{ publish: ["48440-48450/tcp"] }, "four"],
    [{ publish: ["80"] }, ""],
    [{ publish: ["80"], expose: ["80"] }, "four"],
    [{ publish: ["8443"] }, ""],
    [{ exited: ["5"] }, "three"],
    [{ health: ["none"] }, "four three two one"],
    [{ health: ["healthy"] }, ""],
    [{ "is-task": ["true"] }, ""],
    [{ "is-task": ["false"] }, "four three two one"],
    [{ status: ["created", "exited"] }, "three two one"],
    [{ name: ["^t"] }, "three two"],
  ];
  for (const [filters, found] of cases) expect([filters, (await names(filters)).join(" ")]).toEqual([filters, found]);
  expect(await names({}, "")).toEqual(["four"]);
  expect(await names({}, "limit=2")).toEqual(["four", "three"]);
  expect(await names({}, "limit=-1")).toEqual(["four"]);
  await ask("DELETE", "/containers/four?force=1");
  expect((await prune()).count).toBe(3);
});

test("a network is found by its name, its id and the id's beginning, however the container was given it", async () => {
  const { Id } = JSON.parse((await ask("POST", "/networks/create", { Name: "found" })).body) as { Id: string };
  for (const [at, NetworkMode] of ["found", Id, Id.slice(0, 12)].entries())
    await create(`by${at}`, { HostConfig: { NetworkMode } });
  await create("elsewhere");
  await create("nowhere", { HostConfig: { NetworkMode: "none" } });
  for (const spelling of ["found", Id, Id.slice(0, 12), Id.slice(0, 3)])
    expect([spelling, await names({ network: [spelling] })]).toEqual([spelling, ["by2", "by1", "by0"]]);
  expect(await names({ network: ["foun"] })).toEqual([]);
  await prune();
  await ask("DELETE", "/networks/found");
});

test.each([
  [{ status: ["asleep"] }, 400, "invalid filter 'status="],
  [{ health: ["fine"] }, 400, "invalid filter 'health="],
  [{ exited: ["five"] }, 400, "invalid filter 'exited="],
  [{ "is-task": ["maybe"] }, 400, "invalid filter 'is-task="],
  [{ expose: ["99999"] }, 400, "invalid filter 'expose="],
  [{ before: ["nobody"] }, 404, "No such container: nobody"],
  [{ name: ["("] }, 400, "invalid filter 'name="],
] as const)("%j is refused", async (filters, status, message) => {
  const answer = await ask("GET", `/containers/json?filters=${encodeURIComponent(JSON.stringify(filters))}`);
  expect([answer.status, messageOf(answer)]).toEqual([status, expect.stringContaining(message)]);
});

testWhere("docker")("sizes are what a container wrote", async () => {
  await create("large", { Cmd: ["sh", "-c", "head -c 1234567 /dev/zero > /large"] });
  await ask("POST", "/containers/large/start");
  await ask("POST", "/containers/large/wait");
  const plain = (await ask("GET", "/containers/large/json")).body;
  expect(plain).not.toContain("SizeRw");
  const { SizeRw, SizeRootFs } = JSON.parse((await ask("GET", "/containers/large/json?size=1")).body) as Record<
    string,
    number
  >;
  expect([SizeRw, SizeRootFs]).toEqual([1_234_567, 1_234_567]);
  expect((await ask("GET", "/containers/json?all=1&size=1")).body).toContain('"SizeRw":1234567');
  expect((await docker(product(), ["ps", "-as", "--format", "{{.Size}}"])).stdout).toContain("1.23MB");
  expect(await product().ok("ps", "-as")).toContain("1.23MB");
  expect(await prune()).toEqual({ count: 1, bytes: 1_234_567 });
});

testWhere("docker")("prune takes what does not run, by age and labels", async () => {
  await create("kept", { Labels: { keep: "" } });
  await create("old");
  await create("running", { Cmd: ["sleep", "100"] });
  await ask("POST", "/containers/running/start");
  expect((await prune({ until: ["1h"] })).count).toBe(0);
  expect((await prune({ "label!": ["keep"] })).count).toBe(1);
  expect(await names({})).toEqual(["running", "kept"]);
  expect(await product().ok("container", "prune", "-f", "--filter", "label=keep")).toContain("Deleted Containers:");
  const theirs = await docker(product(), ["container", "prune", "-f"]);
  expect(theirs.stdout).toContain("Total reclaimed space: 0B");
  expect(await names({})).toEqual(["running"]);
});

test("nothing is pruned without a yes", async () => {
  await create("asked");
  const { stdout } = await product().run(["container", "prune"], { stdin: "n\n" });
  expect(stdout).toContain("This will remove all stopped containers.");
  expect(await names({})).toContain("asked");
  expect((await product().run(["container", "prune"], { stdin: "y\n" })).stdout).toContain("Total reclaimed space");
  expect(await names({})).not.toContain("asked");
});
