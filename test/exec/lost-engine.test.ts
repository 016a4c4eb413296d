/** The engine is killed while somebody takes part in an exec: no byte is lost or comes twice, either way, and the exit code comes.
 *  ORLOP_EXEC_MIB is the dose. */

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { Docker } from "../docker-cli/docker.ts";
import { openTerminal } from "../docker-cli/terminal.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { lineBytes, NumberedLines, printingScript } from "../stream/numbered-lines.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay", "docker"];
const mib = Number(process.env["ORLOP_EXEC_MIB"] ?? 4);
const bytes = mib * 2 ** 20;
const timeoutMs = 60_000 + mib * 2000;
const waitMs = 20_000;
const size = { rows: 24, columns: 80 };

const directory = mkdtempSync(join(tmpdir(), "orlop-exec-lost-"));
const rootfs = existsSync("/proc/self") ? makeBusyboxRoot(directory) : "";
const product = new Product(directory, { env: nothingReady });
const docker = new Docker(product);

interface Way {
  readonly command: (...words: string[]) => string[];
  readonly env: Readonly<Record<string, string>>;
}

const ways: Readonly<Record<string, Way>> = {
  "orlop, in the engine": { command: (...words) => product.command(...words), env: {} },
  "orlop, in a process of its own": {
    command: (...words) => product.command(...words),
    env: { ORLOP_OWN_PROCESS: "1" },
  },
  docker: { command: (...words) => docker.command(...words), env: docker.env as Record<string, string> },
};

beforeAll(async () => {
  await product.ok("run", "-d", "--name", "box", "--network", "none", "--rootfs", rootfs, "sleep", "100000");
});

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
});

function killEngine(): void {
  const pid = product.enginePid();
  if (pid === undefined) throw new Error("no engine runs");
  process.kill(pid, "SIGKILL");
}

interface Session {
  readonly way: Way;
  readonly words: readonly string[];
  readonly input?: AsyncIterable<Uint8Array>;
  /** Called after each piece of standard output. */
  readonly after: (lines: NumberedLines) => Promise<void>;
}

/** Runs `exec` to its end, and checks its output as it comes. */
async function runExec({ way, words, input, after }: Session) {
  const child = Bun.spawn(way.command("exec", ...words), {
    stdin: input === undefined ? "ignore" : new Response(input as unknown as ReadableStream),
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...way.env },
  });
  const lines = new NumberedLines();
  for await (const piece of child.stdout) {
    lines.take(piece);
    await after(lines);
  }
  const stderr = await new Response(child.stderr).text();
  return { exitCode: await child.exited, bytes: lines.bytes, stderr };
}

/** Kills the engine each time a further part of the output has come, and has the next one come. */
function killing(times: number): { readonly after: Session["after"]; readonly killed: () => number } {
  let killed = 0;
  const after = async (lines: NumberedLines): Promise<void> => {
    if (killed === times || lines.bytes < ((killed + 1) * bytes) / (times + 1)) return;
    killed++;
    killEngine();
    await product.ok("ps");
  };
  return { after, killed: () => killed };
}

async function* numberedInput(): AsyncGenerator<Uint8Array, void> {
  const count = bytes / lineBytes;
  for (let at = 0; at < count; at += 512) {
    const lines = Array.from({ length: Math.min(512, count - at) }, (_, i) =>
      String(at + i).padStart(lineBytes - 1, "0"),
    );
    yield new TextEncoder().encode(`${lines.join("\n")}\n`);
  }
}

