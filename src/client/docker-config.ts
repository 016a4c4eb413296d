/**
 * The user's `~/.docker/config.json`, which Docker's command line writes too: credentials for registries, or the names of the
 * helpers that keep them. Read and run by the user's client; the engine never sees the file.
 */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { OrlopError } from "../base/errors.ts";
import { asObject, asText, optional, parseJsonObject, ShapeFault } from "../spec/json-shape.ts";
import { runCredentialHelper } from "./credential-helper.ts";

/** What a login is, as `X-Registry-Auth` has it. */
export interface Login {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly serveraddress: string;
}

/** How the file names docker.io. */
const dockerAddress = "https://index.docker.io/v1/";

type Json = Record<string, unknown>;

export class DockerConfig {
  readonly path: string;

  constructor(environment: Readonly<Record<string, string | undefined>>) {
    this.path = join(environment["DOCKER_CONFIG"] || join(homedir(), ".docker"), "config.json");
  }

  /** The login for a registry host, as references write it. @throws {OrlopError} bad_configuration, helper_failed */
  async loginFor(host: string): Promise<Login | undefined> {
    const document = await this.#read();
    const address = addressOf(host);
    const helper = helperFor(document, address);
    if (helper !== undefined) return fromHelper(helper, address);
    const key = Object.keys(tableOf(document, "auths")).find((name) => name === address || hostOf(name) === host);
    return key === undefined ? undefined : this.#fromTable(tableOf(document, "auths")[key], address);
  }

  /** Keeps a login: with the helper, if one is configured, else in the file. @returns where it is now */
  async save(host: string, login: Login): Promise<string> {
    const document = await this.#read();
    const address = addressOf(host);
    const helper = helperFor(document, address);
    if (helper !== undefined) {
      const [Username, Secret] = login.identitytoken
        ? ["<token>", login.identitytoken]
        : [login.username ?? "", login.password ?? ""];
      await runCredentialHelper(helper, "store", JSON.stringify({ ServerURL: address, Username, Secret }));
      await this.#write({ ...document, auths: { ...tableOf(document, "auths"), [address]: {} } });
      return helper;
    }
    const auth = Buffer.from(`${login.username ?? ""}:${login.password ?? ""}`).toString("base64");
    const entry = login.identitytoken ? { auth, identitytoken: login.identitytoken } : { auth };
    await this.#write({ ...document, auths: { ...tableOf(document, "auths"), [address]: entry } });
    return this.path;
  }

  /** @returns false when there was none */
  async remove(host: string): Promise<boolean> {
    const document = await this.#read();
    const address = addressOf(host);
    const auths = tableOf(document, "auths");
    const keys = Object.keys(auths).filter((name) => name === address || hostOf(name) === host);
    const helper = helperFor(document, address);
    if (helper !== undefined) await runCredentialHelper(helper, "erase", address);
    if (keys.length === 0) return helper !== undefined;
    await this.#write({
      ...document,
      auths: Object.fromEntries(Object.entries(auths).filter(([name]) => !keys.includes(name))),
    });
    return true;
  }

  async #read(): Promise<Json> {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
      throw OrlopError.of("bad_configuration", { path: this.path, reason: (error as Error).message }, error);
    }
    return this.#shaped(() => ({ ...parseJsonObject(bytes) }));
  }

  #fromTable(entry: unknown, serveraddress: string): Login | undefined {
    return this.#shaped(() => {
      const object = asObject(entry, "auths");
      const { auth, identitytoken } = {
        ...optional(object, "auth", "auth", asText),
        ...optional(object, "identitytoken", "identitytoken", asText),
      };
      if (identitytoken) return { identitytoken, serveraddress };
      if (!auth) return undefined;
      const text = Buffer.from(auth, "base64").toString();
      const colon = text.indexOf(":");
      if (colon < 0) throw new ShapeFault("a login is not base64 of NAME:PASSWORD");
      return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, ""), serveraddress };
    });
  }

  #shaped<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ShapeFault)) throw error;
      throw OrlopError.of("bad_configuration", { path: this.path, reason: error.message }, error);
    }
  }

  /** Whole or not at all, for the user alone; a link stays one. */
  async #write(document: Json): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const place = await realpath(this.path).catch(() => this.path);
    const temporary = `${place}.${randomUUID()}`;
    try {
      await writeFile(temporary, `${JSON.stringify(document, undefined, "\t")}\n`, { mode: 0o600, flush: true });
      await rename(temporary, place);
    } catch (error) {
      await rm(temporary, { force: true });
      throw OrlopError.of(
        "file_unwritable",
        { what: "the login", path: place, reason: (error as Error).message },
        error,
      );
    }
  }
}

/** A login as a header: base64url of JSON. */
export function encodeLogin(login: Login): string {
  return Buffer.from(JSON.stringify(login)).toString("base64url");
}

function addressOf(host: string): string {
  return host === "docker.io" ? dockerAddress : host;
}

/** "https://registry.example.com/v2/" is registry.example.com's. */
function hostOf(name: string): string {
  const host = name.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
  return host === "index.docker.io" ? "docker.io" : host;
}

function tableOf(document: Json, name: string): Json {
  const table = document[name];
  return typeof table === "object" && table !== null ? (table as Json) : {};
}

function helperFor(document: Json, address: string): string | undefined {
  const own = tableOf(document, "credHelpers")[address];
  const helper = own ?? document["credsStore"];
  return typeof helper === "string" && helper !== "" ? helper : undefined;
}

async function fromHelper(helper: string, serveraddress: string): Promise<Login | undefined> {
  const answer = await runCredentialHelper(helper, "get", serveraddress);
  if (answer === undefined) return undefined;
  try {
    const document = parseJsonObject(Buffer.from(answer));
    const username = asText(document["Username"], "Username");
    const secret = asText(document["Secret"], "Secret");
    if (username === "<token>") return { identitytoken: secret, serveraddress };
    return { username, password: secret, serveraddress };
  } catch (error) {
    if (!(error instanceof ShapeFault)) throw error;
    throw OrlopError.of("helper_failed", { helper, reason: error.message });
  }
}
