/**
 * The thread that writes the durable store. Changes that arrive while one commit waits for the disk share the next one
 * (group commit): a hundred creates at once cost a few syncs, not a hundred.
 */

import { type ErrorCode, OrlopError } from "../base/errors.ts";
import { type Database, fullDisk, isFull, openDatabase } from "../platform/sqlite.ts";
import { type Change, Rows } from "./rows.ts";
import { SpareRoom } from "./spare-room.ts";

export interface ChangeOrder {
  readonly sequence: number;
  /** All of them or none. */
  readonly changes: readonly Change[];
}

/** The last message. */
interface CloseOrder {
  readonly sequence: number;
  readonly close: true;
}

export type Order = { readonly open: string } | { readonly changes: readonly ChangeOrder[] } | CloseOrder;

/** These changes are on the disk or, with an error, are not made. */
export interface Acknowledgement {
  readonly sequences: readonly number[];
  readonly error?: Failure;
}

export interface Failure {
  /** The code of an error that a user can do something about. */
  readonly code?: ErrorCode;
  readonly message: string;
}

declare const self: Worker;

let path = "";
/** Opened by the first change; if that fails, by the next one, because a full disk may have room again. */
let database: Database | undefined;
let rows: Rows | undefined;
let spare: SpareRoom | undefined;

self.onmessage = ({ data }: MessageEvent<Order>) => {
  if ("open" in data) {
    path = data.open;
    spare = new SpareRoom(`${path}-spare`);
    return;
  }
  if ("close" in data) {
    database?.close();
    acknowledge([data]);
    return;
  }
  commit(data.changes);
};

function commit(batch: readonly ChangeOrder[]): void {
  if (apply(batch) === undefined) acknowledge(batch);
  // A change that cannot be made rolls all of them back: then each is tried by itself, so that only that one fails.
  else for (const order of batch) acknowledge([order], applyAlone(order));
  spare?.takeSoon();
}

/** Removals may use the spare room. */
function applyAlone(order: ChangeOrder): Error | undefined {
  const error = apply([order]);
  if (error === undefined || !isFull(error) || !order.changes.some((change) => "remove" in change)) return error;
  return spare?.give() ? apply([order]) : error;
}

/** Makes changes in one transaction. Returns the reason when it failed and nothing was done. */
function apply(batch: readonly ChangeOrder[]): Error | undefined {
  try {
    database ??= openDatabase(path, "full");
    rows ??= new Rows(database);
    rows.applyAll(batch.flatMap((order) => order.changes));
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

function acknowledge(batch: readonly { readonly sequence: number }[], error?: Error): void {
  const sequences = batch.map((order) => order.sequence);
  self.postMessage({
    sequences,
    ...(error === undefined ? {} : { error: failureOf(error) }),
  } satisfies Acknowledgement);
}

function failureOf(error: Error): Failure {
  const known = isFull(error) ? fullDisk(path, error) : error;
  return known instanceof OrlopError ? { code: known.code, message: known.message } : { message: known.message };
}
