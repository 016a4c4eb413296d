/** docs/tour.md, typed as it is printed, each command's output compared with what the document shows. */

import { expect } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelTest } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { matches, parseConsole } from "./console.ts";

const tour = parseConsole(readFileSync(join(import.meta.dir, "../../docs/tour.md"), "utf8"));
const commandMs = 60_000;

kernelTest(
  "every command of docs/tour.md prints what the tour shows",
  ["root", "product", "busybox", "overlay", "docker", "servers"],
  async ({ directory, defer }) => {
    const product = new Product(directory);
    defer(() => product.stop());
    const bin = join(directory, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "orlop"), `#!/bin/sh\nexec ${product.command().join(" ")} "$@"\n`);
    chmodSync(join(bin, "orlop"), 0o755);
    const home = join(directory, "home");
    mkdirSync(home);
    const shell = new Shell(home, {
      PATH: `${bin}:${process.env["PATH"]}`,
      HOME: home,
      DOCKER_HOST: product.dockerHost,
    });
    defer(() => shell.end());
    for (const { command, output, line } of tour) {
      const printed = await shell.type(command, commandMs);
      if (!matches(output, printed))
        expect.unreachable(
          `docs/tour.md:${line}: $ ${command}\nprinted:\n${printed}\nthe tour shows:\n${output.join("\n")}`,
        );
    }
  },
  600_000,
);

/** One bash for the whole tour, so that variables and jobs live on. */
class Shell {
  readonly #child;
  readonly #reader;
  #text = "";
  #typed = 0;

  constructor(directory: string, env: Readonly<Record<string, string>>) {
    this.#child = Bun.spawn(["bash"], {
      cwd: directory,
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      env: { ...process.env, ...env },
    });
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#child.stdin.write("exec 2>&1\n");
  }

  /** Types a command, and waits until it has ended. What it printed, on both outputs. */
  async type(command: string, timeoutMs: number): Promise<string> {
    const mark = `--- typed ${++this.#typed} ---`;
    // The mark stands on a line of its own behind what has no newline at its end.
    // Its standard input is not the shell's, which has the next commands in it.
    this.#child.stdin.write(`{ ${command}\n} </dev/null\nprintf '\\n%s\\n' '${mark}'\n`);
    await this.#child.stdin.flush();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`no end in ${timeoutMs / 1000} s: ${command}: ${this.#text}`)),
      timeoutMs,
    );
    for (;;) {
      const end = this.#text.indexOf(`\n${mark}\n`);
      if (end >= 0) {
        const printed = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + mark.length + 2);
        clearTimeout(timer);
        return printed;
      }
      const { value, done } = await Promise.race([this.#reader.read(), late.promise]);
      if (done) throw new Error(`the shell ended at ${command}: ${this.#text}`);
      this.#text += value;
    }
  }

  async end(): Promise<void> {
    await this.#child.stdin.end();
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}
