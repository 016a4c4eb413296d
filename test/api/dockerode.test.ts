/** dockerode, the client that most JavaScript programs use, as it comes from npm. */

import { beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import Dockerode from "dockerode";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { useProduct } from "./engine-fixture.ts";

const product = useProduct();
let docker: Dockerode;

beforeAll(() => {
  docker = new Dockerode({ socketPath: `${product().runDir}/orlop.sock` });
});

/** Everything that comes, until the end. */
async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}

test("ping, version, info", async () => {
  expect(String(await docker.ping())).toBe("OK");
  expect((await docker.version()).ApiVersion).toBe("1.51");
  expect((await docker.info())["OSType"]).toBe("linux");
});

test("run: output apart by stream, and the exit code", async () => {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const texts = Promise.all([textOf(out), textOf(err)]);
  const [{ StatusCode }] = (await docker.run(
    "host",
    ["sh", "-c", "echo out; echo err >&2; exit 4"],
    [out, err] as unknown as NodeJS.WritableStream[],
    { Tty: false, HostConfig: { AutoRemove: true } },
  )) as [{ StatusCode: number }];
  // The connection that answers the wait is another one: the output ends by itself.
  expect([StatusCode, await texts]).toEqual([4, ["out\n", "err\n"]]);
});

test("create, attach with input, start, wait, logs, inspect, rename, remove", async () => {
  const container = await docker.createContainer({
    name: "life",
    Image: "host",
    Cmd: ["cat"],
    OpenStdin: true,
    StdinOnce: true,
    Labels: { a: "b" },
  });
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, hijack: true });
  const output = new PassThrough();
  docker.modem.demuxStream(stream, output, output);
  const ended = new Promise((resolve) => stream.once("end", resolve));
  await container.start();
  stream.write("typed\n");
  stream.end();
  expect(await container.wait()).toEqual({ StatusCode: 0 });
  await ended;
  expect(String(output.read())).toBe("typed\n");
  const logs = (await container.logs({ stdout: true, stderr: true })) as unknown as Buffer;
  expect(logs.subarray(8).toString()).toBe("typed\n");
  expect((await container.inspect()).State.ExitCode).toBe(0);
  await container.rename({ name: "renamed" });
  const [found] = await docker.listContainers({ all: true, filters: { label: ["a=b"] } });
  expect(found?.Names).toEqual(["/renamed"]);
  await container.remove();
  await expect(container.inspect()).rejects.toMatchObject({ statusCode: 404 });
});

test("pause, stats, top, exec, update, kill, and the events of all that", async () => {
  const since = Math.floor(Date.now() / 1000) - 1;
  const container = await docker.createContainer({ name: "busy", Image: "host", Cmd: ["sleep", "1000"] });
  await container.start();
  await container.pause();
  expect((await container.inspect()).State.Paused).toBe(true);
  await container.unpause();
  expect((await container.stats({ stream: false })).pids_stats).toEqual({ current: 1 });
  expect((await container.top()).Processes.length).toBe(1);
  const exec = await container.exec({ Cmd: ["echo", "from inside"], AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({});
  const output = new PassThrough();
  docker.modem.demuxStream(stream, output, output);
  await new Promise((resolve) => stream.once("end", resolve));
  expect(String(output.read())).toBe("from inside\n");
  expect((await exec.inspect()).ExitCode).toBe(0);
  await container.update({ PidsLimit: 40 });
  expect((await container.inspect()).HostConfig.PidsLimit).toBe(40);
  await container.kill();
  await container.wait();
  const events = await docker.getEvents({
    since,
    until: Math.floor(Date.now() / 1000) + 1,
    filters: { container: ["busy"] },
  });
  const actions = (await textOf(events))
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { Action: string }).Action.replace(/:.*/, ""));
  expect(actions).toEqual("create start pause unpause top exec_create exec_start exec_die update kill die".split(" "));
  await container.remove();
});

/** A tar of one file, as GNU tar makes it. */
function tarOf(name: string, content: string): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "orlop-dockerode-"));
  try {
    writeFileSync(join(directory, name), content);
    return Buffer.from(Bun.spawnSync(["tar", "-C", directory, "-c", name]).stdout);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What tar finds in an archive: names, and the content of all files. */
async function inside(archive: NodeJS.ReadableStream): Promise<readonly [names: string[], content: string]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of archive) pieces.push(piece as unknown as Uint8Array);
  const tar = (...words: string[]): string => {
    const { stdout, stderr, exitCode } = Bun.spawnSync(["tar", ...words], { stdin: Buffer.concat(pieces) });
    expect([exitCode, stderr.toString()]).toEqual([0, ""]);
    return stdout.toString();
  };
  return [tar("-t").trim().split("\n"), tar("-xO")];
}

