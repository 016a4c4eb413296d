/** Push, login and questions, against Debian's docker-registry with a password; what skopeo reads there. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf, request, useProduct } from "../api/engine-fixture.ts";
import { Product } from "../product.ts";
import { DockerRegistry } from "../registry/docker-registry.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { busyboxLayer } from "./layer-tar.ts";

const product = useProduct();
const login = { username: "user", password: "pass word:ü" };
let registry: DockerRegistry;
let source: ScriptedRegistry;
let home: string;
const name = (tag: string) => `${registry.host}/test/box:${tag}`;
const orlop = (words: readonly string[], stdin = "") =>
  product().run(words, { env: { DOCKER_CONFIG: home, PATH: `${home}:${process.env["PATH"]}` }, stdin });
const logIn = (password = login.password) =>
  orlop(["login", "-u", login.username, "--password-stdin", registry.host], `${password}\n`);

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "orlop-home-"));
  [registry, source] = await Promise.all([DockerRegistry.open({ login }), ScriptedRegistry.open()]);
  source.addImage("1", [busyboxLayer()], { Cmd: ["true"] });
  await product().ok("pull", "-q", `${source.host}/a:1`);
  await product().ok("tag", `${source.host}/a:1`, name("1"));
});
afterAll(async () => {
  await Promise.all([registry[Symbol.asyncDispose](), source[Symbol.asyncDispose]()]);
  rmSync(home, { recursive: true });
});

test("without a login a push is refused, and a wrong password is kept nowhere", async () => {
  const refused = await orlop(["push", name("1")]);
  expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining("push access denied for test/box")]);
  const wrong = await logIn("wrong");
  expect([wrong.exitCode, wrong.stderr]).toEqual([1, expect.stringContaining("refuses these credentials")]);
  expect(() => statSync(join(home, "config.json"))).toThrow();
});

test("login keeps the password in the user's file, for the user alone; then push works, and is told", async () => {
  writeFileSync(join(home, "config.json"), '{"HttpHeaders":{"A":"b"}}');
  const done = await logIn();
  expect(done).toMatchObject({ exitCode: 0, stdout: "Login Succeeded\n" });
  const kept = JSON.parse(readFileSync(join(home, "config.json"), "utf8"));
  expect(kept.HttpHeaders).toEqual({ A: "b" });
  expect(Buffer.from(kept.auths[registry.host].auth, "base64").toString()).toBe("user:pass word:ü");
  expect(statSync(join(home, "config.json")).mode & 0o777).toBe(0o600);
  const pushed = await orlop(["push", name("1")]);
  expect(pushed.exitCode).toBe(0);
  expect(pushed.stdout).toMatch(/^[0-9a-f]{12}: Pushed$/m);
  expect(pushed.stdout).toMatch(/^1: digest: sha256:[0-9a-f]{64} size: \d+$/m);
  expect((await orlop(["push", name("1")])).stdout).toMatch(/^[0-9a-f]{12}: Layer already exists$/m);
  const creds = `${login.username}:${login.password}`;
  const skopeo = ["inspect", "--tls-verify=false", "--creds", creds, `docker://${name("1")}`];
  const [digest = ""] = /sha256:[0-9a-f]{64}/.exec(pushed.stdout) ?? [];
  expect(JSON.parse(execFileSync("skopeo", skopeo, { encoding: "utf8" })).Digest).toBe(digest);
});

test("another repository of the same registry gives its layers", async () => {
  const other = `${registry.host}/test/other:1`;
  await product().ok("tag", name("1"), other);
  expect((await orlop(["push", other])).stdout).toMatch(/^[0-9a-f]{12}: Mounted from test\/box$/m);
});

test("every tag at once", async () => {
  await product().ok("tag", name("1"), name("2"));
  const pushed = await orlop(["push", "-a", name("1").replace(/:1$/, "")]);
  expect([...pushed.stdout.matchAll(/^(\d): digest:/gm)].map((match) => match[1]).sort()).toEqual(["1", "2"]);
  await orlop(["rmi", name("1"), name("2")]);
  const pulled = await orlop(["pull", "-a", name("1").replace(/:1$/, "")]);
  expect(pulled.stdout.match(/^Digest: /gm)?.length).toBe(2);
});

test("what is not here cannot be pushed", async () => {
  const missing = await orlop(["push", name("none")]);
  expect(missing.stderr).toContain(`An image does not exist locally with the tag: ${name("none")}`);
});

test("distribution says what a registry has, with the client's credentials", async () => {
  const path = `/distribution/${name("1")}/json`;
  expect((await request(product(), "GET", path)).status).toBe(403);
  const auth = Buffer.from(JSON.stringify(login)).toString("base64url");
  const answer = await request(product(), "GET", path, undefined, `X-Registry-Auth: ${auth}\r\n`);
  expect(JSON.parse(answer.body).Platforms).toEqual([{ os: "linux", architecture: "amd64" }]);
  const bad = await request(product(), "GET", path, undefined, "X-Registry-Auth: {}\r\n");
  expect([bad.status, messageOf(bad)]).toEqual([400, expect.stringContaining("invalid X-Registry-Auth")]);
});

test("the engine reads no user's files: its own user's passwords are nobody else's", async () => {
  const other = new Product(join(home, "other"), { env: { HOME: home, DOCKER_CONFIG: home } });
  try {
    await other.ok("ps");
    const asked = await request(other, "POST", `/images/create?fromImage=${registry.host}/test/box&tag=1`);
    expect(asked.body).toContain("pull access denied for test/box");
    expect((await other.run(["pull", "-q", name("1")], { env: { DOCKER_CONFIG: home } })).exitCode).toBe(0);
  } finally {
    await other.stop();
  }
});

test("logout forgets", async () => {
  expect((await orlop(["logout", registry.host])).stdout).toBe(`Removing login credentials for ${registry.host}\n`);
  expect(await orlop(["logout", registry.host])).toMatchObject({
    exitCode: 0,
    stdout: `Not logged in to ${registry.host}\n`,
    stderr: "",
  });
  expect((await orlop(["push", name("1")])).exitCode).toBe(1);
});

test("a credential helper keeps logins, and is run as the user", async () => {
  const vault = join(home, "vault");
  mkdirSync(vault);
  const helper = join(home, "docker-credential-test");
  const script = `#!/bin/sh
case $1 in
store) cat >${vault}/kept ;;
get) test -e ${vault}/kept && cat ${vault}/kept || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) rm -f ${vault}/kept ;;
esac`;
  writeFileSync(helper, script);
  chmodSync(helper, 0o755);
  writeFileSync(join(home, "config.json"), '{"credsStore":"test"}');
  expect((await orlop(["push", name("1")])).stderr).toContain("push access denied");
  expect((await logIn()).exitCode).toBe(0);
  expect(readFileSync(join(home, "config.json"), "utf8")).not.toContain('auth":');
  expect((await orlop(["push", name("1")])).exitCode).toBe(0);
  await orlop(["logout", registry.host]);
  expect((await orlop(["push", name("1")])).exitCode).toBe(1);
  writeFileSync(join(home, "config.json"), '{"credsStore":"missing"}');
  expect((await orlop(["push", name("1")])).stderr).toContain("the credential helper docker-credential-missing failed");
  rmSync(join(home, "config.json"));
});

test("search asks the registry that is named", async () => {
  const results = [
    { name: "a/box", description: "A box", star_count: 7, is_official: false },
    { name: "box", description: "The box", star_count: 99, is_official: true },
  ];
  source.script(/^GET \/v1\/search\?q=box&n=25$/, (_request, response) => {
    response.end(JSON.stringify({ results }));
    return true;
  });
  expect((await orlop(["search", `${source.host}/box`])).stdout).toContain("The box");
  const official = await orlop(["search", "--format", "json", "-f", "is-official=true", `${source.host}/box`]);
  expect(official.stdout.trim().split("\n").length).toBe(1);
});
