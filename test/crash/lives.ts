/** Containers' lives that together pass every step point of create, start, exit and remove. */

import type { ContainerCreate } from "../../src/client/container-types.ts";
import type { ContainersClient } from "../../src/client/containers-client.ts";
import type { EngineClient } from "../../src/client/engine-client.ts";
import type { ExecsClient } from "../../src/client/execs-client.ts";
import type { Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

/** What was acknowledged before something went wrong. Only that is promised. */
export interface Told {
  readonly name: string;
  readonly transient: boolean;
  id?: string;
  exitCode?: number;
  /** Its policy starts it again and again, from its start on until it is asked to stop… */
  restarting?: boolean;
  /** …and never again, once the stop was acknowledged. */
  stopped?: boolean;
  /** It was seen to be healthy. */
  healthy?: boolean;
  /** The removal was asked for: from then on it may be there or not… */
  removing?: boolean;
  /** …until it was acknowledged. */
  removed?: boolean;
}

export interface Life {
  readonly config: (rootfs: string) => ContainerCreate;
  /** Is paused and unpaused before its stop. */
  readonly pauses?: true;
  /** Signal of a stop, for those that do not end by themselves. */
  readonly stops?: true;
  /** Ends and is started again, until it is stopped. */
  readonly restarts?: true;
  /** Is stopped once it is healthy. */
  readonly isChecked?: true;
  /** Its start fails. */
  readonly fails?: true;
  /** Begins with no supervisor. */
  readonly cold?: true;
  /** So many of its kind have run right before. */
  readonly after?: number;
  /** An exec takes part in it: what it runs, and its exit code. */
  readonly exec?: { readonly Cmd: readonly string[]; readonly exitCode: number };
}

const restartMs = 10_000;
/** Of the machine, published by a life. */
export const heldPort = 47_080;

const script = (text: string): readonly string[] => ["/bin/sh", "-c", text];

/** By name. The exit code is 3 where a life ends by itself. */
export const lives: Readonly<Record<string, Life>> = {
  // First: what is made ready for the next of a kind is made in each life of it, not in one that happens to follow another.
  "--rm, one of many": {
    config: (Rootfs) => ({ Cmd: script("exit 3"), HostConfig: { AutoRemove: true, NetworkMode: "none", Rootfs } }),
    after: 2,
  },
  // Nearly every point is passed with a port held that nothing but its own container may hold afterwards.
  "durable, with a port of the machine": {
    config: (Rootfs) => ({
      Cmd: script("exit 3"),
      HostConfig: { NetworkMode: "bridge", PortBindings: { "80/tcp": [{ HostPort: String(heldPort) }] }, Rootfs },
    }),
  },
  durable: {
    config: (Rootfs) => ({ Cmd: script("echo said; exit 3"), HostConfig: { NetworkMode: "none", Rootfs } }),
  },
  "--rm on the host image": {
    config: () => ({ Image: "host", Cmd: script("echo said; exit 3"), HostConfig: { AutoRemove: true } }),
  },
  "with an init and an exec": {
    config: (Rootfs) => ({
      Cmd: script("trap 'exit 3' TERM; while :; do sleep 0.05; done"),
      HostConfig: { Rootfs, Init: true },
    }),
    stops: true,
    exec: { Cmd: script("echo said; exit 7"), exitCode: 7 },
  },
  "with a terminal": {
    config: (Rootfs) => ({ Tty: true, OpenStdin: true, Cmd: script("echo said; exit 3"), HostConfig: { Rootfs } }),
  },
  "as a user, with limits and mounts": {
    config: (Rootfs) => ({
      Cmd: script("id; exit 3"),
      User: "worker",
      WorkingDir: "/made/for/it",
      Hostname: "named",
      Domainname: "example",
      HostConfig: {
        Rootfs,
        ReadonlyRootfs: false,
        Memory: 64 << 20,
        PidsLimit: 50,
        CpuShares: 512,
        OomScoreAdj: 100,
        Ulimits: [{ Name: "nofile", Soft: 64, Hard: 64 }],
        Sysctls: { "net.ipv4.ip_forward": "1" },
        Tmpfs: { "/scratch": "size=1m" },
        Binds: [`${Rootfs}/etc:/given:ro`],
        SecurityOpt: ["no-new-privileges"],
      },
    }),
  },
  "with volumes": {
    config: (Rootfs) => ({
      Cmd: script("echo said > /tmpfs/file; exit 3"),
      Volumes: { "/anonymous": {}, "/bin": {} },
      HostConfig: {
        Rootfs,
        Mounts: [
          {
            Type: "volume",
            Source: "crash-scratch",
            Target: "/tmpfs",
            VolumeOptions: { DriverConfig: { Name: "local", Options: { type: "tmpfs", device: "tmpfs" } } },
          },
        ],
      },
    }),
  },
  "read-only": {
    config: (Rootfs) => ({ Cmd: script("exit 3"), HostConfig: { Rootfs, ReadonlyRootfs: true } }),
  },
  "much output, rotated": {
    config: (Rootfs) => ({
      Cmd: script("seq 1 20000; exit 3"),
      HostConfig: {
        Rootfs,
        LogConfig: { Type: "json-file", Config: { "max-size": "100k", "max-file": "3" } },
      },
    }),
  },
  stopped: {
    stops: true,
    config: (Rootfs) => ({ Cmd: script("trap 'exit 3' TERM; while :; do sleep 0.05; done"), HostConfig: { Rootfs } }),
  },
  "paused, then stopped": {
    pauses: true,
    stops: true,
    config: (Rootfs) => ({ Cmd: script("trap 'exit 3' TERM; while :; do sleep 0.05; done"), HostConfig: { Rootfs } }),
  },
  "restarted by its policy": {
    restarts: true,
    config: (Rootfs) => ({
      Cmd: script("exit 3"),
      HostConfig: { NetworkMode: "none", Rootfs, RestartPolicy: { Name: "always", MaximumRetryCount: 0 } },
    }),
  },
  "with a health check": {
    isChecked: true,
    stops: true,
    config: (Rootfs) => ({
      Cmd: script("trap 'exit 3' TERM; while :; do sleep 0.05; done"),
      Healthcheck: { Test: ["CMD", "/bin/true"], Interval: 1_000_000_000 },
      HostConfig: { NetworkMode: "none", Rootfs },
    }),
  },
  "in a network, with a port": {
    config: (Rootfs) => ({
      Cmd: script("exit 3"),
      HostConfig: { NetworkMode: "bridge", PortBindings: { "80/tcp": [{ HostPort: "" }] }, Rootfs },
    }),
  },
  "not startable": {
    fails: true,
    config: (Rootfs) => ({ Cmd: ["/no/such/program"], HostConfig: { Rootfs } }),
  },
  "long enough to hold its network namespace": {
    config: (Rootfs) => ({ Cmd: script("sleep 3; exit 3"), HostConfig: { NetworkMode: "bridge", Rootfs } }),
  },
  "of a supervisor that has to start": {
    cold: true,
    config: (Rootfs) => ({ Cmd: script("exit 3"), HostConfig: { Rootfs } }),
  },
};

/** Lives one life to its end, writing down in `told` what was acknowledged. Throws at the first thing that is not. */
export async function live(product: Product, life: Life, rootfs: string, told: Told): Promise<void> {
  if (life.cold) await product.ok("system", "stop");
  await product.ok("info"); // any command starts what is missing
  const engine = product.connect();
  try {
    await liveThrough(engine, life, rootfs, told);
  } finally {
    engine.close();
  }
}

async function liveThrough({ containers, execs }: EngineClient, life: Life, rootfs: string, told: Told): Promise<void> {
  for (let run = 0; run < (life.after ?? 0); run++) {
    const { Id } = await containers.create(life.config(rootfs));
    const gone = (await containers.wait(Id, "removed")).exit();
    gone.catch(() => undefined); // where its start fails, that is the reason
    await containers.start(Id);
    await gone;
  }
  const { Id } = await containers.create(life.config(rootfs), told.name);
  told.id = Id;
  const wait = await containers.wait(Id, told.transient ? "removed" : "next-exit");
  const exit = wait.exit();
  exit.catch(() => undefined); // where something else fails first, that is the reason
  try {
    await containers.start(Id);
  } catch (error) {
    if (!life.fails) throw error;
  }
  if (life.restarts) await restartThrough(containers, Id, told);
  if (life.isChecked) await becomesHealthy(containers, Id, told);
  if (life.pauses) {
    await containers.pause(Id);
    await containers.unpause(Id);
  }
  if (life.exec !== undefined) await execThrough(execs, Id, life.exec);
  if (life.stops) await containers.stop(Id);
  if (!life.fails && !life.restarts) told.exitCode = (await exit).StatusCode;
  told.removing = true;
  if (!told.transient) await containers.remove(Id, { volumes: true });
  told.removed = true;
}

async function restartThrough(containers: ContainersClient, id: string, told: Told): Promise<void> {
  told.restarting = true;
  await waitUntil(async () => (await restartCount(containers, id)) > 1, restartMs, "it is restarted");
  told.restarting = false;
  await containers.stop(id, 0);
  told.stopped = true;
}

export async function restartCount(containers: ContainersClient, id: string): Promise<number> {
  return ((await containers.inspect(id)) as unknown as { readonly RestartCount: number }).RestartCount;
}

export async function healthOf(containers: ContainersClient, id: string): Promise<string | undefined> {
  const { State } = (await containers.inspect(id)) as unknown as { State: { Health?: { Status: string } } };
  return State.Health?.Status;
}

async function becomesHealthy(containers: ContainersClient, id: string, told: Told): Promise<void> {
  await waitUntil(async () => (await healthOf(containers, id)) === "healthy", restartMs, "it is healthy");
  told.healthy = true;
}

/** Its end is awaited as clients do: by the end of its output. */
async function execThrough(execs: ExecsClient, container: string, exec: NonNullable<Life["exec"]>): Promise<void> {
  const config = { Cmd: exec.Cmd, Tty: false, AttachStdin: false, AttachStdout: true, AttachStderr: true };
  const { Id } = await execs.create(container, config);
  const attached = await execs.attach(Id, false);
  let said = "";
  for await (const { bytes } of attached.output(false)) said += new TextDecoder().decode(bytes);
  attached.close();
  const { Running, ExitCode } = await execs.inspect(Id);
  if (said !== "said\n" || Running || ExitCode !== exec.exitCode)
    throw new Error(`the exec said ${JSON.stringify(said)}, and ended with ${ExitCode}`);
}