test("archives: into a container, what is said of a path, and out of it; an export has it too", async () => {
  const directory = mkdtempSync(join(tmpdir(), "orlop-dockerode-"));
  const Rootfs = makeBusyboxRoot(directory);
  const HostConfig = { Rootfs, NetworkMode: "none" } as Dockerode.HostConfig;
  const container = await docker.createContainer({ name: "copied", Cmd: ["/bin/true"], HostConfig });
  await container.putArchive(tarOf("note", "written by dockerode"), { path: "/" });
  const head = await container.infoArchive({ path: "/note" });
  const stat = JSON.parse(
    Buffer.from(String(head.headers["x-docker-container-path-stat"]), "base64").toString("utf8"),
  ) as Record<string, unknown>;
  expect(stat).toMatchObject({ name: "note", size: 20, linkTarget: "" });
  expect(await inside(await container.getArchive({ path: "/note" }))).toEqual([["note"], "written by dockerode"]);
  const [names, content] = await inside(await container.export());
  expect(names).toContain("note");
  expect(content).toContain("written by dockerode");
  await expect(container.getArchive({ path: "/missing" })).rejects.toMatchObject({ statusCode: 404 });
  await container.remove();
  rmSync(directory, { recursive: true });
});

test("an exec that reads what is typed, until its input is closed", async () => {
  const container = await docker.createContainer({ name: "typed", Image: "host", Cmd: ["sleep", "1000"] });
  await container.start();
  const exec = await container.exec({ Cmd: ["sort"], AttachStdin: true, AttachStdout: true });
  const stream = await exec.start({ hijack: true, stdin: true });
  const output = new PassThrough();
  docker.modem.demuxStream(stream, output, output);
  const ended = new Promise((resolve) => stream.once("end", resolve));
  stream.write("b\na\n");
  stream.end();
  await ended;
  expect(String(output.read())).toBe("a\nb\n");
  await container.remove({ force: true });
});

test("statistics, frame after frame, until the container is gone", async () => {
  const container = await docker.createContainer({ name: "counted", Image: "host", Cmd: ["sleep", "1000"] });
  await container.start();
  const stream = await container.stats({ stream: true });
  const frames: Dockerode.ContainerStats[] = [];
  let rest = "";
  for await (const piece of stream) {
    const lines = `${rest}${String(piece)}`.split("\n");
    rest = lines.pop() ?? "";
    frames.push(...lines.map((line) => JSON.parse(line) as Dockerode.ContainerStats));
    if (frames.length === 2) await container.remove({ force: true });
  }
  const [first, second] = frames;
  expect(second?.preread).toBe(first?.read ?? "");
  expect(second?.precpu_stats).toEqual(first?.cpu_stats as Dockerode.ContainerStats["cpu_stats"]);
});

test("prune: what is not used goes, and is named; what is used stays", async () => {
  await docker.createNetwork({ Name: "used" });
  await docker.createNetwork({ Name: "unused" });
  await docker.createVolume({ Name: "unused" });
  const HostConfig = { Binds: ["used:/data"], NetworkMode: "used" };
  const runs = await docker.createContainer({ name: "runs", Image: "host", Cmd: ["sleep", "1000"], HostConfig });
  await runs.start();
  const ended = await docker.createContainer({ name: "ended", Image: "host", Cmd: ["true"] });
  expect((await docker.pruneContainers()).ContainersDeleted).toEqual([ended.id]);
  expect((await docker.pruneNetworks()).NetworksDeleted).toEqual(["unused"]);
  const volumes = await docker.pruneVolumes({ filters: { all: ["true"] } });
  expect(volumes.VolumesDeleted).toEqual(["unused"]);
  expect((await docker.pruneImages({ filters: { dangling: ["false"] } })).ImagesDeleted ?? []).toEqual([]);
  expect((await docker.listVolumes()).Volumes.map(({ Name }) => Name)).toEqual(["used"]);
  await runs.remove({ force: true });
  await docker.getNetwork("used").remove();
  await docker.getVolume("used").remove();
});

test("volumes", async () => {
  await docker.createVolume({ Name: "data" });
  expect((await docker.getVolume("data").inspect()).Driver).toBe("local");
  await docker.getVolume("data").remove();
});
