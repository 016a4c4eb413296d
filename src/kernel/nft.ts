/** Calls `nft`, the only program that Orlop needs for networks, to install the static ruleset, in one transaction. */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { OrlopError } from "../base/errors.ts";

const places = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/usr/local/sbin/nft"];

/** Where `nft` is; undefined on a machine without it. */
export function findNft(): string | undefined {
  return places.find((path) => existsSync(path));
}

/** @throws {OrlopError} nft_missing, nft_failed */
export async function installRules(text: string): Promise<void> {
  const program = findNft();
  if (program === undefined) throw OrlopError.of("nft_missing", {});
  const child = spawn(program, ["-f", "-"], { stdio: ["pipe", "ignore", "pipe"], env: {} });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (more: string) => {
    if (said.length < 1000) said += more;
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  child.stdin.on("error", () => undefined); // it exited early: its exit code says so
  child.stdin.end(text);
  const code = await ended;
  if (code !== 0) throw OrlopError.of("nft_failed", { reason: said.split("\n")[0] || `exit code ${code}` });
}
