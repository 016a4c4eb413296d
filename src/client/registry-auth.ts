/** The user's login for the registry of a name, as requests carry it. */
import { parseReference } from "../spec/reference.ts";
import { DockerConfig, encodeLogin } from "./docker-config.ts";

/** Nothing when the user is not logged in there. @throws {OrlopError} bad_reference, bad_configuration, helper_failed */
export async function authFor(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ auth?: string }> {
  const login = await new DockerConfig(env).loginFor(parseReference(name).host);
  return login === undefined ? {} : { auth: encodeLogin(login) };
}
