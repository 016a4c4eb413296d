/** Whether credentials are right: `GET /v2/` with them, as every client of a registry begins. */
import type { RegistrySession } from "./registry-session.ts";

/** @throws {OrlopError} registry_unauthorized, registry_denied, registry_unreachable … */
export async function checkIsLoggedIn(session: RegistrySession, signal?: AbortSignal): Promise<void> {
  const { response } = await session.send({
    method: "GET",
    path: "/v2/",
    actions: "none",
    expect: [200],
    ...(signal === undefined ? {} : { signal }),
  });
  await response.body?.cancel();
}
