/** Events in the Engine API's spelling, and the three formats of their stream. */

import { attributesOf, type EngineEvent } from "../engine/events/events.ts";

/** Content type → what stands before and behind each event's JSON (RFC 7464 for json-seq). */
const formats = {
  "application/json": ["", "\n"],
  "application/x-ndjson": ["", "\n"],
  "application/jsonl": ["", "\n"],
  "application/json-seq": ["\x1e", "\n"],
} as const;

export type EventFormat = keyof typeof formats;

/** The first of the types that the client accepts and we have; Docker's usual one when none is named. */
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
  // Clients of before 1.22 read these, and Docker still sends them.
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
  // As text: a JSON number of ours could not hold it exactly.
  return `${text.slice(0, -1)},"timeNano":${timeNs}}`;
}
