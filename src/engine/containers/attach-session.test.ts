/** Sessions of clients that read, and of one that does not. */

import { expect, test } from "bun:test";
import { Duplex, PassThrough } from "node:stream";
import { relay } from "./attach-session.ts";

const toOutput = { stdin: false, stdout: true, stderr: true, logs: false, stream: true, detachKeys: [] };

/** Takes one chunk at a time. */
function slowReader(): { readonly client: Duplex; readonly taken: string[]; take(): void } {
  const taken: string[] = [];
  let take = (): void => undefined;
  const client = new Duplex({
    writableHighWaterMark: 1,
    read: () => undefined,
    write: (chunk, _encoding, done) => {
      taken.push(String(chunk));
      take = done;
    },
  });
  return { client, taken, take: () => take() };
}

test("all is passed on when the output has ended, and the client has had it", async () => {
  const [output, client] = [new PassThrough(), new PassThrough()];
  const session = relay(output, client, toOutput);
  let text = "";
  client.on("data", (bytes) => (text += String(bytes)));
  const passed = session.allDelivered().then(() => text);
  output.write("one ");
  output.end("two");
  expect(await passed).toBe("one two");
  expect(await session.over).toBe("ended");
  await session.allDelivered();
});

test("a client that does not read is not waited for, and loses nothing", async () => {
  const output = new PassThrough();
  const reader = slowReader();
  const session = relay(output, reader.client, toOutput);
  const passed = session.allDelivered();
  output.write("one ");
  await passed;
  output.end("two");
  await session.allDelivered();
  expect(reader.taken).toEqual(["one "]);
  reader.take();
  await session.over;
  expect(reader.taken).toEqual(["one ", "two"]);
});
