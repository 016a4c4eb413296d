/** Volumes over the Engine API: Docker's answers (dockerd 20.10), durable when acknowledged, nothing left. */

import { afterAll, beforeAll, expect } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerCreate } from "../../src/client/container-types.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { docker, messageOf, request } from "./engine-fixture.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay", "docker"];

const directory = mkdtempSync(join(tmpdir(), "orlop-volumes-"));
const product = new Product(directory, { env: nothingReady });
const rootfs = makeBusyboxRoot(directory);

beforeAll(async () => void (await product.run(["info"])));
afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
});

const volumes = join(product.stateDir, "volumes");
const ask = (method: string, path: string, body?: unknown) => request(product, method, path, body);
const filters = (value: object) => `filters=${encodeURIComponent(JSON.stringify(value))}`;

async function json(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await ask(method, path, body);
  expect(answer.status).toBeLessThan(300);
  return answer.body === "" ? {} : (JSON.parse(answer.body) as Record<string, unknown>);
}

/** Runs a script to its end in the busybox root; its output. The container stays, unless it is a `--rm` one. */
async function run(name: string, script: string, host: ContainerCreate["HostConfig"] = {}, more: ContainerCreate = {}) {
  const { containers } = product.engine;
  const config = {
    Cmd: ["/bin/sh", "-c", script],
    ...more,
    HostConfig: { Rootfs: rootfs, NetworkMode: "none", ...host },
  };
  const { Id } = await containers.create(config, name);
  const wait = await containers.wait(Id, "next-exit");
  await containers.start(Id);
  const { StatusCode } = await wait.exit();
  return { id: Id, code: StatusCode };
}

const logs = async (name: string) => (await docker(product, ["logs", name])).stdout;
const remove = (name: string, withVolumes = false) =>
  product.engine.containers.remove(name, { force: true, volumes: withVolumes });
/** What was told to go behind an answer has gone. */
const settled = (count: number) =>
  waitUntil(() => readdirSync(volumes).length === count, 5000, `${count} directories in volumes`);

async function clean(): Promise<void> {
  for (const { Id } of await product.engine.containers.list({ all: true })) await remove(Id);
  await product.engine.volumes.prune({ all: ["true"] });
  await settled(0);
  product.disconnect();
}

/** A test that leaves no container and no volume behind. */
function volumeTest(name: string, body: () => Promise<void>): void {
  kernelTest(name, needs, async ({ defer }) => {
    defer(clean);
    await body();
  });
}

volumeTest("made, shown, listed, removed: the fields are Docker's", async () => {
  const made = await json("POST", "/volumes/create", { Name: "data", Labels: { tier: "db" } });
  expect(made).toEqual({
    CreatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    Driver: "local",
    Labels: { tier: "db" },
    Mountpoint: join(volumes, "data/_data"),
    Name: "data",
    Options: null,
    Scope: "local",
  });
  expect(await json("GET", "/volumes/data")).toEqual(made);
  expect(await json("GET", "/volumes")).toEqual({ Volumes: [made], Warnings: null });
  // Again: the one that is there, whatever was asked for.
  expect(await json("POST", "/volumes/create", { Name: "data", Labels: { other: "x" } })).toEqual(made);
  expect((await ask("DELETE", "/volumes/data")).status).toBe(204);
  expect(messageOf(await ask("GET", "/volumes/data"))).toBe("get data: no such volume");
  expect((await ask("DELETE", "/volumes/data")).status).toBe(404);
  expect((await ask("DELETE", "/volumes/data?force=1")).status).toBe(204);
  const { Name } = await json("POST", "/volumes/create", {});
  expect(Name).toMatch(/^[0-9a-f]{64}$/);
});

