/** Programs that keep a user's credentials: `docker-credential-NAME get|store|erase`, run as the user. */
import { spawn } from "node:child_process";
import { OrlopError } from "../base/errors.ts";

const answerMax = 1 << 20;
/** What helpers say when there is nothing. */
const nothing = /credentials not found in native keychain|credentials server URL not found|no credentials server URL/i;

/** What it says on standard output; undefined when it knows of no credentials. @throws {OrlopError} helper_failed */
export function runCredentialHelper(
  name: string,
  action: "get" | "store" | "erase",
  input: string,
): Promise<string | undefined> {
  const failed = (reason: string): OrlopError => OrlopError.of("helper_failed", { helper: name, reason });
  // a name, not a path: it comes from a file that tools write
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return Promise.reject(failed("that is no name of a helper"));
  return new Promise((resolve, reject) => {
    const child = spawn(`docker-credential-${name}`, [action], { stdio: ["pipe", "pipe", "inherit"] });
    let output = "";
    child.on("error", (error) => reject(failed(error.message)));
    child.stdin.on("error", () => undefined); // one that does not read its input has its reasons; its exit says so
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.length > answerMax) child.kill("SIGKILL");
    });
    child.on("close", (code) => {
      if (code === 0) resolve(output);
      else if (nothing.test(output)) resolve(undefined);
      else reject(failed(output.trim().slice(0, 200) || `it ended with ${code}`));
    });
    child.stdin.end(input);
  });
}
