/** Logs through the API: what the log's options chose, and every line of many containers for many followers. */

import { expect, test } from "bun:test";
import { AttachFrameDecoder } from "../../src/spec/attach-frame.ts";
import { testWhere } from "../kernel/harness.ts";
import { waitUntil } from "../wait-until.ts";
import { docker, messageOf, request, useProduct } from "./engine-fixture.ts";

const product = useProduct();
const ask = (method: string, path: string, body?: unknown) => request(product(), method, path, body);

testWhere("docker")("details are the labels, variables and the tag that the log's options chose", async () => {
  const options = ["labels=tier", "env=MODE", "tag={{.Name}}"].flatMap((option) => ["--log-opt", option]);
  const flags = ["--name", "tagged", "-l", "tier=front end", "-e", "MODE=fast", ...options];
  await docker(product(), ["run", ...flags, "host", "echo", "hello"]);
  expect((await docker(product(), ["logs", "--details", "tagged"])).stdout).toBe(
    "MODE=fast,tag=tagged,tier=front+end hello\n",
  );
  expect(await product().ok("logs", "--details", "tagged")).toBe("MODE=fast,tag=tagged,tier=front+end hello");
  await ask("DELETE", "/containers/tagged?force=1");
});

test.each([
  [{ Type: "json-file", Config: { compress: "true" } }, "rotated files are never compressed"],
  [{ Type: "json-file", Config: { tag: "{{.Nothing}}" } }, "invalid log option tag"],
  [{ Type: "local", Config: { labels: "a" } }, 'invalid log option \\"labels\\"'],
] as const)("%j is refused by name", async (LogConfig, message) => {
  const answer = await ask("POST", "/containers/create", { Image: "host", Cmd: ["true"], HostConfig: { LogConfig } });
  expect([answer.status, JSON.stringify(messageOf(answer))]).toEqual([400, expect.stringContaining(message)]);
});

/** Lines a second from each of the containers; the whole takes as many seconds as there are rounds. */
const rounds = Number(process.env["ORLOP_TEST_ROUNDS"] ?? 3);
const containers = 20;
const followers = 8;
const linesEach = 500;

test("10,000 lines a second from 20 containers, with rotation and 8 followers: none lost, none out of order", async () => {
  const total = rounds * linesEach;
  // Every tenth of a second a tenth of its lines; both streams.
  const script = `n=0; for r in $(seq ${rounds * 10}); do seq -f %099.0f $((n+1)) $((n+${linesEach / 10})); n=$((n+${linesEach / 10})); sleep 0.1; done`;
  const config = { "max-size": "100k", "max-file": "1000" };
  const engine = product().connect();
  const names = Array.from({ length: containers }, (_, i) => `printing-${i}`);
  for (const name of names)
    await engine.containers.create(
      { Image: "host", Cmd: ["sh", "-c", script], HostConfig: { LogConfig: { Type: "json-file", Config: config } } },
      name,
    );
  const follow = async (name: string): Promise<number> => {
    const client = product().connect();
    const decoder = new AttachFrameDecoder();
    let [expected, rest] = [1, ""];
    for await (const chunk of await client.containers.logs(name, { stdout: true, stderr: true, follow: true })) {
      for (const { bytes } of decoder.push(chunk)) {
        const lines = (rest + Buffer.from(bytes).toString("latin1")).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines)
          if (Number(line) === expected) expected++;
          else throw new Error(`${name}: line ${Number(line)} where ${expected} should be`);
      }
    }
    client.close();
    return expected - 1;
  };
  await Promise.all(names.map((name) => engine.containers.start(name)));
  const followed = await Promise.all(
    Array.from({ length: followers }, (_, i) => follow(names[i % containers] as string)),
  );
  expect(followed).toEqual(Array.from({ length: followers }, () => total));
  // What nobody followed is whole too.
  for (const name of names) {
    await (await engine.containers.wait(name, "not-running")).exit();
    let count = 0;
    const decoder = new AttachFrameDecoder();
    for await (const chunk of await engine.containers.logs(name, { stdout: true, stderr: true }))
      for (const { bytes } of decoder.push(chunk)) count += bytes.filter((byte) => byte === 10).length;
    expect([name, count]).toEqual([name, total]);
    await engine.containers.remove(name, { force: true });
  }
  engine.close();
}, 120_000);

test("a follower that stops reading holds up nobody", async () => {
  await ask("POST", "/containers/create?name=loud", { Image: "host", Cmd: ["sh", "-c", "seq 1 400000; sleep 100"] });
  const client = product().connect();
  await ask("POST", "/containers/loud/start");
  const chunks = await client.containers.logs("loud", { stdout: true, stderr: false, follow: true });
  await chunks.next(); // and no more
  await waitUntil(
    async () => (await ask("GET", "/containers/loud/logs?stdout=1&tail=1")).body.includes("400000"),
    20_000,
    "the container goes on",
  );
  client.close();
  await ask("DELETE", "/containers/loud?force=1");
});