kernelTest("what cannot be a volume is refused in Docker's words, and nothing is made", needs, async () => {
  for (const [body, status, message] of [
    [{ Name: "a" }, 400, "create a: volume name is too short"],
    [{ Name: "a b" }, 400, 'create a b: "a b" includes invalid characters for a local volume name'],
    [{ Name: "../up" }, 400, "includes invalid characters"],
    [{ Name: "x".repeat(300) }, 400, "includes invalid characters"],
    [{ Name: "xx", Driver: "foo" }, 404, 'create xx: error looking up volume plugin foo: plugin "foo" not found'],
    [{ Name: "xx", DriverOpts: { foo: "b" } }, 400, 'create xx: invalid option: "foo"'],
    [{ Name: "xx", DriverOpts: { type: "tmpfs" } }, 400, 'create xx: missing required option: "device"'],
    [{ Name: "xx", DriverOpts: { size: "10m" } }, 400, "create xx: quota size requested but no quota support"],
    [{ Name: "xx", DriverOpts: { device: "rel", type: "none", o: "bind" } }, 400, "is not an absolute path"],
    [{ Name: "xx", DriverOpts: { device: "x", type: "a/b" } }, 400, "invalid file system type"],
    [{ Name: "xx", DriverOpts: { device: "x", type: "tmpfs", o: "remount" } }, 501, "mount option remount"],
    [{ Name: 7 }, 400, "invalid Name"],
    [{ ClusterVolumeSpec: { Group: "x" } }, 501, "ClusterVolumeSpec is not supported"],
    [{ Novelty: 1 }, 501, "Novelty is not supported"],
    [[], 400, "expected an object"],
  ] as const) {
    const answer = await ask("POST", "/volumes/create", body);
    expect([answer.status, messageOf(answer)]).toEqual([status, expect.stringContaining(message)]);
  }
  expect((await ask("PUT", "/volumes/xx?version=1", {})).status).toBe(501);
  expect(readdirSync(volumes)).toEqual([]);
});

volumeTest("data outlives containers, is shared, and may be read-only", async () => {
  await run("one", "echo hello > /data/file; touch /new/x", { Binds: ["data:/data"] }, { Volumes: { "/new": {} } });
  const { code } = await run("two", "cat /there/file && ! touch /there/x", {
    Mounts: [{ Type: "volume", Source: "data", Target: "/there", ReadOnly: true }],
  });
  expect([code, await logs("two")]).toEqual([0, "hello\n"]);
  expect(readFileSync(join(volumes, "data/_data/file"), "utf8")).toBe("hello\n");
  const { Mounts } = (await json("GET", "/containers/two/json")) as { Mounts: unknown[] };
  const [listed] = JSON.parse((await ask("GET", "/containers/json?all=1")).body) as { Mounts: unknown[] }[];
  const mount = {
    Type: "volume",
    Name: "data",
    Source: join(volumes, "data/_data"),
    Destination: "/there",
    Driver: "local",
    Mode: "z",
    RW: false,
    Propagation: "",
  };
  expect([Mounts, listed?.Mounts]).toEqual([[mount], [mount]]);
});

volumeTest("one that a container has cannot be removed, running or not", async () => {
  const { id } = await run("holder", "true", { Binds: ["data:/data"] });
  const answer = await ask("DELETE", "/volumes/data?force=1");
  expect([answer.status, messageOf(answer)]).toEqual([409, `remove data: volume is in use - [${id}]`]);
  await remove("holder", true);
  expect((await ask("GET", "/volumes/data")).status).toBe(200); // it has a name
  expect((await ask("DELETE", "/volumes/data")).status).toBe(204);
});

volumeTest("anonymous volumes go with rm -v and with --rm, and stay otherwise", async () => {
  const more = { Volumes: { "/a": {} } };
  await run("kept", "true", {}, more);
  await remove("kept");
  expect(readdirSync(volumes)).toHaveLength(1);
  await run("gone", "true", { Binds: ["/b", "named:/n"] }, more);
  expect(readdirSync(volumes)).toHaveLength(4);
  await remove("gone", true);
  await settled(2);
  const { containers } = product.engine;
  const { Id } = await containers.create(
    { Cmd: ["/bin/true"], ...more, HostConfig: { Rootfs: rootfs, AutoRemove: true } },
    "passing",
  );
  const removed = await containers.wait(Id, "removed");
  await containers.start(Id);
  await removed.exit();
  expect((await product.engine.volumes.list()).length).toBe(2); // at once: removed means that they are free
  await settled(2);
});

