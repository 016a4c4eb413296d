/** The launcher: commands run in the engine, with streams, signals and exit codes as in a process of their own. */

import { afterAll, beforeAll, expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { waitUntil } from "../wait-until.ts";
import { openStage, type Stage } from "./fixture.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];
const mib = Number(process.env["ORLOP_STREAM_MIB"] ?? 16);
const patienceMs = 20_000;
const timeoutMs = 60_000 + mib * 2000;

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

/** So many bytes that are not twice the same in a row of 64 KiB. */
function someBytes(count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  for (let i = 0, state = 1; i < count; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

async function read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}

kernelTest("the commands that everybody uses need no process of their own", needs, async () => {
  const { product, container } = stage;
  expect(await product.run(container("sh", "-c", "echo out; echo err >&2; exit 7"))).toEqual({
    exitCode: 7,
    stdout: "out\n",
    stderr: "err\n",
  });
  await product.ok("run", "-d", "--name", "box", "--network", "none", "--rootfs", stage.rootfs, "sleep", "1000");
  expect(await product.run(["exec", "-e", "A=b", "box", "sh", "-c", "echo $A; exit 3"])).toMatchObject({
    exitCode: 3,
    stdout: "b\n",
  });
  expect(await product.ok("ps", "--format", "json")).toContain('"Names":"box"');
  expect(JSON.parse(await product.ok("inspect", "box"))[0].Name).toBe("/box");
  expect(await product.ok("rm", "-f", "box")).toBe("box");
  for (const words of [["images"], ["network", "ls"], ["volume", "ls"], ["events", "--since", "1m", "--until", "0s"]])
    await product.ok(...words);
  expect(stage.needed()).toBe(0);
});

kernelTest("the environment and the directory are the caller's, not the engine's", needs, async () => {
  const { product, container, directory } = stage;
  writeFileSync(join(directory, "here"), "mine\n");
  const child = Bun.spawn(
    product.command(...container("-e", "OURS", "-v", "./here:/here", "sh", "-c", "cat /here; echo $OURS")),
    {
      cwd: directory,
      env: { ...process.env, OURS: "yes" },
    },
  );
  expect(await new Response(child.stdout).text()).toBe("mine\nyes\n");
  expect(stage.needed()).toBe(0);
});

kernelTest("what a process of its own is for is left to one, with nothing lost of standard input", needs, async () => {
  const { product, container, directory } = stage;
  writeFileSync(join(directory, "env"), "FROM_FILE=yes\n");
  const withFile = container("-i", "--env-file", join(directory, "env"), "sh", "-c", "echo $FROM_FILE; cat");
  const cases: [string[], string | undefined][] = [
    [["version"], undefined],
    [["ps", "--help"], undefined],
    [["--version"], "orlop 0.1.0\n"],
    [withFile, "yes\nto the container"],
  ];
  for (const [words, said] of cases) {
    const outcome = await product.run(words, { stdin: "to the container" });
    expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
    if (said !== undefined) expect(outcome.stdout).toBe(said);
    expect(stage.needed()).toBe(1);
  }
  const missing = await product.run(["run", "--rm", "localhost:1/nothing-here"]);
  expect(missing.exitCode).toBe(125);
  expect(missing.stderr).toStartWith("Unable to find image 'localhost:1/nothing-here:latest' locally\n");
  expect(stage.needed()).toBe(1);
  expect(await product.ok("ps", "-aq")).toBe("");
});

kernelTest("whoever wants it has a process of their own always", needs, async () => {
  await stage.product.run(["ps"], { env: { ORLOP_OWN_PROCESS: "1" } });
  expect(stage.needed()).toBe(1);
});

kernelTest("a command line of over a megabyte, and one that is no UTF-8, arrive all the same", needs, async () => {
  const { product, container } = stage;
  const env = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`LARGE_${i}`, "x".repeat(100_000)]));
  expect(await product.run(container("echo", "large"), { env })).toMatchObject({ exitCode: 0, stdout: "large\n" });
  expect(stage.needed()).toBe(1);
  const script = `exec "$@" "$(printf '\\377')"`;
  const raw = Bun.spawn(["sh", "-c", script, "sh", ...product.command(...container("echo", "-n", "whole"))]);
  expect(await new Response(raw.stdout).text()).toStartWith("whole");
  expect(stage.needed()).toBe(1);
});

kernelTest(
  "what goes in comes out, byte for byte, and its end is a half-close",
  needs,
  async () => {
    const { product, container } = stage;
    const bytes = someBytes(mib * 2 ** 20);
    const child = Bun.spawn(product.command(...container("-i", "sh", "-c", "cat; echo end >&2")), {
      stdin: new Blob([bytes]),
      stderr: "pipe",
    });
    const came = await read(child.stdout);
    expect(Buffer.compare(came, bytes)).toBe(0);
    expect(await new Response(child.stderr).text()).toBe("end\n");
    expect(stage.needed()).toBe(0);
  },
  timeoutMs,
);

