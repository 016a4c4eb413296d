/** The module that programs import, on a real engine. */

import { expect } from "bun:test";
import { join } from "node:path";
import { EngineError, type Orlop, type OrlopError, openOrlop } from "../../src/library/orlop.ts";
import { kernelTest } from "../kernel/harness.ts";
import { orlopPath, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

/** A test with an engine that `openOrlop` starts. */
function libraryTest(name: string, body: (orlop: Orlop, product: Product) => Promise<void>): void {
  kernelTest(name, ["root", "product", "overlay"], async ({ directory, defer }) => {
    const product = new Product(directory);
    defer(() => product.stop());
    const orlop = await openOrlop({ runDir: product.runDir, stateDir: product.stateDir, program: orlopPath });
    defer(() => orlop.close());
    await body(orlop, product);
  });
}

/** What a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in outcome) return outcome.error;
  throw new Error(`this should have failed: ${JSON.stringify(outcome.value)}`);
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

libraryTest("a program is run as its options say, and its container is gone", async (orlop) => {
  const { exitCode, stdout, stderr } = await orlop.run({
    image: "host",
    command: [
      "sh",
      "-c",
      'hostname; id -u; pwd; echo "$A"; cat; touch /x 2>/dev/null || echo "read only"; echo e >&2; exit 5',
    ],
    hostname: "inside",
    user: "65534",
    workingDirectory: "/usr",
    env: { A: "a b" },
    input: "input\n",
    readOnlyRoot: true,
    network: "none",
  });
  expect({ exitCode, stdout, stderr }).toEqual({
    exitCode: 5,
    stdout: "inside\n65534\n/usr\na b\ninput\nread only\n",
    stderr: "e\n",
  });
  expect(await orlop.containers({ all: true })).toEqual([]);
});

libraryTest("a megabyte goes in and comes out; a program need not read its input", async (orlop) => {
  const input = "0123456789abcde\n".repeat(1 << 16);
  const copied = await orlop.run({ image: "host", command: ["cat"], input, network: "none" });
  expect(copied.stdout.length).toBe(input.length);
  expect(copied.stdout === input).toBe(true);
  const unread = await orlop.run({ image: "host", command: ["true"], input, network: "none" });
  expect(unread).toEqual({ exitCode: 0, stdout: "", stderr: "" });
});

libraryTest("an aborted run is killed, says the signal's reason, and leaves no container", async (orlop) => {
  const began = Date.now();
  const error = await rejection(
    orlop.run({ image: "host", command: ["sleep", "1000"], signal: AbortSignal.timeout(500), network: "none" }),
  );
  expect(error).toMatchObject({ name: "TimeoutError" });
  expect(Date.now() - began).toBeLessThan(60_000);
  expect(await orlop.containers({ all: true })).toEqual([]);
});

libraryTest("a pull that is aborted is given up, and so is the run that waits for it", async (orlop) => {
  let connections = 0;
  const silent = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: () => void connections++, data: () => undefined },
  });
  try {
    const image = `127.0.0.1:${silent.port}/silent:1`;
    for (const ask of [
      (signal: AbortSignal) => orlop.pull(image, { signal }),
      (signal: AbortSignal) => orlop.run({ image, command: ["true"], signal }),
    ]) {
      const before = connections;
      const abort = new AbortController();
      const refused = rejection(ask(abort.signal));
      await waitUntil(() => connections > before, 10_000, "the registry is asked");
      abort.abort(new Error("enough"));
      expect(await refused).toMatchObject({ message: "enough" });
    }
    expect(await orlop.containers({ all: true })).toEqual([]);
  } finally {
    silent.stop(true);
  }
});

libraryTest("what cannot be run says why, and leaves no container", async (orlop) => {
  const error = await rejection(orlop.run({ image: "host", command: ["/no/such/program"], network: "none" }));
  expect(error).toBeInstanceOf(EngineError);
  expect((error as EngineError).message).toContain("/no/such/program");
  expect(await orlop.containers({ all: true })).toEqual([]);
});

libraryTest("a container's life: exec, logs, wait, remove", async (orlop) => {
  const container = await orlop.create({
    image: "host",
    name: "life",
    command: ["sh", "-c", 'echo out; echo err >&2; trap "exit 9" TERM; sleep 1000 & wait'],
    network: "none",
  });
  await container.start();
  const exec = await container.exec(["sh", "-c", "cat; pwd; echo $B; exit 6"], {
    stdin: true,
    workingDirectory: "/usr",
    env: { B: "b" },
  });
  expect(await exec.finish("in\n")).toEqual({ exitCode: 6, stdout: "in\n/usr\nb\n", stderr: "" });
  const silent = await container.exec(["sh", "-c", "seq 100000; exit 4"]);
  expect(await silent.exit()).toBe(4); // nobody reads what it writes

  const seen = { stdout: "", stderr: "" };
  for await (const { stream, bytes } of container.logs({ follow: true })) {
    seen[stream] += text(bytes);
    if (seen.stdout !== "" && seen.stderr !== "") break;
  }
  expect(seen).toEqual({ stdout: "out\n", stderr: "err\n" });
  const waited = container.wait();
  await orlop.container("life").stop(30);
  expect(await waited).toBe(9);
  const last: string[] = [];
  for await (const { bytes } of container.logs({ tail: 1, timestamps: true })) last.push(text(bytes));
  expect(last.join("")).toMatch(/^\d{4}-\d\d-\d\dT[^ ]+Z (out|err)\n$/);
  await container.remove();
  const gone = await rejection(container.start());
  expect([gone instanceof EngineError, (gone as EngineError).status]).toEqual([true, 404]);
});

libraryTest("an attached terminal is one stream, and has a size", async (orlop) => {
  const container = await orlop.create({
    image: "host",
    command: ["sh", "-c", "read line; stty size; echo $line >&2"],
    stdin: true,
    terminal: true,
    autoRemove: true,
    network: "none",
  });
  const attached = await container.attach();
  await container.start();
  await attached.resize(33, 77);
  await attached.write("typed\n");
  let shown = "";
  for await (const { stream, bytes } of attached.output()) {
    expect(stream).toBe("stdout");
    shown += text(bytes);
  }
  expect(shown.replaceAll("\r", "")).toBe("typed\n33 77\ntyped\n");
  expect(await attached.exit()).toBe(0);
});

libraryTest("the exit of an attached container is known over an engine's death", async (orlop, product) => {
  const container = await orlop.create({
    image: "host",
    command: ["sh", "-c", "while ! [ -e /end ]; do sleep 0.1; done; exit 8"],
    network: "none",
  });
  const attached = await container.attach();
  await container.start();
  const exit = attached.exit();
  product.killEngine();
  await orlop.version(); // the next engine is there: what only reads is asked of it by itself
  const touched = await container.exec(["touch", "/end"]);
  expect(await touched.exit()).toBe(0);
  expect(await exit).toBe(8);
});

libraryTest("an engine that was stopped is started again by the next request", async (orlop, product) => {
  await product.ok("system", "stop");
  expect((await orlop.version()).Version).not.toBe("");
  const plan = await orlop.explain({ image: "host", command: ["true"] });
  expect(plan.steps.map(({ op }) => op)).toContain("pivot");
});

kernelTest("where no engine can be started, the error says why", ["root"], async ({ directory }) => {
  const folders = { runDir: join(directory, "run"), stateDir: join(directory, "state") };
  const absent = await rejection(openOrlop({ ...folders, program: "/no/such/orlop" }));
  expect(absent).toMatchObject({ name: "OrlopError", code: "engine_unreachable" });
  expect((absent as OrlopError).message).toContain("/no/such/orlop");
  const nobody = await rejection(openOrlop({ host: `unix://${directory}/orlop.sock` }));
  expect(nobody).toMatchObject({ code: "engine_unreachable" });
  expect(await rejection(openOrlop({ host: "nonsense" }))).toMatchObject({ code: "bad_value" });
});
