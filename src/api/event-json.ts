/** Events in the Engine API's spelling, and the three formats of their stream. */

import { attributesOf, type EngineEvent } from "../engine/events/events.ts";

/** By content type: the text before and after each event's JSON (RFC 7464 for json-seq). */
const formats = {
  "application/json": ["", "\n"],
  "application/x-ndjson": ["", "\n"],
  "application/jsonl": ["", "\n"],
  "application/json-seq": ["\x1e", "\n"],
} as const;

export type EventFormat = keyof typeof formats;

/** The first supported type of the client's Accept header; application/json by default. */
export function chooseEventFormat(accept: string): EventFormat {
  const wanted = accept.split(",").map((part) => (part.split(";")[0] ?? "").trim().toLowerCase());
  return (wanted.find((type) => Object.hasOwn(formats, type)) as EventFormat | undefined) ?? "application/json";
}

const encoder = new TextEncoder();

export function encodeEvent(event: EngineEvent, format: EventFormat): Uint8Array {
  const [before, behind] = formats[format];
  return encoder.encode(`${before}${eventJson(event)}${behind}`);
}

function eventJson(event: EngineEvent): string {
  const { type, action, id, timeNs } = event;
  const attributes = attributesOf(event);
  // For clients before API 1.22; Docker still sends these fields too.
  const old =
    type === "container" || type === "image"
      ? { status: action, id, ...(attributes["image"] === undefined ? {} : { from: attributes["image"] }) }
      : {};
  const text = JSON.stringify({
    ...old,
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: "local",
    time: Number(timeNs / 1_000_000_000n),
  });
  // Written as text, because a JavaScript number cannot hold it exactly.
  return `${text.slice(0, -1)},"timeNano":${timeNs}}`;
}
