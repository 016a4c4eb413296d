/** The route of events. */

import { OrlopError } from "../base/errors.ts";
import { eventFilterKeys, matchEvent } from "../engine/events/event-filter.ts";
import type { EngineEvent } from "../engine/events/events.ts";
import { chooseEventFormat, type EventFormat, encodeEvent } from "./event-json.ts";
import { filters, unixTime } from "./query.ts";
import { route } from "./route.ts";

export const eventRoutes = [
  route({
    method: "GET",
    path: "/events",
    operation: "SystemEvents",
    query: { since: unixTime, until: unixTime, filters: filters(...eventFilterKeys) },
    handle({ query, engine, signal, accept }) {
      const { since, until, filters: wanted } = query;
      if (since !== undefined && until !== undefined && until < since)
        throw OrlopError.of("bad_value", {
          what: "parameter until",
          value: String(until / 1_000_000_000n),
          expected: `a time that is not before since (${since / 1_000_000_000n})`,
        });
      const format = chooseEventFormat(accept);
      const events = engine.events.read(
        {
          ...(since === undefined ? {} : { sinceNs: since }),
          ...(until === undefined ? {} : { untilNs: until }),
          matches: (event) => matchEvent(wanted, event),
        },
        signal,
      );
      return { kind: "stream", contentType: format, chunks: encoded(events, format) };
    },
  }),
];

async function* encoded(events: AsyncIterable<EngineEvent>, format: EventFormat): AsyncGenerator<Uint8Array, void> {
  for await (const event of events) yield encodeEvent(event, format);
}
