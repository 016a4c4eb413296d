/** How a user who is not root reaches an engine: only root can start one. */
import { OrlopError } from "../base/errors.ts";
import { formatAddress } from "../client/address.ts";
import type { Address, ByteStream } from "../client/byte-stream.ts";
import { connectFailure, nobodyListens } from "../client/system-error.ts";

/**
 * @param rootsEngine  asked where nobody listens at the user's own address: who is in its socket's group may use it
 * @throws {OrlopError} not_root: there is no engine; engine_unreachable: there is root's, and this user may not use it
 */
export function connectAsUser(
  connect: (address: Address) => Promise<ByteStream>,
  rootsEngine: Address | undefined,
): (address: Address) => Promise<ByteStream> {
  return async (address) => {
    try {
      return await connect(address);
    } catch (error) {
      if (!nobodyListens(error)) throw error;
      if (rootsEngine === undefined) throw OrlopError.of("not_root", { doing: "starting an engine" }, error);
    }
    try {
      return await connect(rootsEngine);
    } catch (error) {
      if (nobodyListens(error)) throw OrlopError.of("not_root", { doing: "starting an engine" }, error);
      const host = formatAddress(rootsEngine);
      throw OrlopError.of("engine_unreachable", { host, reason: connectFailure(error) }, error);
    }
  };
}
