/** What the clients of the hour of chaos work with: one kind of object each has its file. */

import type { EngineClient } from "../../src/client/engine-client.ts";
import { EngineError } from "../../src/client/engine-error.ts";
import type { Random } from "./random.ts";

export interface World {
  readonly engine: EngineClient;
  readonly random: Random;
  readonly rootfs: string;
  /** Of a registry that is there all the time. */
  readonly image: string;
  /** Turns true when it is time to end. */
  readonly isOver: () => boolean;
  /** Told of each request and how it was answered. */
  readonly count: (what: string) => void;
  /** Nobody answers: somebody has to start the supervisor. */
  readonly revive: () => Promise<void>;
}

/** How it is made, taken away, and what else can be done with it. */
export interface Kind {
  readonly make: (world: World, name: string) => Promise<unknown>;
  readonly remove: (world: Pick<World, "engine">, name: string) => Promise<unknown>;
  /** Each with the statuses that may refuse it although the object is there. */
  readonly uses: readonly {
    readonly ask: (world: World, name: string) => Promise<unknown>;
    readonly refusals: readonly number[];
  }[];
  /** That it is as it was left, when nothing is killed any more. @throws {Violation} */
  readonly check?: (world: World, name: string) => Promise<unknown>;
  /** Names of all that are there. */
  readonly list: (engine: EngineClient) => Promise<readonly string[]>;
}

export const isChaos = (name: string): boolean => name.startsWith("chaos-");

/** Names of all containers that begin so, without that beginning. */
export async function containersNamed(engine: EngineClient, beginning: string): Promise<string[]> {
  return (await engine.containers.list({ all: true }))
    .flatMap(({ Names }) => Names)
    .filter((name) => name.startsWith(`/${beginning}`))
    .map((name) => name.slice(beginning.length + 1));
}

export function isStatus(error: unknown, ...statuses: readonly number[]): error is EngineError {
  return error instanceof EngineError && statuses.includes(error.status);
}

/** The containers that a request which was cut off has left. */
export async function removeUsers(
  engine: EngineClient,
  filters: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  for (const { Id } of await engine.containers.list({ all: true, filters }))
    await engine.containers.remove(Id, { force: true }).catch((error: unknown) => {
      if (!isStatus(error, 404, 409)) throw error;
    });
}
