/** What every command of `orlop` gets, and the maker of its commands. */
import type { Places } from "../client/address.ts";
import type { EngineClient } from "../client/engine-client.ts";
import type { Launch } from "../client/launch.ts";
import { commandsWith } from "../command/command.ts";
import type { Caller } from "./caller.ts";

export interface CliContext extends Caller {
  /** Connects when it is first asked something. */
  readonly engine: EngineClient;
  readonly places: Places;
  readonly version: string;
  /** The executor's file. */
  readonly executor: string;
  /** How a supervisor is started; not in the engine itself, which has one. */
  readonly launch?: Launch;
  /** A line on standard output, without what a terminal would obey. */
  readonly print: (line: string) => Promise<void>;
  /** The same on standard error. */
  readonly warn: (line: string) => Promise<void>;
}

/** Makes one of `orlop`'s commands. */
export const command = commandsWith<CliContext>();
