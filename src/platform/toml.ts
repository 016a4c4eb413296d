/** TOML, by Bun's parser. Elsewhere: any TOML 1.0 parser. */

/** The document as plain values. @throws {Error} what is wrong, and where */
export function parseToml(text: string): unknown {
  return Bun.TOML.parse(text);
}
