/** Logs through the API: what the log's options chose, and every line of many containers for many followers. */

import { expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
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

const containers = 20;
const followers = 8;
/** Lines of each stream of each container: so many thousands. */
const rounds = Number(process.env["ORLOP_TEST_ROUNDS"] ?? 5);
const each = rounds * 1000;
const leastRate = 10_000;

/** Numbered lines of both streams, as they come: which number is next in each. */
class Numbered {
  readonly #decoder = new AttachFrameDecoder();
  readonly #rest = ["", ""];
  readonly next = [1, 1];
  firstNs = "";
  lastNs = "";

  /** @throws {Error} a line is missing, or stands elsewhere */
  take(chunk: Uint8Array): void {
    for (const { stream, bytes } of this.#decoder.push(chunk)) {
      const at = stream - 1;
      const lines = ((this.#rest[at] ?? "") + Buffer.from(bytes).toString("latin1")).split("\n");
      this.#rest[at] = lines.pop() ?? "";
      for (const line of lines) this.#takeLine(line, at);
    }
  }

  #takeLine(line: string, at: number): void {
    const [time = "", text = line] = line.includes(" ") ? line.split(" ") : [];
    if (Number(text) !== this.next[at])
      throw new Error(`stream ${at + 1}: ${Number(text)} where ${this.next[at]} should be`);
    this.next[at] = Number(text) + 1;
    if (time === "") return;
    if (this.firstNs === "" || time < this.firstNs) this.firstNs = time;
    if (time > this.lastNs) this.lastNs = time;
  }
}

async function read(name: string, query: { follow?: boolean; timestamps?: boolean }): Promise<Numbered> {
  const client = product().connect();
  const lines = new Numbered();
  for await (const chunk of await client.containers.logs(name, { stdout: true, stderr: true, ...query }))
    lines.take(chunk);
  client.close();
  return lines;
}

test("10,000 lines a second and more from 20 containers, with rotation and 8 followers: none lost, none out of order", async () => {
  const pieces = `for r in $(seq 0 ${rounds * 10 - 1}); do seq -f %099.0f $((r * 100 + 1)) $((r * 100 + 100)); seq -f %099.0f $((r * 100 + 1)) $((r * 100 + 100)) >&2; done`;
  const LogConfig = { Type: "json-file", Config: { "max-size": "100k", "max-file": "1000" } };
  const { engine } = product();
  const names = Array.from({ length: containers }, (_, i) => `printing-${i}`);
  for (const name of names)
    await engine.containers.create({ Image: "host", Cmd: ["sh", "-c", pieces], HostConfig: { LogConfig } }, name);
  await Promise.all(names.map((name) => engine.containers.start(name)));
  // Two follow the same one.
  const followed = await Promise.all(
    Array.from({ length: followers }, (_, i) => read(names[Math.max(0, i - 1)] as string, { follow: true })),
  );
  expect(followed.map(({ next }) => next)).toEqual(Array.from({ length: followers }, () => [each + 1, each + 1]));
  // What nobody followed is whole too, in its order, and in many files.
  const times: string[] = [];
  for (const name of names) {
    await (await engine.containers.wait(name, "not-running")).exit();
    const lines = await read(name, { timestamps: true });
    expect([name, lines.next]).toEqual([name, [each + 1, each + 1]]);
    times.push(lines.firstNs, lines.lastNs);
    const { LogPath } = JSON.parse((await ask("GET", `/containers/${name}/json`)).body) as { LogPath: string };
    expect(readdirSync(dirname(LogPath)).filter((file) => /^log\.\d+$/.test(file)).length).toBeGreaterThan(each / 1000);
    await engine.containers.remove(name, { force: true });
  }
  times.sort();
  const seconds = (Date.parse(times.at(-1) ?? "") - Date.parse(times[0] ?? "")) / 1000;
  expect((containers * each * 2) / seconds).toBeGreaterThan(leastRate);
}, 120_000);

test("by default three files of ten million bytes are kept, and what they have is the end without a gap", async () => {
  const script = `seq -f %099.0f 1 300000`; // 53 MB in the log
  await ask("POST", "/containers/create?name=much", { Image: "host", Cmd: ["sh", "-c", script] });
  await ask("POST", "/containers/much/start");
  await ask("POST", "/containers/much/wait");
  const { LogPath, HostConfig } = JSON.parse((await ask("GET", "/containers/much/json")).body) as {
    LogPath: string;
    HostConfig: { LogConfig: unknown };
  };
  expect(HostConfig.LogConfig).toEqual({ Type: "json-file", Config: { "max-file": "3", "max-size": "10000000" } });
  const files = readdirSync(dirname(LogPath)).filter((file) => /^log(\.\d+)?$/.test(file));
  expect(files.sort()).toEqual(["log", "log.1", "log.2"]);
  const sizes = files.map((file) => statSync(join(dirname(LogPath), file)).size);
  expect(Math.max(...sizes)).toBeLessThan(10_000_200);
  expect(Math.min(...sizes.slice(1))).toBeGreaterThan(9_900_000);
  const numbers = (await product().ok("logs", "much")).split("\n").map(Number);
  expect(numbers.at(-1)).toBe(300_000);
  expect(numbers.findIndex((number, at) => at > 0 && number !== (numbers[at - 1] ?? 0) + 1)).toBe(-1);
  await ask("DELETE", "/containers/much?force=1");
}, 60_000);

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