volumeTest("volumes from another container, which may go first", async () => {
  await run("lender", "echo lent > /a/file", { Binds: ["named:/n:ro", "/etc:/host:ro"] }, { Volumes: { "/a": {} } });
  const { code } = await run("borrower", "cat /a/file && ! touch /a/x && ! touch /n/x && test -e /host/passwd", {
    VolumesFrom: ["lender:ro"],
  });
  expect([code, await logs("borrower")]).toEqual([0, "lent\n"]);
  await remove("lender", true);
  expect((await product.engine.volumes.list()).length).toBe(2); // the borrower has it still
  await remove("borrower", true);
  expect((await product.engine.volumes.list()).map(({ Name }) => Name)).toEqual(["named"]);
  const missing = await ask("POST", "/containers/create", { Image: "host", HostConfig: { VolumesFrom: ["nobody"] } });
  expect(messageOf(missing)).toBe("No such container: nobody");
});

volumeTest("what the options say is mounted for the first container, and gone after the last", async () => {
  const DriverOpts = { type: "tmpfs", device: "tmpfs", o: "size=1m,uid=7,mode=750" };
  await json("POST", "/volumes/create", { Name: "scratch", DriverOpts });
  const mounted = () => readFileSync("/proc/self/mountinfo", "utf8").includes(`${volumes}/scratch/_data `);
  const { containers } = product.engine;
  const config = (script: string) => ({
    Cmd: ["/bin/sh", "-c", script],
    HostConfig: { Rootfs: rootfs, Binds: ["scratch:/s"] },
  });
  const first = await containers.create(
    config("echo x > /s/file; while [ ! -e /s/end ]; do sleep 0.05; done"),
    "first",
  );
  await containers.start(first.Id);
  expect(mounted()).toBe(true);
  const second = await run("second", "stat -c '%u %a' /s; while [ ! -e /s/file ]; do sleep 0.05; done; touch /s/end", {
    Binds: ["scratch:/s"],
  });
  expect([second.code, await logs("second")]).toEqual([0, "7 750\n"]);
  await waitUntil(() => !mounted(), 5000, "the volume is unmounted");
  expect(readdirSync(join(volumes, "scratch/_data"))).toEqual([]);
});

volumeTest("a volume of a host directory is that directory; one that cannot be mounted says why", async () => {
  const source = mkdtempSync(join(directory, "source-"));
  const DriverOpts = (device: string) => ({ type: "none", device, o: "bind,ro" });
  await json("POST", "/volumes/create", { Name: "bound", DriverOpts: DriverOpts(source) });
  await json("POST", "/volumes/create", { Name: "broken", DriverOpts: DriverOpts("/no/such") });
  writeFileSync(join(source, "file"), "of the host\n");
  expect((await run("reads", "cat /b/file && ! touch /b/x", { Binds: ["bound:/b:nocopy"] })).code).toBe(0);
  await product.engine.containers.create(
    { Cmd: ["true"], HostConfig: { Rootfs: rootfs, Binds: ["broken:/b:nocopy"] } },
    "fails",
  );
  const answer = await ask("POST", "/containers/fails/start");
  expect([answer.status, messageOf(answer)]).toEqual([
    400,
    `error while mounting volume '${volumes}/broken/_data': failed to mount local volume: mount /no/such:${volumes}/broken/_data, type none: ENOENT: /no/such`,
  ]);
  await remove("reads");
  await product.engine.volumes.remove("bound");
  expect(readFileSync(join(source, "file"), "utf8")).toBe("of the host\n"); // not what it leads to
});

