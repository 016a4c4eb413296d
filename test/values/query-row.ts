/** One query parameter of an operation: valid values, each seen to act, and bad ones, each refused by the parameter's name. */

import { open, request } from "../api/engine-fixture.ts";
import { waitUntil } from "../wait-until.ts";
import { acts, type Row } from "./row.ts";
import type { Fragment, Stage } from "./stage.ts";

export const waitMs = 20_000;

export interface QueryRow extends Row {
  /** Undefined: any text means something (moby's flags: all that is not "", 0, no, false or none is true). */
  readonly bad?: Bad;
}

interface Bad {
  readonly method: string;
  /** With VALUE where the value goes, percent-encoded. */
  readonly target: string;
  readonly values: readonly string[];
  /** How the message names the parameter, where Docker's message has another word for it. */
  readonly named?: string | RegExp;
  /** 501 for what is refused on purpose. */
  readonly status?: number;
}

/** Values that are no number, or more than any number that has a meaning here. */
export const noNumbers: readonly string[] = ["ten", "1.5", "0x10", " 1", "1e3", "99999999999999999999"];
export const noTimes: readonly string[] = ["yesterday", "1.5.5", "-", "1700000000,5", "99999999999999"];
/** Of the parameter filters, whatever keys it knows. */
export const noFilters: readonly string[] = ["{", "[]", "1", '"label"', '{"label":[1]}', '{"shape":["round"]}'];

/** A flag: on for some texts, off for others. */
export function flagRow(
  see: (query: string, stage: Stage) => Promise<string>,
  on: string,
  off: string,
): (name: string) => Row {
  return (name) =>
    acts(
      ["1", "yes", "0", ""],
      (value, stage) => see(`${name}=${value}`, stage),
      (value) => (["0", "false", ""].includes(value) ? off : on),
    );
}

/** What an answer's body is as JSON; of a refusal its message. */
export async function asked<T>(stage: Stage, method: string, target: string, body?: unknown): Promise<T> {
  const answer = await request(stage.product, method, target, body);
  if (answer.status >= 400) throw new Error(`${answer.status} for ${method} ${target}: ${answer.body}`);
  const text = /Transfer-Encoding: chunked/i.test(answer.headers) ? unchunked(answer.body) : answer.body;
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** The text of an answer that came in chunks. */
export function unchunked(body: string): string {
  let [text, rest] = ["", body];
  for (;;) {
    const end = rest.indexOf("\r\n");
    const size = Number.parseInt(rest.slice(0, end), 16);
    if (!(size > 0)) return text;
    text += rest.slice(end + 2, end + 2 + size);
    rest = rest.slice(end + 2 + size + 2);
  }
}

/** With containers of these bodies, in their order; nothing of them stays. */
export async function withContainers<T>(
  stage: Stage,
  bodies: Readonly<Record<string, Fragment>>,
  see: () => Promise<T>,
): Promise<T> {
  const ids: string[] = [];
  try {
    for (const [name, body] of Object.entries(bodies)) ids.push(await stage.create(body, name));
    return await see();
  } finally {
    for (const id of ids)
      await stage.product.engine.containers
        .remove(id, { force: true, volumes: true })
        .catch((error: { status?: number }) => {
          if (error.status !== 404) throw error; // it was to be removed
        });
  }
}

/** With one that runs. */
export function withRunning<T>(stage: Stage, name: string, body: Fragment, see: () => Promise<T>): Promise<T> {
  return withContainers(stage, { [name]: { Cmd: ["sleep", "1000"], ...body } }, async () => {
    await stage.product.engine.containers.start(name);
    return see();
  });
}

export async function ended(stage: Stage, name: string): Promise<void> {
  await asked(stage, "POST", `/containers/${name}/wait`);
}

export async function logged(stage: Stage, name: string, text: string): Promise<void> {
  await waitUntil(async () => (await stage.product.ok("logs", name)).includes(text), waitMs, `${name} writes ${text}`);
}

/** A connection that was taken over: what came on it, and what goes. */
export class Conversation {
  #bytes = Buffer.alloc(0);
  readonly ended: Promise<void>;
  readonly #socket: Awaited<ReturnType<typeof open>>;

  private constructor(socket: Awaited<ReturnType<typeof open>>) {
    this.#socket = socket;
    this.ended = new Promise((resolve) => socket.once("end", resolve).once("close", resolve));
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
    });
    socket.on("error", () => undefined);
  }

  /** @param headers each with its line's end */
  static async begin(stage: Stage, line: string, headers: string): Promise<Conversation> {
    const conversation = new Conversation(await open(stage.product));
    conversation.#socket.write(`${line} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
    await waitUntil(() => conversation.#bytes.includes("\r\n\r\n"), waitMs, "the answer's head");
    if (!conversation.head.startsWith("HTTP/1.1 101 ")) throw new Error(conversation.#bytes.toString("latin1"));
    return conversation;
  }

  get head(): string {
    return this.#bytes.toString("latin1").split("\r\n\r\n")[0] ?? "";
  }

  /** What came behind the head, frames and all. */
  get text(): string {
    return this.#bytes.subarray(this.#bytes.indexOf("\r\n\r\n") + 4).toString("latin1");
  }

  send(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }
}
