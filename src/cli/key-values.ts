/** `KEY=VALUE` flags and files of them: environment, labels, options. */
import { readFileSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";
import { reasonOf } from "./file-failure.ts";

/** Reads a file that a flag names. */
export type ReadFile = (path: string, flag: string) => string;

/** @throws {OrlopError} file_unreadable */
export const readFlagFile: ReadFile = (path, flag) => {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw OrlopError.of("file_unreadable", { what: flag, path, reason: reasonOf(error) }, error);
  }
};

/** Labels and the like: a key without `=` has an empty value. The last of equal keys wins. */
export function parseKeyValues(texts: readonly string[], flag: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const text of texts) {
    const [key, value] = split(text);
    if (key === "") throw OrlopError.of("bad_value", { what: flag, value: text, expected: "KEY=VALUE" });
    pairs[key] = value ?? "";
  }
  return pairs;
}

/** Options that mean nothing without a value. */
export function parseOptions(texts: readonly string[], flag: string): Record<string, string> {
  for (const text of texts)
    if (!/^[^=]+=/.test(text)) throw OrlopError.of("bad_value", { what: flag, value: text, expected: "KEY=VALUE" });
  return parseKeyValues(texts, flag);
}

/** The container's environment: files first, then flags, as Docker has it. `KEY` alone takes our value, if we have one. */
export function environmentOf(
  flags: { readonly env: readonly string[]; readonly envFile: readonly string[] },
  ours: Readonly<Record<string, string | undefined>>,
  readFile: ReadFile,
): string[] {
  const texts = [...flags.envFile.flatMap((path) => linesOf(readFile(path, "--env-file"))), ...flags.env];
  return texts.flatMap((text) => {
    const [key, value] = split(text);
    if (key === "" || /\s/.test(key))
      throw OrlopError.of("bad_value", { what: "--env", value: text, expected: "KEY=VALUE, with no spaces in KEY" });
    if (value !== undefined) return [text];
    const inherited = ours[key];
    return inherited === undefined ? [] : [`${key}=${inherited}`];
  });
}

/** A file's lines without comments and empty lines. */
export function linesOf(text: string): string[] {
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trimStart());
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

function split(text: string): [key: string, value: string | undefined] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}