volumeTest("a directory of a volume; its own links lead nowhere else", async () => {
  await run("fills", "mkdir -p /v/a/b; echo deep > /v/a/b/file; ln -s /a/b /v/link; ln -s ../../.. /v/up", {
    Binds: ["data:/v"],
  });
  const mount = (Subpath: string) => ({
    Mounts: [{ Type: "volume", Source: "data", Target: "/s", VolumeOptions: { Subpath } }],
  });
  for (const [index, path] of ["a/b", "link"].entries())
    expect((await run(`sub${index}`, "cat /s/file", mount(path))).code).toBe(0);
  const { code } = await run("up", "ls /s", mount("up"));
  expect([code, await logs("up")]).toEqual([0, "a\nlink\nup\n"]); // ".." ends at the volume
  await product.engine.containers.create({ Cmd: ["true"], HostConfig: { Rootfs: rootfs, ...mount("none") } }, "none");
  const answer = await ask("POST", "/containers/none/start");
  expect(messageOf(answer)).toContain("ENOENT");
  expect(answer.status).toBe(400);
});

volumeTest("an empty volume begins with what the image has there, once, with owner and mode", async () => {
  mkdirSync(join(rootfs, "content/sub"), { recursive: true });
  writeFileSync(join(rootfs, "content/sub/file"), "from the image\n");
  chmodSync(join(rootfs, "content"), 0o750);
  chownSync(join(rootfs, "content"), 5, 6);
  const { code } = await run("first", "cat /content/sub/file && rm -r /content/sub && stat -c '%u:%g %a' /content", {
    Binds: ["data:/content"],
  });
  expect([code, await logs("first")]).toEqual([0, "from the image\n5:6 750\n"]);
  await product.engine.containers.start("first");
  expect((await run("again", "ls /content", { Binds: ["data:/elsewhere"] })).code).toBe(0);
  expect(readdirSync(join(volumes, "data/_data"))).toEqual([]); // filled when it was made, and not again at a start
  await run("bare", "ls -A /content", { Binds: ["bare:/content:nocopy"] });
  expect(await logs("bare")).toBe("");
  await run("anonymous", "cat /content/sub/file", {}, { Volumes: { "/content": {} } });
  expect(await logs("anonymous")).toBe("from the image\n");
  await run("missing", "stat -c '%u:%g %a' /nowhere", { Binds: ["missing:/nowhere"] });
  expect(await logs("missing")).toBe("0:0 755\n");
});

volumeTest("a volume cannot lie over a file of the image, and is not left behind", async () => {
  const answer = await ask("POST", "/containers/create", {
    Cmd: ["true"],
    Volumes: { "/etc/passwd": {} },
    HostConfig: { Rootfs: rootfs },
  });
  expect([answer.status, messageOf(answer)]).toEqual([
    400,
    "cannot mount volume over existing file, file exists /etc/passwd",
  ]);
  await settled(0);
});

volumeTest("a volume of the machine itself, as of any image", async () => {
  expect((await run("host", "test -e /v/passwd", { Binds: ["etc:/v"] })).code).toBe(1);
  const { code } = await run(
    "copies",
    "test -s /etc/passwd && touch /etc/mine && grep -q $(hostname) /etc/hosts",
    { Rootfs: "", Binds: ["etc2:/etc"] },
    {
      Image: "host",
    },
  );
  expect([code, existsSync("/etc/mine"), existsSync(join(volumes, "etc2/_data/mine"))]).toEqual([0, false, true]);
});

