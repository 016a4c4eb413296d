/** The same work on dockerd and on Orlop: what images' events say, what a commit's body means, and an archive that lies at a URL. */

import { afterAll, expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { Dockerd } from "../dockerd.ts";
import { beforeAllWhere, kernelTest, type Need } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { DockerRegistry } from "../registry/docker-registry.ts";
import { Docker } from "./docker.ts";

const needs: readonly Need[] = ["root", "product", "docker", "dockerd", "overlay", "busybox", "servers"];
const directory = mkdtempSync(join(tmpdir(), "orlop-beside-"));
const at = (name: string): string => join(directory, name);
const product = new Product(at("orlop"));
const archive = at("root.tar");
const timeoutMs = 120_000;

/** A docker command line on one of the two. */
interface Side {
  readonly name: string;
  readonly host: string;
  ok(...words: string[]): Promise<string>;
}

const sides: Side[] = [];
let dockerd: Dockerd;

beforeAllWhere(
  needs,
  async () => {
    execFileSync("tar", ["-C", makeBusyboxRoot(directory), "-cf", archive, "."]);
    await product.run(["info"]);
    dockerd = await Dockerd.start(at("dockerd"));
    const docker = new Docker(product);
    sides.push({ name: "docker", host: dockerd.host, ok: (...words) => dockerd.ok(...words) });
    sides.push({ name: "orlop", host: product.dockerHost, ok: (...words) => docker.ok(...words) });
    for (const { ok } of sides) await ok("import", archive, "base:1");
  },
  60_000,
);

afterAll(async () => {
  await product.stop();
  await dockerd?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

/** The same on both sides. */
async function onBoth<T>(work: (side: Side) => Promise<T>): Promise<{ docker: T; orlop: T }> {
  const [docker, orlop] = [await work(sides[0] as Side), await work(sides[1] as Side)];
  return { docker, orlop };
}

/** One request of the API, by this side's socket. */
async function call({ host }: Side, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`http://engine${path}`, {
    unix: host.slice("unix://".length),
    method: "POST",
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

kernelTest(
  "import, tag, commit, save, load, push, pull, rmi: the same events in the same order",
  needs,
  async () => {
    await using registry = await DockerRegistry.open();
    const image = `${registry.host}/a:1`;
    const { docker, orlop } = await onBoth(async ({ ok }) => {
      const since = String(Math.floor(Date.now() / 1000));
      await ok("import", archive, "in:1");
      await ok("tag", "in:1", image);
      await ok("create", "--name", "work", "in:1", "true");
      await ok("commit", "work", "made:1");
      await ok("rm", "work");
      await ok("save", "-o", at("saved"), "in:1", "made:1");
      await ok("rmi", "made:1");
      await ok("load", "-i", at("saved"));
      await ok("push", image);
      await ok("rmi", "made:1"); // before what it was made of: Docker keeps an image that has a child
      await ok("rmi", image);
      await ok("rmi", "in:1");
      await ok("pull", image);
      const until = String(Math.ceil(Date.now() / 1000) + 1);
      const format = "{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}}";
      const told = await ok("events", "--since", since, "--until", until, "--filter", "type=image", "--format", format);
      await ok("rmi", image);
      const events = told.replaceAll(/sha256:[0-9a-f]{64}/g, "ID").split("\n");
      return events.slice(events.indexOf("tag ID in:1")); // base's import may lie in the same second
    });
    expect(docker.length).toBeGreaterThan(10);
    expect(orlop).toEqual(docker);
  },
  timeoutMs,
);

kernelTest(
  "a configuration in a commit's body, over the container's and below the changes",
  needs,
  async () => {
    const configs = [
      { Env: ["A=1", "B=new"], Labels: { a: "b" }, Cmd: ["new"] },
      { Entrypoint: ["/bin/sh"], ExposedPorts: { "80/tcp": {} }, Volumes: { "/v": {} }, User: "7", WorkingDir: "/tmp" },
      { StopSignal: "SIGINT", Healthcheck: { Test: ["CMD", "true"], Interval: 5_000_000_000 }, Image: "base:1" },
      { Tty: false, Hostname: "", Env: null, Cmd: null, Labels: {} },
    ];
    const { docker, orlop } = await onBoth(async (side) => {
      await side.ok(
        "create",
        "--name",
        "work",
        "-e",
        "B=old",
        "-e",
        "C=3",
        "-l",
        "own=1",
        "-w",
        "/bin",
        "base:1",
        "old",
      );
      const made: unknown[] = [];
      for (const [i, config] of configs.entries()) {
        const changes = encodeURIComponent("ENV A=changed");
        const { status } = await call(side, `/commit?container=work&repo=made&tag=${i}&changes=${changes}`, config);
        const { Config } = JSON.parse(await side.ok("inspect", `made:${i}`))[0];
        const { Env, Cmd, Entrypoint, Labels, ExposedPorts, Volumes, User, WorkingDir, StopSignal, Healthcheck } =
          Config;
        const sorted = [...Env].sort().filter((entry: string) => !entry.startsWith("PATH="));
        made.push({
          status,
          sorted,
          Cmd,
          Entrypoint,
          Labels,
          ExposedPorts,
          Volumes,
          User,
          WorkingDir,
          StopSignal,
          Healthcheck,
        });
      }
      await side.ok("rm", "work");
      return made.map((one) => JSON.parse(JSON.stringify(one).replaceAll("null", '""')));
    });
    const withoutNothing = (list: unknown[]): unknown[] =>
      list.map((one) => Object.fromEntries(Object.entries(one as object).filter(([, value]) => value !== "")));
    expect(withoutNothing(orlop)).toEqual(withoutNothing(docker));
    await sides[1]?.ok("create", "--name", "other", "base:1", "true");
    const refused = await call(sides[1] as Side, "/commit?container=other", { Hostname: "x" });
    expect([refused.status, JSON.stringify(refused.body)]).toEqual([
      501,
      expect.stringContaining("Hostname in the configuration"),
    ]);
  },
  timeoutMs,
);

kernelTest("an archive that lies at a URL is imported by the engine", needs, async () => {
  using server = Bun.serve({
    port: 0,
    fetch: ({ url }) =>
      url.endsWith("/root.tar") ? new Response(readFileSync(archive)) : new Response("no", { status: 404 }),
  });
  const { docker, orlop } = await onBoth(async ({ ok }) => {
    const said = await ok("import", `http://127.0.0.1:${server.port}/root.tar`, "url:1");
    return [
      said.includes(`Downloading from http://127.0.0.1:${server.port}/root.tar`),
      await ok("inspect", "-f", "{{.RootFS.Layers}}", "url:1"),
    ];
  });
  expect(orlop).toEqual(docker);
  const missing = await new Docker(product).run(["import", `http://127.0.0.1:${server.port}/none`, "url:2"]);
  expect([missing.exitCode, missing.stderr]).toEqual([1, expect.stringContaining("the server answers 404")]);
  const other = await new Docker(product).run(["import", "file:///etc/passwd", "url:2"]);
  expect([other.exitCode, other.stderr]).toEqual([1, expect.stringMatching(/http or https address|no such file/i)]);
});
