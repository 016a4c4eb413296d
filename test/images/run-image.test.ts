/** From a registry to a container that runs: pull, `run` with an image's own settings, both command lines. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { docker, messageOf, request, useProduct } from "../api/engine-fixture.ts";
import { testWhere } from "../kernel/harness.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { busyboxLayer, tarOfFiles } from "./layer-tar.ts";

const product = useProduct();
let registry: ScriptedRegistry;
const name = (tag: string) => `${registry.host}/test/box:${tag}`;
const orlop = (...words: string[]) => product().run(words);
const output = async (...words: string[]) => (await orlop(...words)).stdout;

const settings = {
  User: "worker",
  WorkingDir: "/srv",
  Env: ["A=image", "B=image"],
  Entrypoint: ["/bin/sh", "-c"],
  Cmd: ["id -un; pwd; echo $A $B; cat file"],
  StopSignal: "SIGINT",
  Labels: { of: "image" },
  ExposedPorts: { "80/tcp": {} },
};

beforeAll(async () => {
  registry = await ScriptedRegistry.open();
  const base = busyboxLayer();
  registry.addImage("bare", [base]);
  registry.addImage("1", [base, tarOfFiles({ "srv/file": "first\n" })], settings);
  registry.addImage("2", [base, tarOfFiles({ "srv/file": "second\n", "etc/.wh.passwd": "" })], { Cmd: ["sh"] });
});
afterAll(() => registry[Symbol.asyncDispose]());

test("run pulls what is missing, with progress on standard error, and once", async () => {
  const first = await orlop("run", "--rm", name("1"));
  expect(first).toMatchObject({ exitCode: 0, stdout: "worker\n/srv\nimage image\nfirst\n" });
  expect(first.stderr).toContain(`Unable to find image '${name("1")}' locally`);
  expect(first.stderr).toMatch(/^[0-9a-f]{12}: Pull complete$/m);
  expect(first.stderr).toContain(`Status: Downloaded newer image for ${name("1")}`);
  const asked = registry.requests.length;
  const second = await orlop("run", "--rm", name("1"));
  expect([second.stdout, second.stderr]).toEqual([first.stdout, ""]);
  expect(registry.requests.length).toBe(asked);
});

test("what is asked for goes before what the image says", async () => {
  const command = ["-e", "A=asked", "-w", "/", "-u", "0", name("1"), "id -un; pwd; echo $A $B"];
  expect(await output("run", "--rm", ...command)).toBe("root\n/\nasked image\n");
  expect(await output("run", "--rm", "--entrypoint", "echo", name("1"), "x")).toBe("x\n");
  expect((await orlop("run", "--rm", "--entrypoint", "", name("1"))).stderr).toContain("no command specified");
});

test("what a container writes stays in it", async () => {
  await product().ok("run", "-u", "0", "--name", "writer", name("1"), "echo mine >/srv/file; rm /etc/group");
  expect(await output("run", "--rm", name("1"), "cat /srv/file; ls /etc/group")).toBe("first\n/etc/group\n");
  await product().ok("rm", "writer");
});

test("what a start puts a mount on costs a container no file of its own, whatever its image lacks", async () => {
  await product().ok("run", "--name", "plain", name("bare"), "true");
  const { Id } = await product().engine.containers.inspect("plain");
  expect(readdirSync(`${product().stateDir}/containers/${Id}/layers/root/upper`)).toEqual([]);
  await product().ok("rm", "plain");
});

test("a user is looked up in the topmost layer that says anything", async () => {
  await product().ok("pull", "-q", name("2"));
  const outcome = await orlop("run", "--rm", "-u", "worker", name("2"), "id");
  expect(outcome.exitCode).toBe(125);
  expect(outcome.stderr).toContain("unable to find user worker: no matching entries in passwd file");
});

test("inspect and ps say which image it is, by name and id", async () => {
  await product().ok("create", "--name", "made", name("1"));
  const [made] = JSON.parse(await output("inspect", "made"));
  const image = JSON.parse((await request(product(), "GET", `/images/${name("1")}/json`)).body);
  expect(made).toMatchObject({ Image: image.Id, Config: { Image: name("1"), User: "worker", StopSignal: "SIGINT" } });
  expect(made.Config).toMatchObject({ Labels: { of: "image" }, ExposedPorts: { "80/tcp": {} } });
  expect(image.RepoTags).toEqual([name("1")]);
  expect(image.RepoDigests[0]).toMatch(/@sha256:[0-9a-f]{64}$/);
  expect(await output("ps", "-a", "--format", "json")).toContain(`"Image":"${name("1")}"`);
  await product().ok("rm", "made");
});

test("--pull always asks again, never does not; a platform that the image is not for is said", async () => {
  const asked = registry.requests.length;
  expect((await orlop("run", "--rm", "--pull", "always", name("bare"), "true")).stderr).toContain("Pulling from");
  expect(registry.requests.length).toBeGreaterThan(asked);
  const never = await orlop("run", "--rm", "--pull", "never", name("none"), "true");
  expect([never.exitCode, never.stderr]).toEqual([125, `orlop: No such image: ${name("none")}\n`]);
  const other = await request(product(), "POST", `/containers/create?platform=linux/s390x`, { Image: name("bare") });
  expect([other.status, messageOf(other)]).toEqual([
    404,
    expect.stringContaining("(linux/s390x): it is for linux/amd64"),
  ]);
});

testWhere("docker")("docker pulls and runs, by tag, by digest and by the id's beginning", async () => {
  const cli = (...words: string[]) => docker(product(), words, { env: { DOCKER_CONFIG: product().runDir } });
  const pulled = await cli("pull", name("1"));
  expect(pulled.stdout).toContain(`Status: Image is up to date for ${name("1")}`);
  const [digest = ""] = /sha256:[0-9a-f]{64}/.exec(pulled.stdout) ?? [];
  const { stdout: id } = await cli("images", "-q", name("1"));
  for (const reference of [name("1"), `${name("1").replace(/:1$/, "")}@${digest}`, id.trim()])
    expect(await cli("run", "--rm", reference, "cat file")).toMatchObject({ exitCode: 0, stdout: "first\n" });
  const missing = await cli("pull", name("none"));
  expect([missing.exitCode, missing.stderr]).toEqual([
    1,
    expect.stringContaining(`manifest for ${name("none")} not found: manifest unknown`),
  ]);
});

test("skopeo finds every image in the store, by its name", async () => {
  const layout = `oci:${product().stateDir}/content:${name("1")}`;
  const seen = JSON.parse(execFileSync("skopeo", ["inspect", layout], { encoding: "utf8" }));
  expect(seen.Labels).toEqual({ of: "image" });
});

test("images are there for the next engine", async () => {
  product().killEngine();
  expect(await output("images", "-q", name("1"))).toMatch(/^[0-9a-f]{12}\n$/);
  expect(await output("run", "--rm", name("1"), "cat file")).toBe("first\n");
});
