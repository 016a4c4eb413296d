/** Downloads from a URL that a user gave, for `import`: without credentials, and no more than its Content-Length. */
import { OrlopError } from "../base/errors.ts";
import { readPieces } from "./bounded-body.ts";
import type { Endpoint } from "./registry-endpoint.ts";
import { ConnectionFault, type RegistryTransport, shown } from "./registry-transport.ts";

/** @throws {OrlopError} bad_value: no http or https address; file_unreadable */
export async function* downloadUrl(
  transport: RegistryTransport,
  written: string,
  { stallMs, signal }: { readonly stallMs: number; readonly signal?: AbortSignal },
): AsyncGenerator<Uint8Array, void> {
  const url = parseAddress(written);
  const endpoint: Endpoint = { url: url.origin, host: { mirrors: [], realms: [] }, tryPlain: false, isMirror: false };
  try {
    const request = { method: "GET", url, headers: {}, ...(signal && { signal }) } as const;
    const { response } = await transport.send(endpoint, request);
    if (!response.ok) {
      await response.body?.cancel();
      throw unreadable(url, `the server answers ${response.status}`);
    }
    yield* readPieces(response, stallMs);
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof ConnectionFault ? unreadable(url, error.message, error) : error;
  }
}

function unreadable(url: URL, reason: string, cause?: unknown): OrlopError {
  return OrlopError.of("file_unreadable", { what: "import", path: shown(url), reason }, cause);
}

/** As in dockerd, an address without a scheme is http. */
function parseAddress(written: string): URL {
  const full = written.includes("://") ? written : `http://${written}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw OrlopError.of("bad_value", {
      what: "fromSrc",
      value: written.slice(0, 200),
      expected: '"-", or an http or https address',
    });
  return url;
}
