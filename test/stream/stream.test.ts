/**
 * Much output, equal byte for byte: through run, attach and logs, with slow readers and the engine killed in mid-stream.
 * ORLOP_STREAM_MIB is the dose: small here, 1024 once before a release.
 */

import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { lineBytes, NumberedLines, printingScript } from "./numbered-lines.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];
const mib = Number(process.env["ORLOP_STREAM_MIB"] ?? 16);
const bytes = mib * 2 ** 20;
const timeoutMs = 60_000 + mib * 2000;

const directory = mkdtempSync(join(tmpdir(), "orlop-stream-"));
const product = new Product(directory, { env: nothingReady });
const script = printingScript(bytes / lineBytes);
/** All of it is kept. */
const log = ["--log-driver", "json-file", "--log-opt", "max-size=-1"];
let rootfs = "";

beforeAll(() => {
  rootfs = makeBusyboxRoot(directory);
});

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Reading {
  readonly env?: Readonly<Record<string, string>>;
  /** Called after each piece. */
  readonly after?: (read: NumberedLines) => Promise<void>;
}

/** Runs a command and checks its output as it comes; its exit code. */
async function readNumbered(
  command: readonly string[],
  { after, env = {} }: Reading = {},
): Promise<{ exitCode: number; bytes: number }> {
  const child = Bun.spawn([...command], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
    env: { ...process.env, ...env },
  });
  const lines = new NumberedLines();
  for await (const piece of child.stdout) {
    lines.take(piece);
    await after?.(lines);
  }
  return { exitCode: await child.exited, bytes: lines.bytes };
}

/** Where the command runs: in the engine, for the launcher, or in the full program. */
const ways = { "in the engine": {}, "in a process of its own": { ORLOP_OWN_PROCESS: "1" } };

for (const [where, env] of Object.entries(ways))
  kernelTest(
    `run, ${where}: everything arrives, in order`,
    needs,
    async () => {
      const words = product.command("run", "--rm", "--rootfs", rootfs, "/bin/sh", "-c", script);
      expect(await readNumbered(words, { env })).toEqual({ exitCode: 0, bytes });
    },
    timeoutMs,
  );

kernelTest(
  "run: a slow reader, who stops now and then, loses nothing",
  needs,
  async () => {
    const pauses = 20;
    let next = 0;
    const after = async (lines: NumberedLines): Promise<void> => {
      if (lines.bytes < next) return;
      next += bytes / pauses;
      await Bun.sleep(50); // long enough for every pipe and buffer in between to fill
    };
    const read = await readNumbered(product.command("run", "--rm", "--rootfs", rootfs, "/bin/sh", "-c", script), {
      after,
    });
    expect(read).toEqual({ exitCode: 0, bytes });
  },
  timeoutMs,
);

for (const driver of ["json-file", "local"]) {
  kernelTest(
    `logs (${driver}): what was written is read back, after the exit`,
    needs,
    async () => {
      const id = await product.ok(
        "run",
        "-d",
        "--log-driver",
        driver,
        ...log.slice(2),
        "--rootfs",
        rootfs,
        "/bin/sh",
        "-c",
        script,
      );
      expect(await product.ok("wait", id)).toBe("0");
      expect(await readNumbered(product.command("logs", id))).toEqual({ exitCode: 0, bytes });
      await product.ok("rm", id);
    },
    timeoutMs,
  );
}

kernelTest(
  "logs -f: followed while it is written",
  needs,
  async () => {
    const id = await product.ok("run", "-d", ...log, "--rootfs", rootfs, "/bin/sh", "-c", script);
    expect(await readNumbered(product.command("logs", "-f", id))).toEqual({ exitCode: 0, bytes });
    await product.ok("rm", id);
  },
  timeoutMs,
);

kernelTest(
  "the engine is killed in mid-stream: the container goes on, and its log is whole",
  needs,
  async () => {
    const id = await product.ok("run", "-d", ...log, "--rootfs", rootfs, "/bin/sh", "-c", script);
    let killed = false;
    const interrupted = await readNumbered(product.command("logs", "-f", id), {
      after: async (lines) => {
        const engine = product.enginePid();
        if (killed || lines.bytes < bytes / 4 || engine === undefined) return;
        killed = true;
        process.kill(engine, "SIGKILL");
      },
    });
    expect(killed).toBe(true);
    expect(interrupted.exitCode).not.toBe(0); // it must not pass for the whole
    expect(await product.ok("wait", id)).toBe("0");
    expect(await readNumbered(product.command("logs", id))).toEqual({ exitCode: 0, bytes });
    await product.ok("rm", id);
  },
  timeoutMs,
);
