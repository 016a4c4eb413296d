/** The user's login for the registry of a name, as requests carry it. */
import { DockerConfig, encodeLogin } from "../client/docker-config.ts";
import { parseReference } from "../spec/reference.ts";
import type { Caller } from "./caller.ts";

/** Nothing when the user is not logged in there. @throws {OrlopError} bad_reference, bad_configuration, helper_failed */
export async function authFor(name: string, env: Caller["env"]): Promise<{ auth?: string }> {
  const login = await new DockerConfig(env).loginFor(parseReference(name).host);
  return login === undefined ? {} : { auth: encodeLogin(login) };
}
