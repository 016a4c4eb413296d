/** HTTP/1.1 as servers send it: lengths, chunks, keep-alive, early ends, hijacked connections; cut at every byte. */
import { expect, test } from "bun:test";
import { type ByteStream, Inflow } from "./byte-stream.ts";
import { HttpClient } from "./http-client.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A connection whose other side is the test. */
class FakeStream implements ByteStream {
  readonly inflow = new Inflow(() => undefined);
  sent = "";
  halfClosed = false;
  closed = false;
  readonly #answer: (stream: FakeStream) => void;

  constructor(answer: (stream: FakeStream) => void) {
    this.#answer = answer;
  }

  get ended() {
    return this.inflow.ended;
  }
  read() {
    return this.inflow.read();
  }
  async write(bytes: Uint8Array) {
    this.sent += decoder.decode(bytes);
    this.#answer(this);
  }
  endWrite() {
    this.halfClosed = true;
  }
  close() {
    this.closed = true;
  }
  say(text: string) {
    this.inflow.push(encoder.encode(text));
  }
}

/** A client whose connections answer every request with these texts, then end where an answer is "END". */
function clientOf(...connections: readonly (readonly string[])[]) {
  const opened: FakeStream[] = [];
  const client = new HttpClient(async () => {
    const answers = [...(connections[opened.length] ?? [])];
    const stream = new FakeStream((self) => {
      const answer = answers.shift();
      if (answer === undefined || answer === "END") self.inflow.end();
      else self.say(answer);
      if (answers[0] === "END") self.inflow.end();
    });
    opened.push(stream);
    return stream;
  }, "orlop");
  return { client, opened };
}

const get = { method: "GET", target: "/x" } as const;
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

test("requests follow each other on one connection", async () => {
  const { client, opened } = clientOf([ok, ok]);
  expect(await (await client.send(get)).text()).toBe("ok");
  expect(await (await client.send({ method: "POST", target: "/y", body: encoder.encode("{}") })).text()).toBe("ok");
  expect(opened.length).toBe(1);
  expect(opened[0]?.sent).toBe(
    "GET /x HTTP/1.1\r\nHost: orlop\r\n\r\nPOST /y HTTP/1.1\r\nHost: orlop\r\nContent-Length: 2\r\n\r\n{}",
  );
});

test("while an answer is being read, another request opens its own connection", async () => {
  const { client, opened } = clientOf([ok], [ok]);
  const first = await client.send(get);
  expect(await (await client.send(get)).text()).toBe("ok");
  expect(await first.text()).toBe("ok");
  expect(opened.length).toBe(2);
});

test("a connection opened ahead is the one that is used", async () => {
  const { client, opened } = clientOf([ok]);
  client.openAhead();
  expect(await (await client.send(get)).text()).toBe("ok");
  expect(opened.length).toBe(1);
});

const answers: readonly (readonly [name: string, answer: string, body: string])[] = [
  ["sized", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"],
  ["empty", "HTTP/1.1 204 No Content\r\n\r\n", ""],
  [
    "chunked",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=1\r\nWiki\r\n5\r\npedia\r\n0\r\nA: b\r\n\r\n",
    "Wikipedia",
  ],
  ["after 100 Continue", `HTTP/1.1 100 Continue\r\n\r\n${ok}`, "ok"],
  ["with bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "ok"],
];

test.each(answers)("an answer that is %s is read, wherever it is cut", async (_name, answer, body) => {
  for (let cut = 0; cut <= answer.length; cut++) {
    const stream = new FakeStream((self) => {
      self.say(answer.slice(0, cut));
      queueMicrotask(() => self.say(answer.slice(cut)));
    });
    const client = new HttpClient(async () => stream, "orlop");
    expect(await (await client.send(get)).text()).toBe(body);
    expect(stream.closed).toBe(false);
  }
});

test("without a length the body ends with the connection, which is not used again", async () => {
  const { client, opened } = clientOf(["HTTP/1.1 200 OK\r\n\r\nall of it", "END"]);
  expect(await (await client.send(get)).text()).toBe("all of it");
  expect(opened[0]?.closed).toBe(true);
});

test("Connection: close is honoured", async () => {
  const { client, opened } = clientOf([ok.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")], [ok]);
  await (await client.send(get)).text();
  await (await client.send(get)).text();
  expect(opened.length).toBe(2);
});

test("a read that finds its kept connection closed is asked again on a new one", async () => {
  const { client, opened } = clientOf([ok, "END"], [ok]);
  await (await client.send(get)).text();
  expect(await (await client.send(get)).text()).toBe("ok");
  expect(opened.length).toBe(2);
});

test("a change that gets no answer is not sent twice", async () => {
  const silent = [ok, ""] as const;
  const opened: FakeStream[] = [];
  const client = new HttpClient(async () => {
    let asked = 0;
    const stream = new FakeStream((self) => {
      const answer = silent[asked++];
      if (answer) self.say(answer);
      else self.inflow.end();
    });
    opened.push(stream);
    return stream;
  }, "orlop");
  await (await client.send(get)).text();
  await expect(client.send({ method: "POST", target: "/containers/x/start?a=b" })).rejects.toThrow(
    "the engine broke off: no answer to POST /containers/x/start",
  );
  expect(opened.length).toBe(1);
});

test.each([
  ["SSH-2.0-OpenSSH_9.2\r\n", 'its answer is not HTTP: "SSH-2.0-OpenSSH_9.2"'],
  ["HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "the headers of its answer are not whole"],
  ["HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", `its answer's Content-Length is "-5"`],
  ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "2 bytes of its answer are missing"],
  ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a chunk of its answer has no size"],
  ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", "a chunk of its answer is longer than it said"],
  ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "a chunk of its answer has no size"],
  ["HTTP/1.1 200", "its answer ended in the middle of a line"],
  [`HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}`, "a line of its answer is over 65536 bytes"],
  [`HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(300)}\r\n`, "the headers of its answer are not whole"],
])("a broken answer is an error (%#)", async (answer, reason) => {
  const { client } = clientOf([answer, "END"]);
  await expect(client.send(get).then((response) => response.text())).rejects.toThrow(reason);
});

test("a hijacked connection begins right behind the head, and half-closes", async () => {
  const { client, opened } = clientOf(["HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nfirst"]);
  const stream = (await client.send({ method: "POST", target: "/attach" })).hijack();
  expect(decoder.decode(await stream.read())).toBe("first");
  opened[0]?.say("second");
  expect(decoder.decode(await stream.read())).toBe("second");
  stream.endWrite();
  expect(opened[0]?.halfClosed).toBe(true);
  expect(opened[0]?.closed).toBe(false);
  opened[0]?.inflow.end();
  expect(await stream.read()).toBeUndefined();
});

test("a reader that stops pauses the sender, and reading restarts it", async () => {
  const pauses: boolean[] = [];
  const inflow = new Inflow((paused) => pauses.push(paused));
  for (let i = 0; i < 5; i++) inflow.push(new Uint8Array(100_000));
  expect(pauses).toEqual([true]);
  for (let i = 0; i < 5; i++) await inflow.read();
  expect(pauses).toEqual([true, false]);
});
