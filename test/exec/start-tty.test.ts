/** An exec's start says, in Docker's API, whether its client wants frames; its create, whether there is a terminal. */

import { afterAll, beforeAll, expect } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AttachedContainer } from "../../src/client/attach.ts";
import { encodeAttachFrame } from "../../src/spec/attach-frame.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];

const directory = mkdtempSync(join(tmpdir(), "orlop-start-tty-"));
const rootfs = existsSync("/proc/self") ? makeBusyboxRoot(directory) : "";
const product = new Product(directory, { env: nothingReady });

beforeAll(() => product.ok("run", "-d", "--name", "box", "--rootfs", rootfs, "/bin/sleep", "1000"));

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Said {
  readonly type: string | undefined;
  readonly bytes: Uint8Array;
}

/** Everything that comes over the connection, as it is. */
async function start(Tty: boolean, body: object, Cmd: readonly string[]): Promise<Said> {
  const { engine } = product;
  const streams = { AttachStdin: false, AttachStdout: true, AttachStderr: true };
  const { Id } = await engine.execs.create("box", { ...streams, Tty, Cmd });
  const headers = { Connection: "Upgrade", Upgrade: "tcp" };
  const response = await engine.call({ method: "POST", path: `/exec/${Id}/start`, json: body, headers });
  const type = response.headers.get("content-type");
  const attached = new AttachedContainer(response);
  const pieces: Uint8Array[] = [];
  for await (const { bytes } of attached.output(true)) pieces.push(bytes);
  attached.close();
  return { type, bytes: new Uint8Array(Buffer.concat(pieces)) };
}

const framed = "application/vnd.docker.multiplexed-stream";
const raw = "application/vnd.docker.raw-stream";
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

for (const [Tty, body, type, bytes] of [
  [false, {}, framed, encodeAttachFrame(1, text("out\n"))],
  [false, { Tty: true }, raw, text("out\n")],
  [true, { Tty: true }, raw, text("out\r\n")],
  [true, {}, framed, encodeAttachFrame(1, text("out\r\n"))],
] as const)
  kernelTest(`a terminal: ${Tty}; asked for at the start: ${JSON.stringify(body)}`, needs, async () => {
    expect(await start(Tty, body, ["echo", "out"])).toEqual({ type, bytes: new Uint8Array(bytes) });
    const failed = Buffer.from((await start(Tty, body, ["no-such-program"])).bytes);
    expect(failed[0] === 1).toBe(type === framed);
    expect(failed.toString()).toContain("executable file not found in $PATH");
  });
