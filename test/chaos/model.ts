/**
 * What the engine has acknowledged about one object that only one client touches. A request whose answer was lost may or may
 * not have been carried out: then both are possible, until an answer tells.
 */

import { EngineError } from "../../src/client/engine-error.ts";

export type Presence = "absent" | "present" | "either";

/** How a request ended, as far as promises go. */
export type Answered = "done" | "refused" | "lost";

/** So a create answers whose network is gone, with status 400: its 404 is the image's. */
const networkGone = /^network .* not found/;

/** What is wrong when an engine answers as it must not. */
export class Violation extends Error {}

/** So many of the last requests are told with a violation. */
const toldRequests = 12;

export class Promised {
  readonly name: string;
  presence: Presence = "absent";
  /** When each was asked and answered, what it was, how it ended. */
  readonly #past: string[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** The request makes it, or takes it away. */
  async ask(target: "present" | "absent", request: () => Promise<unknown>): Promise<Answered> {
    const answer = await this.#answered(`be ${target}`, request);
    if (answer.kind === "lost") {
      if (this.presence !== target) this.presence = "either";
      return "lost";
    }
    if (answer.kind === "refused") {
      const expected = target === "present" ? [409] : [404];
      if (this.presence === opposite(target) || !expected.includes(answer.status))
        throw new Violation(`${this.name} is ${this.presence}, and was asked to be ${target}: ${answer.message}`);
      // "It is in use" and "it is not there" tell how it is.
      this.presence = target;
      return "refused";
    }
    this.presence = target;
    return "done";
  }

  /** The request needs it to be there. @param what it asks for @param refusals what may be answered although it is. */
  async use(what: string, request: () => Promise<unknown>, refusals: readonly number[]): Promise<Answered> {
    const answer = await this.#answered(what, request);
    if (answer.kind === "lost") return "lost";
    if (answer.kind === "done") {
      if (this.presence === "absent") throw new Violation(`${this.name} was removed, and answers`);
      this.presence = "present";
      return "done";
    }
    if (answer.status === 404 || networkGone.test(answer.message)) {
      if (this.presence === "present")
        throw new Violation(`${this.name} was acknowledged, and is gone: ${answer.message}`);
      this.presence = "absent";
      return "refused";
    }
    if (!refusals.includes(answer.status))
      throw new Violation(`${this.name}: ${what}: status ${answer.status}: ${answer.message}`);
    return "refused";
  }

  async #answered(what: string, request: () => Promise<unknown>): Promise<Answer> {
    const asked = new Date().toISOString();
    const note = (how: string): void => {
      this.#past.push(`${asked} to ${new Date().toISOString()}: ${what}: ${how}`);
      if (this.#past.length > toldRequests) this.#past.shift();
    };
    try {
      const answer = await answered(request);
      note(answer.kind === "refused" ? `${answer.status} ${answer.message}` : answer.kind);
      return answer;
    } catch (error) {
      note("violated");
      throw error instanceof Violation ? new Violation(`${error.message}\n${this.#past.join("\n")}`) : error;
    }
  }
}

function opposite(presence: "present" | "absent"): Presence {
  return presence === "present" ? "absent" : "present";
}

type Answer =
  | { readonly kind: "done" }
  | { readonly kind: "lost" }
  | { readonly kind: "refused"; readonly status: number; readonly message: string };

async function answered(request: () => Promise<unknown>): Promise<Answer> {
  try {
    await request();
    return { kind: "done" };
  } catch (error) {
    if (error instanceof Violation) throw error;
    if (!(error instanceof EngineError)) return { kind: "lost" };
    // The engine's helper was killed under it: the engine says so, and whether it was carried out is open.
    if (error.status === 503) return { kind: "lost" };
    return { kind: "refused", status: error.status, message: error.message };
  }
}
