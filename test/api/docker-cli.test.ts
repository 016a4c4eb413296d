/** The docker command line on a real engine. */

import { expect } from "bun:test";
import { testWhere } from "../kernel/harness.ts";
import { waitUntil } from "../wait-until.ts";
import { docker, useProduct } from "./engine-fixture.ts";

const test = testWhere("docker");
const product = useProduct();
const run = (...words: string[]) => docker(product(), words);

test("docker run prints, and exits as the program did", async () => {
  expect(await run("run", "--rm", "host", "sh", "-c", "echo out; echo err >&2; exit 42")).toEqual({
    exitCode: 42,
    stdout: "out\n",
    stderr: "err\n",
  });
});

test.each([0, 1, 125, 126, 127, 128, 255])("exit code %d", async (code) => {
  expect((await run("run", "--rm", "host", "sh", "-c", `exit ${code}`)).exitCode).toBe(code);
});

test("a signal is 128 and its number", async () => {
  expect((await run("run", "--rm", "host", "sh", "-c", "sh -c 'kill -TERM $$'")).exitCode).toBe(143);
});

test.each([
  [127, ["foo"], 'exec: "foo": executable file not found in $PATH'],
  [127, ["/no/such/file"], "no such file or directory"],
  [126, ["/etc/passwd"], "permission denied"],
] as const)("exit code %d for a program that cannot be run: %p", async (code, words, message) => {
  const outcome = await run("run", "--rm", "host", ...words);
  expect(outcome.exitCode).toBe(code);
  expect(outcome.stderr).toContain(message);
  expect((await run("ps", "-aq")).stdout).toBe("");
});

test("exit code 125 for a request that cannot be carried out, and nothing stays behind", async () => {
  for (const flags of [
    ["--memory", "1g", "--memory-swap", "512m"],
    ["--network", "nosuch"],
    ["-p", "80:80:80:80"],
    ["-v", "a%b:/data"],
  ]) {
    const outcome = await run("run", "--rm", ...flags, "host", "true");
    expect([flags, outcome.exitCode]).toEqual([flags, 125]);
  }
  expect((await run("ps", "-aq")).stdout).toBe("");
});

test("standard input goes in, and its end ends the program", async () => {
  const stdin = "a line\n".repeat(50_000);
  const outcome = await docker(product(), ["run", "--rm", "-i", "host", "cat"], { stdin });
  expect(outcome.stdout === stdin).toBe(true);
});

test("output of some megabytes arrives whole", async () => {
  const outcome = await run("run", "--rm", "host", "sh", "-c", "seq 1 500000");
  const lines = outcome.stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(500_000);
  expect(lines.every((line, index) => line === String(index + 1))).toBe(true);
});

test("a detached container: ps, wait, logs, inspect, rm", async () => {
  const { stdout } = await run(
    "run",
    "-d",
    "--name",
    "web",
    "-l",
    "a=b",
    "host",
    "sh",
    "-c",
    "echo one; echo two; exit 3",
  );
  const id = stdout.trim();
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  expect((await run("wait", "web")).stdout).toBe("3\n");
  expect((await run("logs", id.slice(0, 8))).stdout).toBe("one\ntwo\n");
  expect((await run("logs", "--tail", "1", "-t", "web")).stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z two\n$/);
  expect((await run("ps", "-a", "--filter", "label=a=b", "--format", "{{.Names}} {{.State}}")).stdout).toBe(
    "web exited\n",
  );
  expect((await run("ps", "-q")).stdout).toBe("");
  expect((await run("inspect", "-f", "{{.State.ExitCode}} {{.Config.Labels.a}} {{.Path}}", "web")).stdout).toBe(
    "3 b sh\n",
  );
  expect((await run("run", "--name", "web", "host", "true")).stderr).toContain("is already in use by container");
  expect((await run("rm", "web")).stdout).toBe("web\n");
  expect((await run("inspect", "web")).exitCode).toBe(1);
});

test("start -a shows a stopped container's next run from its first byte", async () => {
  await run("run", "--name", "again", "host", "echo", "hello");
  const outcome = await run("start", "-a", "again");
  expect(outcome).toMatchObject({ exitCode: 0, stdout: "hello\n" });
  expect((await run("logs", "again")).stdout).toBe("hello\nhello\n");
  await run("rm", "again");
});

test("logs -f follows to the end", async () => {
  await run("run", "-d", "--name", "slow", "host", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.05; done");
  expect((await run("logs", "-f", "slow")).stdout).toBe("1\n2\n3\n");
  await run("rm", "-f", "slow");
});

test("stop: the signal first, SIGKILL when it is not heard", async () => {
  const start = async (name: string, trap: string): Promise<void> => {
    await run("run", "-d", "--name", name, "host", "sh", "-c", `${trap}; echo ready; while :; do sleep 0.01; done`);
    await waitUntil(async () => (await run("logs", name)).stdout === "ready\n", 10_000, "its trap is set");
  };
  await start("polite", "trap 'exit 5' TERM");
  await run("stop", "polite");
  expect((await run("inspect", "-f", "{{.State.ExitCode}}", "polite")).stdout).toBe("5\n");
  await start("deaf", "trap '' TERM");
  await run("stop", "-t", "0", "deaf");
  expect((await run("inspect", "-f", "{{.State.ExitCode}}", "deaf")).stdout).toBe("137\n");
  await run("rm", "polite", "deaf");
});

test("a terminal", async () => {
  const outcome = await run("run", "--rm", "-t", "host", "sh", "-c", "tty; stty size");
  expect(outcome.stdout).toMatch(/^\/dev\/pts\/0\r\n\d+ \d+\r\n$/);
});

test("an image that is not there is pulled, and a registry that is not there is said", async () => {
  const outcome = await run("run", "--rm", "127.0.0.1:1/alpine", "true");
  expect(outcome.exitCode).toBe(125);
  expect(outcome.stderr).toContain("Unable to find image '127.0.0.1:1/alpine:latest' locally");
  expect(outcome.stderr).toContain("cannot reach http://127.0.0.1:1/v2/alpine/");
  expect((await run("images", "--format", "{{.Repository}}:{{.Tag}}")).stdout).toBe("host:latest\n");
});

test("a container over its memory is killed, and inspect says why", async () => {
  const limits = ["--memory", "16m", "--memory-swap", "16m"];
  expect((await run("run", "--name", "hungry", ...limits, "host", "tail", "/dev/zero")).exitCode).toBe(137);
  expect((await run("inspect", "-f", "{{.State.OOMKilled}}", "hungry")).stdout).toBe("true\n");
  await run("rm", "hungry");
});

test("twenty containers at once", async () => {
  const runs = Array.from({ length: 20 }, (_, index) => run("run", "--rm", "host", "echo", String(index)));
  const outcomes = await Promise.all(runs);
  expect(outcomes.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 20 }, (_, index) => `${index}\n`));
});