for (const [name, way] of Object.entries(ways)) {
  describe(`${name}:`, () => {
    kernelTest(
      "what a command writes is whole, and its exit code is there",
      needs,
      async () => {
        const words = ["box", "sh", "-c", `${printingScript(bytes / lineBytes)}; echo said >&2; exit 7`];
        const { after, killed } = killing(1);
        expect(await runExec({ way, words, after })).toEqual({ exitCode: 7, bytes, stderr: "said\n" });
        expect(killed()).toBe(1);
      },
      timeoutMs,
    );

    kernelTest(
      "what it reads is whole, too, and ends",
      needs,
      async () => {
        const { after, killed } = killing(1);
        const session = { way, words: ["-i", "box", "cat"], input: numberedInput(), after };
        expect(await runExec(session)).toEqual({ exitCode: 0, bytes, stderr: "" });
        expect(killed()).toBe(1);
      },
      timeoutMs,
    );

    kernelTest(
      "its end is known where no engine was there to see it",
      needs,
      async () => {
        const { Pid } = (await product.engine.containers.inspect("box")).State;
        const script = "echo up; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo over; exit 5";
        const child = Bun.spawn(way.command("exec", "box", "sh", "-c", script), {
          stdout: "pipe",
          stderr: "pipe",
          env: { ...process.env, ...way.env },
        });
        const output = child.stdout.getReader();
        expect(Buffer.from((await output.read()).value ?? []).toString()).toBe("up\n");
        killEngine(); // whoever asks for its exit code has the next one started
        await Bun.write(`/proc/${Pid}/root/tmp/go`, "");
        expect(Buffer.from((await output.read()).value ?? []).toString()).toBe("over\n");
        expect([await child.exited, await new Response(child.stderr).text()]).toEqual([5, ""]);
        rmSync(`/proc/${Pid}/root/tmp/go`);
      },
      timeoutMs,
    );

    kernelTest("a shell at a terminal goes on; its detach keys leave it running", needs, async () => {
      const command = way.command("exec", "-it", "box", "sh").join(" ");
      await using session = openTerminal(["sh", "-c", `${command}; echo code $?; stty`], { ...way.env }, size);
      await session.says(/# /);
      session.type("echo first$((1+1))\r");
      await session.says(/first2/);
      killEngine();
      session.type("echo again$((2+2)); echo $$ >/tmp/shell\r"); // to nobody but the shell
      await session.says(/again4/);
      await product.ok("ps");
      session.type("echo third$((3+3))\r");
      await session.says(/third6/);
      session.type("\x10");
      session.type("\x11");
      await session.says(/code [01]\b/); // docker's says "read escape sequence", and 1
      await session.exited;
      expect(session.text.match(/first2|again4|third6/g)).toEqual(["first2", "again4", "third6"]);
      expect(session.text.slice(session.text.lastIndexOf("code "))).not.toMatch(/-icanon|-echo\b|-opost/);
      expect(await product.ok("exec", "box", "sh", "-c", "kill -9 $(cat /tmp/shell) && echo was there")).toBe(
        "was there",
      );
    });
  });
}

kernelTest(
  "a reader that stops stops the command, and nothing is lost when the engine goes then",
  needs,
  async () => {
    const unread = Math.max(bytes, 8 * 2 ** 20); // far over what pipes and sockets hold
    const { Pid } = (await product.engine.containers.inspect("box")).State;
    const go = join(directory, "go");
    const written = `/proc/${Pid}/root/tmp/written`;
    await Bun.write(
      `/proc/${Pid}/root/tmp/print`,
      `awk 'BEGIN { for (i = 0; i < ${unread / lineBytes}; i++) {
        printf "%0${lineBytes - 1}d\\n", i
        if (i % 512 == 511) { fflush(); print i + 1 >"/tmp/written"; close("/tmp/written") }
      } }'; exit 3`,
    );
    const exec = product.command("exec", "box", "sh", "/tmp/print").join(" ");
    const reader = `while [ ! -e ${go} ]; do sleep 0.05; done; cat`;
    const child = Bun.spawn(["bash", "-c", `set -o pipefail; ${exec} | { ${reader}; }`], {
      stdout: "pipe",
      stderr: "inherit",
    });
    let before = "";
    let isSame = 0;
    await waitUntil(
      () => {
        const now = existsSync(written) ? readFileSync(written, "utf8") : "";
        isSame = now !== "" && now === before ? isSame + 1 : 0;
        before = now;
        return isSame === 20; // times in a row: it writes no more
      },
      waitMs,
      "the command is stopped",
    );
    expect(Number(before) * lineBytes).toBeLessThan(unread / 2);
    killEngine();
    await Bun.write(go, "");
    const lines = new NumberedLines();
    for await (const piece of child.stdout) lines.take(piece);
    expect([await child.exited, lines.bytes]).toEqual([3, unread]);
  },
  timeoutMs,
);

kernelTest("the keys are found however they come, and what only begins like them goes on", needs, async () => {
  const { execs } = product.engine;
  const { Id } = await execs.create("box", {
    Cmd: ["sh", "-c", "stty raw -echo; echo ready; exec cat -v"],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: true,
    DetachKeys: "ctrl-p,ctrl-p,q",
  });
  const attached = await execs.attach(Id, true);
  let text = "";
  const reading = (async () => {
    for await (const { bytes: piece } of attached.output(true)) text += Buffer.from(piece).toString();
  })();
  await waitUntil(() => text.includes("ready"), waitMs, "it reads");
  const type = (keys: string) => attached.write(Buffer.from(keys));
  const shows = (end: string) => waitUntil(() => text.endsWith(end), waitMs, `${JSON.stringify(end)} is shown`);
  await type("a\x10b\n");
  await shows("ready\na^Pb\n");
  await type("\x10\x10");
  await type("\x10c\n");
  await shows("b\n^P^P^Pc\n");
  await type("d\x10\x10");
  await type("\x10");
  await type("\n");
  await shows("c\nd^P^P^P\n");
  await type("e\n\x10\x10\x10"); // the first of them is none of the keys, the others are their beginning
  await shows("e\n");
  await type("qnot any more\n");
  await reading;
  expect(text).toBe("ready\na^Pb\n^P^P^Pc\nd^P^P^P\ne\n");
  expect(await execs.inspect(Id)).toMatchObject({ Running: true, ExitCode: null });
  await product.ok("exec", "box", "killall", "cat");
});
