/**
 * The thread that writes the durable store. Changes that arrive while one commit waits for the disk share the next one
 * (group commit): a hundred creates at once cost a few syncs, not a hundred.
 */

import { openDatabase } from "../platform/sqlite.ts";
import { type Change, ContainerRows } from "./container-rows.ts";

export type Order = { readonly open: string } | { readonly sequence: number; readonly change: Change };

/** These orders are on the disk; or, with an error, are not. */
export interface Acknowledgement {
  readonly sequences: readonly number[];
  readonly error?: string;
}

declare const self: Worker;

let rows: ContainerRows | undefined;
let queue: { readonly sequence: number; readonly change: Change }[] = [];

self.onmessage = ({ data }: MessageEvent<Order>) => {
  if ("open" in data) {
    rows = new ContainerRows(openDatabase(data.open, "full"));
    return;
  }
  queue.push(data);
  // Whatever has arrived by the end of this round of the event loop goes together.
  if (queue.length === 1) setImmediate(commit);
};

function commit(): void {
  const batch = queue;
  queue = [];
  const sequences = batch.map((order) => order.sequence);
  try {
    if (rows === undefined) throw new Error("the database is not open");
    rows.applyAll(batch.map((order) => order.change));
    self.postMessage({ sequences } satisfies Acknowledgement);
  } catch (error) {
    self.postMessage({ sequences, error: (error as Error).message } satisfies Acknowledgement);
  }
}
