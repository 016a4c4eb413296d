/**
 * The body of `POST /containers/create` (ContainerConfig of the Engine API) as values: every field is carried out or refused
 * by name. Spelling as in Docker's API; absent fields have the values that mean "nothing was asked for".
 */

import { OrlopError } from "../base/errors.ts";
import { healthcheck } from "./engine-api-health.ts";
import { hostConfig, hostConfigDefaults } from "./engine-api-host-config.ts";
import { endpointSettings, exposedPorts } from "./engine-api-network.ts";
import { field, list, type Read, shape, table, text, texts, truth, whole, words, wrong } from "./engine-api-read.ts";
import type { Healthcheck } from "./oci-image.ts";

/** NAME=VALUE; a name alone removes the image's variable (and never reads the host's). */
export const variable: Read<string> = (value, path) => {
  const entry = text(value, path);
  if (entry === "" || entry.startsWith("=")) throw wrong(path, entry, "NAME=VALUE");
  return entry;
};

/** RFC 1123's letters in each label, and what Docker lets through: nothing that could begin a line or field in /etc/hosts. */
const hostName: Read<string> = (value, path) => {
  const name = text(value, path);
  if (name !== "" && !/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,62}[a-zA-Z0-9_.])?$/.test(name))
    throw wrong(path, name, "letters, digits, - and . (at most 64 characters)");
  return name;
};

export const absolutePath: Read<string> = (value, path) => {
  const directory = text(value, path);
  if (directory !== "" && !directory.startsWith("/")) throw OrlopError.of("bad_working_directory", { path: directory });
  return directory;
};

const networking = shape({ EndpointsConfig: field(table(endpointSettings), {}) });

const body = shape({
  Hostname: field(hostName, ""),
  Domainname: field(hostName, ""),
  User: field(text, ""),
  AttachStdin: field(truth, false),
  AttachStdout: field(truth, false),
  AttachStderr: field(truth, false),
  ExposedPorts: field(exposedPorts, {}),
  Tty: field(truth, false),
  OpenStdin: field(truth, false),
  StdinOnce: field(truth, false),
  Env: field(list(variable), []),
  Cmd: field(words, null as readonly string[] | null),
  Healthcheck: field(healthcheck, undefined as Required<Healthcheck> | undefined),
  /** Of Windows: kept, since containers are made anew from what inspect told of others. */
  ArgsEscaped: field(truth, false),
  Image: field(text, ""),
  /** Destinations of anonymous volumes. */
  Volumes: field(table(shape({})), {}),
  WorkingDir: field(absolutePath, ""),
  Entrypoint: field(words, null as readonly string[] | null),
  /** As NetworkMode none, whatever that says. */
  NetworkDisabled: field(truth, false),
  /** Of the network of NetworkMode: clients before API 1.44 write it here. */
  MacAddress: field(text, ""),
  /** For images that a commit makes of the container. */
  OnBuild: field(texts, null as readonly string[] | null),
  Labels: field(table(text), {}),
  StopSignal: field(text, ""),
  StopTimeout: field(whole(-1), undefined as number | undefined),
  Shell: field(texts, undefined as readonly string[] | undefined),
  HostConfig: field(hostConfig, hostConfigDefaults),
  NetworkingConfig: field(networking, { EndpointsConfig: {} }),
});

export type ContainerCreateBody = ReturnType<typeof body>;

/** @throws {OrlopError} unknown_field, bad_value: both name the field, e.g. "HostConfig.Memory" */
export function parseContainerCreate(value: unknown): ContainerCreateBody {
  const parsed = body(value, "");
  const { AutoRemove, RestartPolicy } = parsed.HostConfig;
  if (AutoRemove && RestartPolicy.Name !== "" && RestartPolicy.Name !== "no")
    throw OrlopError.of("restart_and_remove", {});
  return parsed;
}
