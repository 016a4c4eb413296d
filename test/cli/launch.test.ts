/** Starting the supervisor: when nobody listens, when somebody else is faster, when it fails. A shell script stands in for it. */

import { expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EngineClient } from "../../src/client/engine-client.ts";

/** A run directory, and a supervisor that is this script; `$2` is the run directory. */
class Place {
  readonly directory = mkdtempSync(join(tmpdir(), "orlop-launch-"));
  readonly socketPath = join(this.directory, "orlop.sock");
  readonly #executor = join(this.directory, "executor");
  #server: Server | undefined;

  constructor(script: string) {
    writeFileSync(this.#executor, `#!/bin/sh\n${script}\n`);
    chmodSync(this.#executor, 0o755);
  }

  client(): EngineClient {
    return new EngineClient({
      address: { kind: "unix", path: this.socketPath },
      launch: {
        executor: this.#executor,
        runDir: this.directory,
        stateDir: "/nonexistent",
        idleSeconds: 7,
        engine: ["/e", "arg"],
      },
    });
  }

  /** An engine that answers every ping. */
  listen(): Promise<void> {
    this.#server = createServer((socket) =>
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")),
    );
    return new Promise((resolve) => this.#server?.listen(this.socketPath, resolve));
  }

  [Symbol.dispose](): void {
    this.#server?.close();
    rmSync(this.directory, { recursive: true });
  }
}

test("an engine that listens is asked without starting anything", async () => {
  using place = new Place('echo started >"$2/mark"');
  await place.listen();
  await place.client().system.ping();
  expect(await Bun.file(join(place.directory, "mark")).exists()).toBe(false);
});

test("where nobody listens the supervisor is started, with its folders, the engine's command line, and a clean environment", async () => {
  using place = new Place('echo "$*" >"$2/words"; env >"$2/env"; mv "$2/engine.sock" "$2/orlop.sock"');
  // The engine's socket appears when the supervisor has run.
  const engine = createServer((socket) =>
    socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")),
  );
  await new Promise<void>((resolve) => engine.listen(join(place.directory, "engine.sock"), resolve));
  process.env["BUN_TEST_SECRET"] = "1";
  await place.client().system.ping();
  engine.close();
  expect(await Bun.file(join(place.directory, "words")).text()).toBe(
    `supervisor ${place.directory} /nonexistent 7 /e arg\n`,
  );
  expect(await Bun.file(join(place.directory, "env")).text()).not.toContain("BUN_");
});

test("somebody else's supervisor is waited for", async () => {
  using place = new Place("exit 3");
  const asked = place.client().system.ping();
  await place.listen();
  await asked;
});

test.each([
  ["what it says", "echo 'the state directory is read-only' >&2; exit 1", "the state directory is read-only"],
  ["how it ended", "exit 4", "the supervisor ended with 4"],
  ["its signal", "kill -9 $$", "the supervisor ended with SIGKILL"],
])("a supervisor that fails is quoted: %s", async (_name, script, reason) => {
  using place = new Place(script);
  await expect(place.client().system.ping()).rejects.toThrow(
    `cannot connect to the engine at unix://${place.socketPath}: ${reason}`,
  );
});

test("an executor that is missing is named", async () => {
  using place = new Place("");
  rmSync(join(place.directory, "executor"));
  await expect(place.client().system.ping()).rejects.toThrow("ENOENT");
});
