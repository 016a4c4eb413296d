/** `orlop run` against an engine that does what the test says. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { orlop, outcomeOf, startOrlop } from "./command-line.ts";
import { FakeEngine } from "./fake-engine.ts";

test("it attaches and waits before it starts, and passes output and exit code on", async () => {
  await using engine = await new FakeEngine({
    onStart: (self) => {
      self.attached[0]?.stdout("out\n");
      self.attached[0]?.stderr("err\n");
      self.exit(7);
      return undefined;
    },
  }).listen();
  expect(await orlop(engine.socketPath, ["run", "--rm", "host", "x"])).toEqual({
    code: 7,
    stdout: "out\n",
    stderr: "err\n",
  });
  expect(engine.requests[0]).toBe("POST /containers/create");
  expect(engine.requests.slice(1, 3).sort()).toEqual([
    "POST /containers/c0ffee/attach?stream=1&stdout=1&stderr=1",
    "POST /containers/c0ffee/wait?condition=removed",
  ]);
  expect(engine.requests.slice(3)).toEqual(["POST /containers/c0ffee/start"]);
});

test("standard input is passed on to its end, which is a half-close: output still comes", async () => {
  await using engine = await new FakeEngine({
    onInput: (attached, self) => {
      if (!attached.input.ended) return;
      attached.stdout(attached.input.text.toUpperCase());
      self.exit(0);
    },
  }).listen();
  const text = "line\n".repeat(100_000);
  const outcome = await orlop(engine.socketPath, ["run", "-i", "host", "cat"], text);
  expect(outcome).toEqual({ code: 0, stdout: text.toUpperCase(), stderr: "" });
});

test("without -i standard input is left alone", async () => {
  await using engine = await new FakeEngine({
    onStart: (self) => {
      self.exit(0);
      return undefined;
    },
  }).listen();
  await orlop(engine.socketPath, ["run", "host", "true"], "not for the container");
  expect(engine.attached[0]?.query.get("stdin")).toBeNull();
  expect(engine.attached[0]?.input.text).toBe("");
});

test.each([
  [400, 'exec: "nothere": executable file not found in $PATH', 127],
  [400, 'exec: "/etc": is a directory', 126],
  [500, "mount: EPERM", 125],
])("a start that is refused with %d %j exits with its code, in one line", async (status, message, code) => {
  await using engine = await new FakeEngine({ onStart: () => ({ status, message }) }).listen();
  const outcome = await orlop(engine.socketPath, ["run", "host", "x"]);
  expect(outcome).toEqual({ code, stdout: "", stderr: `orlop: ${message}\n` });
});

test("a lost engine is found again: no byte of output is missing, none comes twice, the exit code is there", async () => {
  const written: string[] = [];
  const write = (text: string, self: FakeEngine) => {
    written.push(text);
    self.attached[0]?.stdout(text);
  };
  await using engine = await new FakeEngine({
    onStart: (self) => {
      write("before the first loss\n", self);
      // Its answer goes out first, as the container was started when the engine died.
      setImmediate(() => self.die());
      return undefined;
    },
    onAttach: (attached, self) => {
      if (!attached.query.has("logs")) return;
      written.push(`while engine ${self.requests.length} was away\n`);
      attached.stdout(written.join(""));
      if (written.length < 4) setImmediate(() => self.die());
    },
    onWait: (self) => {
      if (written.length >= 4) setImmediate(() => self.exit(9));
      return undefined;
    },
  }).listen();
  const outcome = await orlop(engine.socketPath, ["run", "host", "x"]);
  expect(outcome).toEqual({ code: 9, stdout: written.join(""), stderr: "" });
  expect(engine.requests.filter((request) => request.includes("/start"))).toHaveLength(1);
});

test("a container that exited while the engine was away: the rest of its output comes from its log", async () => {
  let died = false;
  await using engine = await new FakeEngine({
    onStart: (self) => {
      self.attached[0]?.stdout("seen\n");
      setImmediate(() => {
        self.die();
        died = true;
      });
      return undefined;
    },
    // As engines do: this connection would wait for the container's next start.
    onAttach: () => undefined,
    onWait: (self) => {
      if (died) setImmediate(() => self.exit(3));
      return undefined;
    },
    status: () => (died ? "exited" : "running"),
    log: () => "seen\nunseen\n",
  }).listen();
  expect(await orlop(engine.socketPath, ["run", "host", "x"])).toEqual({
    code: 3,
    stdout: "seen\nunseen\n",
    stderr: "",
  });
});

test.each([
  ["had not", "created", 2],
  ["had", "running", 1],
] as const)(
  "an engine that dies over the start and %s started it: it is started once",
  async (_name, status, starts) => {
    let asked = 0;
    await using engine = await new FakeEngine({
      onStart: (self) => {
        asked++;
        if (asked === 1) self.die();
        return undefined;
      },
      status: (self) => {
        // The last look of all, when everything is in place again.
        if (asked === starts && self.attached.length > 0) setImmediate(() => self.exit(5));
        return asked === 1 ? status : "running";
      },
    }).listen();
    expect(await orlop(engine.socketPath, ["run", "host", "x"])).toEqual({ code: 5, stdout: "", stderr: "" });
    expect(asked).toBe(starts);
  },
);

test("a container that is gone when the engine comes back is said to be, with 125", async () => {
  await using engine = await new FakeEngine({
    onStart: (self) => {
      setImmediate(() => self.die());
      return undefined;
    },
    onWait: (self) =>
      self.requests.some((request) => request.includes("/start"))
        ? { status: 404, message: "No such container: c0ffee" }
        : undefined,
  }).listen();
  const outcome = await orlop(engine.socketPath, ["run", "--rm", "host", "x"]);
  expect(outcome.code).toBe(125);
  expect(outcome.stderr).toBe(
    "orlop: the engine was restarted, and container c0ffee is gone: its exit code is not known\n",
  );
});

test("signals are passed on once the container runs", async () => {
  const started = Promise.withResolvers<void>();
  await using engine = await new FakeEngine({
    onStart: (self) => {
      self.attached[0]?.stdout("ready\n");
      started.resolve();
      return undefined;
    },
    onKill: (signal, self) => {
      self.attached[0]?.stdout(`${signal}\n`);
      if (signal === "SIGTERM") self.exit(143);
    },
  }).listen();
  const child = startOrlop(engine.socketPath, ["run", "host", "x"]);
  await started.promise;
  child.kill("SIGUSR1");
  await until(() => engine.requests.some((request) => request.includes("SIGUSR1")));
  child.kill("SIGTERM");
  expect(await outcomeOf(child)).toEqual({ code: 143, stdout: "ready\nSIGUSR1\nSIGTERM\n", stderr: "" });
});

test("-d starts it, prints its ID, and attaches to nothing", async () => {
  await using engine = await new FakeEngine().listen();
  expect(await orlop(engine.socketPath, ["run", "-d", "--name", "web", "host", "x"])).toEqual({
    code: 0,
    stdout: "c0ffee\n",
    stderr: "",
  });
  expect(engine.requests).toEqual(["POST /containers/create?name=web", "POST /containers/c0ffee/start"]);
});

test("a reader that goes away ends the command as SIGPIPE would", async () => {
  await using engine = await new FakeEngine({
    onStart: (self) => {
      for (let i = 0; i < 1000; i++) self.attached[0]?.stdout("x".repeat(1000));
      return undefined;
    },
  }).listen();
  const child = startOrlop(engine.socketPath, ["run", "host", "x"]);
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  expect(await child.exited).toBe(141);
});

test("warnings are lines on standard error; --cidfile has the ID, and is never written over", async () => {
  await using engine = await new FakeEngine({ warnings: ["no swap limit"] }).listen();
  const idFile = join(engine.directory, "id");
  expect(await orlop(engine.socketPath, ["run", "-d", "--cidfile", idFile, "host", "x"])).toEqual({
    code: 0,
    stdout: "c0ffee\n",
    stderr: "orlop: warning: no swap limit\n",
  });
  expect(readFileSync(idFile, "utf8")).toBe("c0ffee");
  writeFileSync(idFile, "older");
  const again = await orlop(engine.socketPath, ["run", "-d", "--cidfile", idFile, "host", "x"]);
  expect(again.code).toBe(125);
  expect(again.stderr).toBe(`orlop: --cidfile: cannot make ${JSON.stringify(idFile)}: it exists already\n`);
  expect(readFileSync(idFile, "utf8")).toBe("older");
  expect(engine.created).toHaveLength(1);
});

test("what is wrong on the command line is said before anything is asked", async () => {
  await using engine = await new FakeEngine().listen();
  const wrong = [
    ["run", "--memory", "much", "host"],
    ["run"],
    ["run", "--publish", "80:80:80:80", "host"],
    ["run", "-it", "host"],
    ["run", "--detach-keys", "no", "host"],
  ];
  for (const words of wrong) {
    const { code, stdout, stderr } = await orlop(engine.socketPath, words);
    expect({ words, code, stdout }).toEqual({ words, code: 125, stdout: "" });
    expect(stderr).toMatch(/^orlop: .+\n$/);
  }
  expect(engine.requests).toEqual([]);
});

test("a failed create leaves no --cidfile", async () => {
  await using engine = await new FakeEngine().listen();
  const idFile = join(engine.directory, "id");
  const child = await orlop(`${engine.socketPath}.nobody`, ["run", "--cidfile", idFile, "host", "x"]);
  expect(child).toEqual({
    code: 125,
    stdout: "",
    stderr: `orlop: cannot connect to the engine at unix://${engine.socketPath}.nobody: nobody listens there (no such socket): see: orlop doctor\n`,
  });
  expect(existsSync(idFile)).toBe(false);
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
