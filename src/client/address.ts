/** Where the engine is: `unix:///run/orlop/orlop.sock`, `tcp://127.0.0.1:2375`, and the folders of root and of a user. */
import { join } from "node:path";
import { OrlopError } from "../base/errors.ts";
import type { Address } from "./byte-stream.ts";

/** The engine's two folders. */
export interface Places {
  /** Sockets and what a reboot may lose. */
  readonly runDir: string;
  /** What must last. */
  readonly stateDir: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The folders of this user: root has the system's, everybody else their own (XDG base directory specification 0.8). */
export function defaultPlaces(env: Environment, uid: number): Places {
  if (uid === 0) return { runDir: "/run/orlop", stateDir: "/var/lib/orlop" };
  const data = absolute(env["XDG_DATA_HOME"]) ?? join(env["HOME"] ?? "/", ".local/share");
  return {
    runDir: join(absolute(env["XDG_RUNTIME_DIR"]) ?? `/run/user/${uid}`, "orlop"),
    stateDir: join(data, "orlop"),
  };
}

/** The XDG specification: "If an implementation encounters a relative path … ignore it". */
function absolute(path: string | undefined): string | undefined {
  return path?.startsWith("/") ? path : undefined;
}

/** The socket that the supervisor of this run directory owns. */
export function socketOf(runDir: string): Address {
  return { kind: "unix", path: join(runDir, "orlop.sock") };
}

/**
 * The engine to talk to: `--host`, else `ORLOP_HOST`, else `DOCKER_HOST` where it names an Orlop socket (a path ending in
 * `orlop.sock`). Any other DOCKER_HOST belongs to another engine, whose containers `orlop rm` must not touch unasked.
 * undefined: the engine of the run directory.
 *
 * @throws {OrlopError} bad_value
 */
export function chosenAddress(host: string | undefined, env: Environment): Address | undefined {
  if (host !== undefined) return parseAddress(host, "--host");
  const ours = env["ORLOP_HOST"];
  if (ours !== undefined && ours !== "") return parseAddress(ours, "ORLOP_HOST");
  const docker = env["DOCKER_HOST"] ?? "";
  return /^unix:\/\/\/(.*\/)?orlop\.sock$/.test(docker) ? parseAddress(docker, "DOCKER_HOST") : undefined;
}

/** @throws {OrlopError} bad_value */
export function parseAddress(text: string, what: string): Address {
  const unix = /^unix:\/\/(\/.+)$/.exec(text) ?? /^(\/.+)$/.exec(text);
  if (unix !== null) return { kind: "unix", path: unix[1] as string };
  const tcp = /^(?:tcp|http):\/\/(\[[0-9a-fA-F:.]+\]|[^:/@?#]+):(\d{1,5})\/?$/.exec(text);
  const port = Number(tcp?.[2]);
  if (tcp !== null && port > 0 && port < 65536)
    return { kind: "tcp", host: (tcp[1] as string).replace(/^\[|\]$/g, ""), port };
  throw OrlopError.of("bad_value", { what, value: text, expected: "unix:///PATH or tcp://HOST:PORT" });
}

export function formatAddress(address: Address): string {
  if (address.kind === "unix") return `unix://${address.path}`;
  return `tcp://${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
}
