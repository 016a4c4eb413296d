/** The engine goes in the middle of a command that it runs, or somebody tells it nonsense. */

import { afterAll, beforeAll, expect } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";
import { openTerminal, type TerminalSession } from "../docker-cli/terminal.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { NumberedLines, printingScript } from "../stream/numbered-lines.ts";
import { waitUntil } from "../wait-until.ts";
import { openStage, type Stage } from "./fixture.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];
const patienceMs = 20_000;
const size = { rows: 24, columns: 80 };

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

function killEngine(): void {
  const pid = stage.product.enginePid();
  if (pid === undefined) throw new Error("no engine runs");
  process.kill(pid, "SIGKILL");
}

kernelTest(
  "run goes on with the next engine: no byte is missing, none comes twice, the exit code is there",
  needs,
  async () => {
    const { product, rootfs } = stage;
    const count = 40_000;
    const words = ["run", "--network", "none", "--log-opt", "max-size=-1", "--rootfs", rootfs, "sh", "-c"];
    const child = Bun.spawn(product.command(...words, `${printingScript(count)}; exit 6`), { stderr: "pipe" });
    const lines = new NumberedLines();
    let killed = 0;
    for await (const piece of child.stdout) {
      lines.take(piece);
      if (killed > 0 || lines.bytes < 100_000) continue;
      killed++;
      killEngine();
    }
    expect({ killed, bytes: lines.bytes }).toEqual({ killed: 1, bytes: count * 64 });
    expect(await child.exited).toBe(6);
    expect(await new Response(child.stderr).text()).toBe("");
    expect(stage.needed()).toBe(1);
  },
);

kernelTest("logs say that the engine broke off, and fail", needs, async () => {
  const { product, rootfs } = stage;
  await product.ok(
    "run",
    "-d",
    "--name",
    "box",
    "--network",
    "none",
    "--rootfs",
    rootfs,
    "sh",
    "-c",
    "echo up; sleep 1000",
  );
  const lost = [["logs", "-f", "box"]];
  for (const words of lost) {
    const child = Bun.spawn(product.command(...words), { stderr: "pipe" });
    await child.stdout.getReader().read();
    killEngine();
    expect(await child.exited).toBe(1);
    expect(await new Response(child.stderr).text()).toStartWith("orlop: the engine broke off: ");
    await product.ok("ps");
  }
  await product.ok("rm", "-f", "box");
});

