/** The real docker command line, talking to Orlop. */

import { existsSync } from "node:fs";
import { type Outcome, type Product, type RunOptions, runProgram } from "../product.ts";

/** Debian's, which is the version that is promised; else whatever is there. */
export const dockerPath = existsSync("/usr/bin/docker") ? "/usr/bin/docker" : Bun.which("docker");

export class Docker {
  readonly #product: Product;

  constructor(product: Product) {
    this.#product = product;
  }

  get env(): Record<string, string> {
    // A configuration of this machine's user could name plug-ins, proxies or another engine.
    return { DOCKER_HOST: this.#product.dockerHost, DOCKER_CONFIG: this.#product.runDir };
  }

  command(...words: string[]): string[] {
    return [dockerPath ?? "docker", ...words];
  }

  run(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return runProgram(this.command(...words), { ...options, env: { ...this.env, ...options.env } });
  }

  /** Throws when it fails. Its standard output. */
  async ok(...words: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(words);
    if (exitCode !== 0) throw new Error(`docker ${words.join(" ")}: exit code ${exitCode}: ${stderr}`);
    return stdout.trimEnd();
  }
}
