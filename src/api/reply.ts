/** A route's reply, as a value: only the server writes to connections. */

import type { Duplex } from "node:stream";

export type Reply =
  | { readonly kind: "json"; readonly status: number; readonly value: unknown; readonly headers?: Headers }
  | { readonly kind: "text"; readonly status: number; readonly text: string; readonly headers?: Headers }
  /** The headers are sent at once, which tells the client that the wait has begun. */
  | { readonly kind: "later"; readonly value: Promise<unknown> }
  | {
      readonly kind: "stream";
      readonly contentType: string;
      readonly chunks: AsyncIterable<Uint8Array>;
      readonly headers?: Headers;
    }
  /** The connection becomes a byte stream of the route's own, until `take` resolves. */
  | {
      readonly kind: "hijack";
      readonly contentType: string;
      /** The protocol for the `Upgrade` header; "tcp" by default. A connection with a protocol is corked when `take` gets it. */
      readonly protocol?: string;
      readonly take: (client: Duplex) => Promise<void>;
      /** Instead of `take`, where no connection came of it: gives up what was made ready for one. */
      readonly drop?: () => void;
      /** Set for a WebSocket. framed: `take` writes attach frames, which must be unwrapped for the WebSocket's client. */
      readonly webSocket?: { readonly framed: boolean };
    };

type Headers = Readonly<Record<string, string>>;

export function json(value: unknown, status = 200): Reply {
  return { kind: "json", status, value };
}

export function noContent(): Reply {
  return { kind: "text", status: 204, text: "" };
}

/** The object is in that state already (start of a running container, stop of a stopped one). */
export function notModified(): Reply {
  return { kind: "text", status: 304, text: "" };
}
