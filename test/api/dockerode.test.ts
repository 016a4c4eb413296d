/** dockerode, the client that most JavaScript programs use, as it comes from npm. */

import { beforeAll, expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import Dockerode from "dockerode";
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
});

test("volumes", async () => {
  await docker.createVolume({ Name: "data" });
  expect((await docker.getVolume("data").inspect()).Driver).toBe("local");
  await docker.getVolume("data").remove();
});
