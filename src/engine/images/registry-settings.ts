/** The registries as the machine's administrator has them: docs/registries.md. */

import { readFile } from "node:fs/promises";
import { OrlopError } from "../../base/errors.ts";
import { version } from "../../base/version.ts";
import { Registries } from "../../images/registries.ts";
import { parseToml } from "../../platform/toml.ts";
import { parseRegistryConfig } from "../../spec/registry-config.ts";

const defaultPath = "/etc/orlop/registries.toml";

export class RegistrySettings {
  readonly path: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  #read: { readonly text: string; readonly registries: Registries } | undefined;

  /** @param environment the engine's: ORLOP_REGISTRIES names another file; the proxy variables count */
  constructor(environment: Readonly<Record<string, string | undefined>>) {
    this.environment = environment;
    this.path = environment["ORLOP_REGISTRIES"] || defaultPath;
  }

  /** As the file says now: it is read before each use, so that a change needs no restart. @throws {OrlopError} bad_configuration */
  async registries(): Promise<Registries> {
    const text = await this.#text();
    if (this.#read?.text !== text) {
      const config = parseRegistryConfig(this.#parse(text), this.path);
      const registries = new Registries({ config, proxies: this.environment, userAgent: `orlop/${version}` });
      this.#read = { text, registries };
    }
    return this.#read.registries;
  }

  async #text(): Promise<string> {
    try {
      return await readFile(this.path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
      throw OrlopError.of("bad_configuration", { path: this.path, reason: (error as Error).message }, error);
    }
  }

  #parse(text: string): unknown {
    try {
      return parseToml(text);
    } catch (error) {
      throw OrlopError.of("bad_configuration", { path: this.path, reason: (error as Error).message }, error);
    }
  }
}
