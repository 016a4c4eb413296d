/** What a route answers, as a value: the server alone writes to connections. */

import type { Duplex } from "node:stream";

export type Reply =
  | { readonly kind: "json"; readonly status: number; readonly value: unknown; readonly headers?: Headers }
  | { readonly kind: "text"; readonly status: number; readonly text: string; readonly headers?: Headers }
  /** The headers are sent at once: they tell the client that it is being waited. */
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
      /** What the connection becomes, as its `Upgrade` header says; "tcp" without it. Such a connection comes corked. */
      readonly protocol?: string;
      readonly take: (client: Duplex) => Promise<void>;
      /** Instead of `take`, where no connection came of it: gives up what was made ready for one. */
      readonly drop?: () => void;
      /** Over a WebSocket. framed: what `take` writes is framed by stream, which a WebSocket's client does not expect. */
      readonly webSocket?: { readonly framed: boolean };
    };

type Headers = Readonly<Record<string, string>>;

export function json(value: unknown, status = 200): Reply {
  return { kind: "json", status, value };
}

export function noContent(): Reply {
  return { kind: "text", status: 204, text: "" };
}

/** It is so already (start of a running container, stop of a stopped one). */
export function notModified(): Reply {
  return { kind: "text", status: 304, text: "" };
}
