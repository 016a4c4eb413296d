/** systemd, asked through its own command. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";

/** Whether systemd is this machine's first process (sd_booted(3)). */
export function isSystemd(): boolean {
  return existsSync("/run/systemd/system");
}

/** What it printed. @throws {OrlopError} systemctl_failed */
export async function systemctl(...words: readonly string[]): Promise<string> {
  const { code, output, errors } = await ask(words);
  if (code === 0) return output;
  const reason = errors.trim() || output.trim() || `it ended with ${code}`;
  throw OrlopError.of("systemctl_failed", { command: words.join(" "), reason });
}

/** "running", "stopping" …; its exit code says the same again. */
export async function systemState(): Promise<string> {
  return (await ask(["is-system-running"])).output.trim();
}

/** A unit's properties, by name. */
export async function unitProperties(
  unit: string,
  names: readonly string[],
): Promise<Readonly<Record<string, string | undefined>>> {
  const text = await systemctl("show", unit, `--property=${names.join(",")}`);
  const pairs = text.split("\n").map((line) => /^([^=]+)=(.*)$/.exec(line));
  return Object.fromEntries(pairs.flatMap((pair) => (pair === null ? [] : [[pair[1], pair[2]]])));
}

interface Answer {
  readonly code: number | string;
  readonly output: string;
  readonly errors: string;
}

function ask(words: readonly string[]): Promise<Answer> {
  const child = spawn("systemctl", ["--no-pager", "--no-ask-password", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { output: "", errors: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.errors += text;
  });
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: "error", output: "", errors: error.message }));
    child.once("close", (code, signal) => resolve({ code: code ?? signal ?? "", ...said }));
  });
}