kernelTest("a terminal follows its window, has its keys, and is as it was afterwards", needs, async () => {
  const { product, rootfs } = stage;
  stage.needed();
  const inner = product.command("run", "--rm", "-it", "--network", "none", "--rootfs", rootfs, "sh").join(" ");
  await using session = openTerminal(["sh", "-c", `stty -a >/dev/null; ${inner}; echo code $?; stty`], {}, size);
  await session.says(/# /);
  session.type("stty size\r");
  await session.says(/24 80/);
  session.resize({ rows: 33, columns: 99 });
  session.type("stty size\r");
  await waitUntil(
    () => {
      if (/33 99/.test(session.text)) return true;
      session.type("stty size\r");
      return false;
    },
    patienceMs,
    "the new size",
  );
  session.type("echo go$((1+1)); sleep 1000\r"); // while it is typed the shell has the terminal raw itself
  await session.says(/go2/);
  session.type("\x03");
  session.type("exit 4\r");
  await session.says(/code 4/);
  await session.exited;
  expect(session.text.slice(session.text.lastIndexOf("code 4"))).not.toMatch(/-icanon|-echo\b|-opost/);
  expect(stage.needed()).toBe(0);
});

kernelTest("a terminal is given back when the engine goes, and when the launcher is ended", needs, async () => {
  const { product, rootfs } = stage;
  await product.ok("run", "-d", "--name", "box", "--network", "none", "--rootfs", rootfs, "sleep", "1000");
  const inner = product.command("exec", "-it", "box", "sh", "-c", "'echo up; read line; exit 9'").join(" ");
  const endings: [(session: TerminalSession) => void, RegExp][] = [
    [
      (session) => {
        killEngine();
        session.type("\r"); // to the program itself
      },
      /code 9\b/,
    ],
    [() => Bun.spawnSync(["pkill", "-TERM", "-x", "-f", `${product.command("exec", "-it").join(" ")}.*`]), /code 143/],
  ];
  for (const [end, said] of endings) {
    await using session = openTerminal(["sh", "-c", `${inner}; echo code $?; stty`], {}, size);
    await session.says(/up/);
    end(session);
    await session.says(said);
    await session.exited;
    expect(session.text.slice(session.text.lastIndexOf("code "))).not.toMatch(/-icanon|-echo\b|-opost/);
    await product.ok("ps");
  }
  await product.ok("rm", "-f", "box");
});

kernelTest("a shell at a terminal goes on with the next engine", needs, async () => {
  const { product, rootfs } = stage;
  stage.needed();
  const inner = product
    .command("run", "-it", "--name", "shell", "--network", "none", "--rootfs", rootfs, "sh")
    .join(" ");
  await using session = openTerminal(["sh", "-c", `${inner}; echo code $?; stty`], {}, size);
  await session.says(/# /);
  session.type("echo first$((1+1))\r");
  await session.says(/first2/);
  killEngine();
  await waitUntil(() => stage.needed() === 1, patienceMs, "the full program goes on");
  await product.ok("ps"); // the next engine answers
  await waitUntil(
    () => {
      if (/again4/.test(session.text)) return true;
      session.type("echo again$((2+2))\r");
      return false;
    },
    patienceMs,
    "the shell answers again",
  );
  session.type("exit 4\r");
  await session.says(/code 4/);
  await session.exited;
  expect(session.text.match(/first2/g)?.length).toBe(1);
  expect(session.text.slice(session.text.lastIndexOf("code 4"))).not.toMatch(/-icanon|-echo\b|-opost/);
  await product.ok("rm", "shell");
});

kernelTest("detach keys leave the container running", needs, async () => {
  const { product, rootfs } = stage;
  const words = ["run", "-it", "--name", "left", "--network", "none", "--rootfs", rootfs, "sh"];
  await using session = openTerminal(product.command(...words), {}, size);
  await session.says(/# /);
  session.type("\x10\x11");
  expect(await session.exited).toBe(0);
  expect(await product.ok("ps", "--format", "json")).toContain('"Names":"left"');
  await product.ok("rm", "-f", "left");
});

const upgrade = "POST /orlop/command HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: orlop-command\r\n\r\n";

/** What the engine says to these bytes until it ends the connection; the client then leaves. */
function say(bytes: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(join(stage.product.runDir, "orlop.sock"));
    let said = "";
    socket.on("data", (piece) => {
      said += piece.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(said));
    socket.write(upgrade);
    socket.write(bytes);
  });
}

/** Past the head of HTTP, where there is one. */
function framesIn(said: string): string {
  return said.replace(/^HTTP[\s\S]*?\r\n\r\n/, "");
}

function frame(kind: number, payload: string | Uint8Array, length?: number): Uint8Array {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(5);
  head[0] = kind;
  head.writeUInt32LE(length ?? bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

kernelTest("nonsense ends the connection, and nothing else", needs, async () => {
  const engine = stage.product.enginePid();
  const texts = (...all: string[]): string => all.map((text) => `${text}\0`).join("");
  const nonsense: Uint8Array[] = [
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    frame(0, ""),
    frame(200, "x"),
    frame(1, "", 0xffffffff),
    frame(2, "", 70_000),
    frame(1, ""),
    frame(1, "no end"),
    frame(1, Uint8Array.of(0xff, 0)),
    frame(1, texts("build", "relative", "000", "0", "0", "0")),
    frame(1, texts("build", "/", "222", "0", "0", "0")),
    frame(1, texts("build", "/", "000", "0", "0", "5", "ps")),
    frame(2, "input before the beginning"),
    frame(5, "x"),
    frame(6, "x"),
  ];
  for (const bytes of nonsense) expect(framesIn(await say(bytes))).toBe("");
  // Another build is answered, and by nothing but "not here".
  const answer = await say(frame(1, texts("another build", "/", "000", "0", "0", "1", "ps")));
  expect(answer).toStartWith("HTTP/1.1 101 ");
  expect(framesIn(answer)).toBe("\x02\0\0\0\0");
  await stage.product.ok("ps");
  expect(stage.product.enginePid()).toBe(engine);
});

kernelTest("without the upgrade, or from a web page, there is no such route", needs, async () => {
  const unix = join(stage.product.runDir, "orlop.sock");
  const plain = await fetch("http://orlop/orlop/command", { unix, method: "POST" });
  expect(plain.status).toBe(404);
  const page = await fetch("http://orlop/orlop/command", { unix, method: "POST", headers: { Origin: "http://evil" } });
  expect(page.status).toBe(403);
});
