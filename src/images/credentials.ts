/** Who asks: comes with each request from the client; the engine keeps none (posture rule 8). */

export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, as `docker login` stores it. */
  | { readonly kind: "identity"; readonly token: string }
  /** A bearer token that is used as it is. */
  | { readonly kind: "registry"; readonly token: string };

/** The Authorization header of a name and a password (RFC 7617). */
export function basicAuthorization({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}
