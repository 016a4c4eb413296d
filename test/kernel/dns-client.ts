/**
 * Asks a DNS server, and says what came back, as JSON on standard output: bun dns-client.ts HOST PORT tcp|udp [NAME TYPE]…
 * What it exports a program uses that netd-resolvers.test.ts has in a text.
 */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";

const types = { A: 1, PTR: 12, MX: 15, AAAA: 28, SRV: 33 } as const;

export interface DnsReply {
  /** RCODE. */
  readonly code: number;
  readonly isTruncated: boolean;
  readonly hasEdns: boolean;
  /** Answers as text, e.g. "10.0.0.1", "0 0 80 web"; additional ones behind "+". */
  readonly answers: readonly string[];
  readonly bytes: number;
}

/** A question with an id; edns: what the client takes in one datagram. */
export function encodeQuery(id: number, name: string, type: keyof typeof types, edns = 0): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label, "latin1")]);
  const head = [id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns > 0 ? 1 : 0];
  const option = edns > 0 ? [0, 0, 41, edns >> 8, edns & 255, 0, 0, 0, 0, 0, 0] : [];
  return Uint8Array.from([...head, ...labels, 0, 0, types[type], 0, 1, ...option]);
}

/** Throws where a message is not well formed. */
export function decodeReply(message: Uint8Array): DnsReply {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const counts = [4, 6, 8, 10].map((at) => view.getUint16(at));
  let at = 12;
  const name = (): string => {
    const labels: string[] = [];
    let here = at;
    let end = 0;
    for (let jumps = 0; jumps < 20; ) {
      const size = view.getUint8(here++);
      if (size === 0) break;
      if (size >= 0xc0) {
        end ||= here + 1;
        here = ((size & 0x3f) << 8) | view.getUint8(here);
        jumps++;
        continue;
      }
      labels.push(Buffer.from(message.subarray(here, here + size)).toString("latin1"));
      here += size;
    }
    at = end || here;
    return labels.join(".");
  };
  for (let i = 0; i < (counts[0] ?? 0); i++) {
    name();
    at += 4;
  }
  const answers: string[] = [];
  let hasEdns = false;
  const total = (counts[1] ?? 0) + (counts[2] ?? 0) + (counts[3] ?? 0);
  for (let i = 0; i < total; i++) {
    const owner = name();
    const type = view.getUint16(at);
    const size = view.getUint16(at + 8);
    at += 10;
    const end = at + size;
    const prefix = i < (counts[1] ?? 0) ? "" : `+${owner} `;
    if (type === 41) hasEdns = true;
    else if (type === types.A) answers.push(prefix + message.subarray(at, end).join("."));
    else if (type === types.AAAA) answers.push(prefix + groups(view, at).join(":"));
    else if (type === types.PTR) answers.push(prefix + name());
    else if (type === types.SRV) {
      const numbers = [0, 2, 4].map((offset) => view.getUint16(at + offset));
      at += 6;
      answers.push(`${prefix}${numbers.join(" ")} ${name()}`);
    } else answers.push(`${prefix}type ${type}`);
    at = end;
  }
  if (at !== message.length) throw new Error(`${message.length - at} bytes too many`);
  const [high = 0, low = 0] = message.subarray(2, 4);
  return { code: low & 15, isTruncated: (high & 2) !== 0, hasEdns, answers, bytes: message.length };
}

function groups(view: DataView, at: number): string[] {
  return [0, 2, 4, 6, 8, 10, 12, 14].map((offset) => view.getUint16(at + offset).toString(16));
}

async function askUdp(host: string, port: number, query: Uint8Array): Promise<Uint8Array> {
  const socket = createSocket("udp4");
  try {
    socket.send(query, port, host);
    const [message] = (await Promise.race([
      once(socket, "message"),
      Bun.sleep(10_000).then(() => {
        throw new Error("no answer");
      }),
    ])) as [Buffer];
    return message;
  } finally {
    socket.close();
  }
}

async function askTcp(host: string, port: number, query: Uint8Array): Promise<Uint8Array> {
  const socket = connect(port, host);
  socket.write(Uint8Array.of(query.length >> 8, query.length & 255, ...query));
  let got = Buffer.alloc(0);
  for await (const chunk of socket) {
    got = Buffer.concat([got, chunk as Buffer]);
    if (got.length >= 2 && got.length >= 2 + got.readUInt16BE()) break;
  }
  return got.subarray(2);
}

if (import.meta.main) {
  const [host = "", port = "", protocol = "", ...asked] = process.argv.slice(2);
  const replies: DnsReply[] = [];
  for (let i = 0; i < asked.length; i += 2) {
    const [type = "A", edns] = (asked[i + 1] ?? "").split("/");
    const id = 1000 + i;
    const query = encodeQuery(id, asked[i] ?? "", type as keyof typeof types, Number(edns ?? 0));
    const ask = protocol === "tcp" ? askTcp : askUdp;
    const reply = await ask(host, Number(port), query);
    if ((reply[0] ?? 0) * 256 + (reply[1] ?? 0) !== id) throw new Error("an answer to something else");
    replies.push(decodeReply(reply));
  }
  console.log(JSON.stringify(replies));
  process.exit(); // a timer would hold it
}
