/** The body's Healthcheck: how a container's health is found out. */

import { field, type Read, shape, texts, whole, wrong } from "./engine-api-read.ts";
import type { Healthcheck } from "./oci-image.ts";

const NS_PER_MS = 1_000_000;

/** Nanoseconds; 0: the image's, or the default. */
const duration: Read<number> = (value, path) => {
  const ns = whole(0)(value, path);
  if (ns > 0 && ns < NS_PER_MS) throw wrong(path, ns, "0, or at least 1000000 (nanoseconds: one millisecond)");
  return ns;
};

const test: Read<readonly string[]> = (value, path) => {
  const words = texts(value, path);
  const [kind, ...rest] = words;
  const isFit = kind === undefined || (kind === "NONE" && rest.length === 0);
  if (!isFit && !((kind === "CMD" && rest.length > 0) || (kind === "CMD-SHELL" && rest.length === 1)))
    throw wrong(path, words, '[], ["NONE"], ["CMD", program, argument …] or ["CMD-SHELL", command]');
  return words;
};

const fields = shape({
  Test: field(test, [] as readonly string[]),
  Interval: field(duration, 0),
  Timeout: field(duration, 0),
  StartPeriod: field(duration, 0),
  StartInterval: field(duration, 0),
  Retries: field(whole(0), 0),
});

export const healthcheck: Read<Required<Healthcheck>> = fields;