kernelTest(
  "input goes on while nobody takes the output",
  needs,
  async () => {
    const { product, container, directory } = stage;
    const script = "cat /dev/zero | head -c 9000000 & cat > /there/took; wait";
    const child = Bun.spawn(product.command(...container("-i", "-v", `${directory}:/there`, "sh", "-c", script)), {
      stdin: "pipe",
    });
    const bytes = someBytes(2 ** 20);
    child.stdin.write(bytes);
    await child.stdin.end(); // all of it is taken, though the container's own output stands still
    await waitUntil(() => Bun.file(join(directory, "took")).size === bytes.length, patienceMs, "the input arrived");
    expect((await read(child.stdout)).length).toBe(9_000_000);
  },
  timeoutMs,
);

kernelTest("a reader that goes away ends the command as SIGPIPE would", needs, async () => {
  const { product, container } = stage;
  const child = Bun.spawn(product.command(...container("sh", "-c", "while :; do echo more; sleep 0.01; done")));
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  expect(await child.exited).toBe(141);
});

kernelTest("signals are passed on; to a command that passes none on they are deadly, as to any", needs, async () => {
  const { product, container } = stage;
  const script = 'trap "echo usr1" USR1; trap "echo term; exit 5" TERM; echo ready; while :; do sleep 0.05; done';
  const child = Bun.spawn(product.command(...container("sh", "-c", script)));
  const lines: string[] = [];
  const reading = (async () => {
    for await (const piece of child.stdout) lines.push(new TextDecoder().decode(piece));
  })();
  const says = (text: string) => waitUntil(() => lines.join("").includes(text), patienceMs, text);
  await says("ready\n");
  child.kill("SIGUSR1");
  await says("usr1\n");
  child.kill("SIGTERM");
  expect(await child.exited).toBe(5);
  await reading;
  const watching = Bun.spawn(product.command("events"), { stdout: "ignore" });
  await Bun.sleep(0);
  watching.kill("SIGTERM");
  await watching.exited;
  expect(watching.signalCode).toBe("SIGTERM");
});

kernelTest(
  "fifty at once",
  needs,
  async () => {
    const { product, container } = stage;
    const runs = Array.from({ length: 50 }, async (_, i) => {
      const { stdout, exitCode } = await product.run(container("-i", "sh", "-c", `cat; exit ${i}`), {
        stdin: `of ${i}`,
      });
      return { stdout, exitCode };
    });
    expect(await Promise.all(runs)).toEqual(Array.from({ length: 50 }, (_, i) => ({ stdout: `of ${i}`, exitCode: i })));
    expect(stage.needed()).toBe(0);
  },
  timeoutMs,
);

kernelTest("a launcher that is killed takes its part in the container along, as any client", needs, async () => {
  const { product, rootfs } = stage;
  const words = [
    "run",
    "-i",
    "--name",
    "orphan",
    "--network",
    "none",
    "--rootfs",
    rootfs,
    "sh",
    "-c",
    "echo up; cat; exit 9",
  ];
  const child = Bun.spawn(product.command(...words), { stdin: "pipe" });
  await child.stdout.getReader().read();
  child.kill("SIGKILL");
  await child.exited;
  // Its standard input was attached once: it has ended, and so has the container.
  expect(await product.ok("wait", "orphan")).toBe("9");
  await product.ok("rm", "orphan");
});

kernelTest(
  "callers that go at any moment leave nothing behind, and the engine as it is",
  needs,
  async () => {
    const { product, container, rootfs } = stage;
    const engine = product.enginePid();
    await product.ok(
      "run",
      "-d",
      "--name",
      "talker",
      "--network",
      "none",
      "--rootfs",
      rootfs,
      "sh",
      "-c",
      "while :; do echo x; sleep 0.01; done",
    );
    const lines = [
      container("-i", "cat"),
      container("sh", "-c", "while :; do echo y || exit; sleep 0.01; done"),
      ["exec", "-i", "talker", "cat"],
      ["logs", "-f", "talker"],
      ["attach", "talker"],
      ["stats"],
      ["events"],
      ["wait", "talker"],
      ["ps", "-s"],
    ];
    for (let round = 0; round < 6; round++)
      await Promise.all(
        lines.map(async (words, i) => {
          const child = Bun.spawn(product.command(...words), { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
          await Bun.sleep(round * 12 + i); // wherever it is by then
          child.kill("SIGKILL");
          await child.exited;
        }),
      );
    expect(product.enginePid()).toBe(engine);
    // Starts that were under way when their caller went may come in between.
    await waitUntil(
      async () => {
        const left = (await product.ok("ps", "-aq")).split("\n").filter((id) => id !== "");
        if (left.length > 0) await product.run(["rm", "-f", ...left]);
        return left.length === 0;
      },
      patienceMs,
      "no container is left",
    );
    expect(stage.needed()).toBe(0);
    // Nobody is served any more: an engine that is asked to leave would.
    const log = readFileSync(join(product.runDir, "engine.log"), "utf8");
    expect(log.split("\n").filter((line) => line.startsWith("<3>"))).toEqual([]);
  },
  timeoutMs,
);