volumeTest("prune: without a name since 1.42, all before and on demand; filters", async () => {
  await json("POST", "/volumes/create", { Name: "named", Labels: { keep: "yes", a: "b" } });
  await json("POST", "/volumes/create", { Name: "other" });
  await run("uses", "true", { Binds: ["used:/u"] });
  const anonymous = (await json("POST", "/volumes/create", {}))["Name"] as string;
  writeFileSync(join(volumes, anonymous, "_data/file"), "12345");
  const list = async (value: object) => {
    const { Volumes } = (await json("GET", `/volumes?${filters(value)}`)) as { Volumes: { Name: string }[] };
    return Volumes.map(({ Name }) => Name);
  };
  expect(await list({ dangling: ["false"] })).toEqual(["used"]);
  expect(await list({ dangling: { true: true } })).toEqual(["named", "other", anonymous]);
  expect(await list({ name: ["the", "name"] })).toEqual(["named", "other"]);
  expect(await list({ label: ["a=b", "keep"] })).toEqual(["named"]);
  expect(await list({ driver: ["nfs"] })).toEqual([]);
  expect(await json("POST", "/v1.43/volumes/prune")).toEqual({ VolumesDeleted: [anonymous], SpaceReclaimed: 5 });
  const kept = filters({ "label!": ["keep"] });
  expect(await json("POST", `/v1.41/volumes/prune?${kept}`)).toEqual({ VolumesDeleted: ["other"], SpaceReclaimed: 0 });
  const all = filters({ all: ["true"], label: ["keep=yes"] });
  expect(await json("POST", `/volumes/prune?${all}`)).toEqual({ VolumesDeleted: ["named"], SpaceReclaimed: 0 });
  for (const wrong of [{ dangling: ["x"] }, { shape: ["x"] }, "x"])
    expect((await ask("GET", `/volumes?${typeof wrong === "string" ? "filters=x" : filters(wrong)}`)).status).toBe(400);
});

volumeTest(
  "volumes and their users are found again after kill -9 of the engine; data without a record is kept",
  async () => {
    await run("holder", "true", { Binds: ["data:/data"] }, { Volumes: { "/a": {} } });
    const before = await json("GET", "/volumes");
    mkdirSync(join(volumes, "stray/_data"), { recursive: true });
    writeFileSync(join(volumes, "stray/_data/file"), "kept");
    mkdirSync(join(volumes, "empty/_data"), { recursive: true });
    mkdirSync(join(volumes, ".gone-x/_data"), { recursive: true });
    product.killEngine();
    product.disconnect();
    await product.run(["ps"]);
    const after = (await json("GET", "/volumes")) as { Volumes: { Name: string }[] };
    expect(after.Volumes.slice(0, 2)).toEqual(before["Volumes"] as { Name: string }[]);
    expect(after.Volumes.slice(2).map(({ Name }) => Name)).toEqual(["stray"]);
    expect((await ask("DELETE", "/volumes/data")).status).toBe(409);
    await settled(3);
    expect(existsSync(join(volumes, "empty"))).toBe(false);
  },
);

volumeTest("one that a foreign mount namespace keeps busy is removed all the same", async () => {
  const DriverOpts = { type: "tmpfs", device: "tmpfs", o: "size=1m" };
  await json("POST", "/volumes/create", { Name: "busy", DriverOpts });
  const { containers } = product.engine;
  const config = { Cmd: ["sleep", "1000"], HostConfig: { Rootfs: rootfs, Binds: ["busy:/b", "plain:/p"] } };
  const { Id } = await containers.create(config, "holder");
  await containers.start(Id);
  // A namespace that has copies of the mounts, in none of which anything is unmounted, and a directory open in each.
  const paths = [join(volumes, "busy/_data"), join(volumes, "plain/_data")];
  const script = `mount --make-rprivate /; mount --bind ${paths[1]} ${paths[1]}; cd ${paths[0]}; exec 3<${paths[1]}; echo ready; exec sleep 1000`;
  const other = Bun.spawn(["unshare", "-m", "sh", "-c", script], { stdout: "pipe" });
  await other.stdout.getReader().read();
  await remove("holder");
  for (const name of ["busy", "plain"]) expect((await ask("DELETE", `/volumes/${name}`)).status).toBe(204);
  await settled(0);
  other.kill("SIGKILL");
  await other.exited;
});

volumeTest("many at once: each name is made once", async () => {
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, at) => ask("POST", "/volumes/create", { Name: `v${at % 4}x` })),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 201));
  await settled(4);
  const mixed = await Promise.all(
    Array.from({ length: 40 }, (_, at) =>
      at % 2 === 0 ? ask("DELETE", `/volumes/v${at % 4}x`) : ask("POST", "/volumes/create", { Name: `v${at % 4}x` }),
    ),
  );
  for (const { status } of mixed) expect([201, 204, 404]).toContain(status);
  expect(statSync(volumes).mode & 0o777).toBe(0o700);
});
