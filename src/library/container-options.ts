/** What a program says of a new container, and the create request that it becomes. */
import { OrlopError } from "../base/errors.ts";
import type { ContainerCreate, HostConfig, Mount } from "../client/container-types.ts";

/** A port of the container that is reached through the machine. */
export interface PublishedPort {
  /** In the container, 1 to 65535. */
  readonly port: number;
  /** On the machine; by default any free one, which `Container.publishedPort` tells. */
  readonly hostPort?: number;
  /** Address on the machine that listens; by default all of them. */
  readonly hostAddress?: string;
  /** By default "tcp". */
  readonly protocol?: "tcp" | "udp" | "sctp";
}

/** A directory or file in the container that comes from outside it. */
export interface MountOption {
  /** An absolute path on the machine, or the name of a volume, which is made if it is not there. */
  readonly source: string;
  /** Absolute path in the container. */
  readonly target: string;
  readonly readOnly?: boolean;
}

export interface ContainerOptions {
  /** Name of an image, e.g. "alpine:3.20"; "host" is this machine itself, copy-on-write. Either this or `rootfs`. */
  readonly image?: string;
  /** A directory to use as the root instead of an image. */
  readonly rootfs?: string;
  /** The program and its arguments, or arguments of the image's entrypoint; by default the image's command. No shell reads it. */
  readonly command?: readonly string[];
  /** Instead of the image's entrypoint; empty for none. */
  readonly entrypoint?: readonly string[];
  /** By default a name is made up. */
  readonly name?: string;
  /** Environment variables besides the image's. */
  readonly env?: Readonly<Record<string, string>>;
  /** "USER[:GROUP]", names or numbers. */
  readonly user?: string;
  readonly workingDirectory?: string;
  readonly hostname?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly mounts?: readonly MountOption[];
  readonly ports?: readonly PublishedPort[];
  /** A network's name, "none", "host", or "container:NAME"; by default "bridge". */
  readonly network?: string;
  /** Memory limit in bytes. */
  readonly memoryBytes?: number;
  /** CPU limit, e.g. 1.5. */
  readonly cpus?: number;
  /** How many processes and threads there may be. */
  readonly pidsLimit?: number;
  /** Nothing in the root can be written; mounts can. */
  readonly readOnlyRoot?: boolean;
  /** Its input can be written to (`attach`). By default it is empty. */
  readonly stdin?: boolean;
  /** Gives the program a terminal: then standard output and error are one stream. */
  readonly terminal?: boolean;
  /** When it is started again by itself; by default "no". */
  readonly restart?: "no" | "on-failure" | "always" | "unless-stopped";
  /** It is removed when its program has ended. */
  readonly autoRemove?: boolean;
  /** Fields of Docker's create body, for what has no option here. They take precedence; so do those of its HostConfig. */
  readonly body?: ContainerCreate;
}

/** The create body. @throws {OrlopError} image_needed */
export function createBody(options: ContainerOptions): ContainerCreate {
  const { body = {}, stdin = false, ports = [] } = options;
  if (options.image === undefined && options.rootfs === undefined && body.Image === undefined)
    throw OrlopError.of("image_needed", {});
  return {
    ...defined({
      Image: options.image,
      Cmd: options.command,
      Entrypoint: options.entrypoint,
      Env: Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`),
      User: options.user,
      WorkingDir: options.workingDirectory,
      Hostname: options.hostname,
      Labels: options.labels,
      Tty: options.terminal,
      OpenStdin: stdin,
      // The program sees the end of its input when whoever is attached ends it.
      StdinOnce: stdin,
      AttachStdin: stdin,
      AttachStdout: true,
      AttachStderr: true,
      ExposedPorts: Object.fromEntries(ports.map((port) => [portKey(port), {}])),
    }),
    ...body,
    HostConfig: { ...hostConfig(options), ...body.HostConfig },
  };
}

function hostConfig(options: ContainerOptions): HostConfig {
  const { cpus, restart, ports = [] } = options;
  const bindings: Record<string, { HostIp?: string; HostPort: string }[]> = {};
  for (const port of ports) {
    const binding = { ...defined({ HostIp: port.hostAddress }), HostPort: String(port.hostPort ?? "") };
    bindings[portKey(port)] = [...(bindings[portKey(port)] ?? []), binding];
  }
  return defined({
    Rootfs: options.rootfs,
    AutoRemove: options.autoRemove,
    Mounts: options.mounts?.map(mountOf),
    PortBindings: bindings,
    NetworkMode: options.network,
    Memory: options.memoryBytes,
    NanoCpus: cpus === undefined ? undefined : Math.round(cpus * 1e9),
    PidsLimit: options.pidsLimit,
    ReadonlyRootfs: options.readOnlyRoot,
    RestartPolicy: restart === undefined ? undefined : { Name: restart, MaximumRetryCount: 0 },
  });
}

function mountOf({ source, target, readOnly = false }: MountOption): Mount {
  return { Type: source.startsWith("/") ? "bind" : "volume", Source: source, Target: target, ReadOnly: readOnly };
}

/** As the API names a port of a container: "80/tcp". */
export function portKey({ port, protocol = "tcp" }: Pick<PublishedPort, "port" | "protocol">): string {
  return `${port}/${protocol}`;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the fields that are undefined. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
