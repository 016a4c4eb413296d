/**
 * Containers that serve something: whatever is killed but their monitor, they are reached at their published port, and by name
 * in their network; and ones that come back by their restart policy whatever they end with.
 */

import type { ContainerInspection } from "../../src/client/container-types.ts";
import type { EngineClient } from "../../src/client/engine-client.ts";
import { containersNamed, isStatus, type Kind, removeUsers, type World } from "./kind.ts";
import { Violation } from "./model.ts";
import { runOnce } from "./run-once.ts";

/** A port or a name that is not answered for so long, whatever is killed meanwhile, is lost. */
const servesMs = 60_000;
const askMs = 1000;

const serving = (name: string): string => `serves-${name}`;
const networkOf = (name: string): string => `chaos-of-${name}`;
const word = (name: string): string => `this is ${name}`;

export const services: Kind = {
  make: async ({ engine, rootfs }, name) => {
    const there = (error: unknown): void => {
      if (!isStatus(error, 409)) throw error; // an answer was lost, and it is there
    };
    await engine.networks.create({ Name: networkOf(name) }).catch(there);
    const Cmd = ["/bin/sh", "-c", `mkdir /www; echo '${word(name)}' > /www/index.html; exec httpd -f -p 80 -h /www`];
    const HostConfig = { Rootfs: rootfs, NetworkMode: networkOf(name), PortBindings: { "80/tcp": [{ HostPort: "" }] } };
    await engine.containers.create({ Cmd, HostConfig }, serving(name)).catch(there);
    await engine.containers.start(serving(name));
  },
  remove: async ({ engine }, name) => {
    await engine.containers.remove(serving(name), { force: true });
    await removeUsers(engine, { network: [networkOf(name)] });
    await engine.networks.remove(networkOf(name));
  },
  uses: [
    { ask: reachPort, refusals: [] },
    { ask: reachPort, refusals: [] },
    { ask: reachName, refusals: [] },
  ],
  check: reachPort,
  list: (engine) => containersNamed(engine, "serves-"),
};

/** Networks whose removal was cut off behind their container's. */
export async function removeServiceNetworks(engine: EngineClient): Promise<void> {
  for (const { Name } of await engine.networks.list())
    if (Name.startsWith(networkOf(""))) await engine.networks.remove(Name);
}

async function reachPort(world: World, name: string): Promise<void> {
  await untilServed(world, name, async ({ NetworkSettings }) => {
    const port = NetworkSettings?.Ports?.["80/tcp"]?.[0]?.HostPort;
    if (port === undefined) return "it has no port";
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(askMs) });
      const text = (await answer.text()).trim();
      return text === word(name) ? undefined : `port ${port} says ${text}`;
    } catch (error) {
      return `port ${port}: ${error}`;
    }
  });
}

async function reachName(world: World, name: string): Promise<void> {
  const { engine, rootfs } = world;
  await untilServed(world, name, async () => {
    const exitCode = await runOnce(engine, {
      Cmd: ["/bin/sh", "-c", fetchByName(name)],
      HostConfig: { Rootfs: rootfs, NetworkMode: networkOf(name), AutoRemove: true },
    });
    return exitCode === 0 ? undefined : `in its network: ${nameFailures[exitCode ?? -1] ?? `exit code ${exitCode}`}`;
  });
}

const nameFailures: Readonly<Record<number, string>> = {
  [-1]: "who asked is gone",
  21: "its name is not known",
  22: "nobody listens at its address",
  23: "no answer from its address",
  24: "another answer",
};

/** Ends with 0 where it answers, else with a number of `nameFailures`. */
function fetchByName(name: string): string {
  return `answer=$(wget -q -T 1 -O - http://${serving(name)}/ 2>&1)
case "$answer" in
"${word(name)}") exit 0 ;;
*"bad address"*) exit 21 ;;
*refused*) exit 22 ;;
*"timed out"*) exit 23 ;;
*) exit 24 ;;
esac`;
}

/** @param ask undefined: it is reached. Else why not */
async function untilServed(
  { engine, revive, isOver }: World,
  name: string,
  ask: (inspection: ContainerInspection) => Promise<string | undefined>,
): Promise<void> {
  for (const deadline = Date.now() + servesMs; ; await revive()) {
    const inspection = await engine.containers.inspect(serving(name));
    if (!inspection.State.Running) return engine.containers.start(serving(name));
    const wrong = await ask(inspection);
    if (wrong === undefined || isOver()) return;
    if (Date.now() < deadline) continue;
    const now = await engine.containers.inspect(serving(name));
    if (now.State.Running && now.State.Pid === inspection.State.Pid)
      throw new Violation(`${name} is not reached: ${wrong}; ${JSON.stringify(now.State)}`);
    return;
  }
}

const comingBack = (name: string): string => `again-${name}`;

type State = ContainerInspection["State"] & { readonly Error: string };

/** Asked to run, it comes back; asked to stop, it does not. Until an answer comes, nobody knows what it was asked. */
const asked = new Map<string, "run" | "stop" | undefined>();

export const restarting: Kind = {
  make: async ({ engine, rootfs, random }, name) => {
    const Cmd = ["/bin/sh", "-c", random.pick(["sleep 0.1; exit 5", "sleep 11", "sleep 1000"])];
    const HostConfig = {
      Rootfs: rootfs,
      NetworkMode: random.pick(["none", "bridge"]),
      RestartPolicy: { Name: random.pick(["always", "unless-stopped"]), MaximumRetryCount: 0 },
    };
    await engine.containers.create({ Cmd, StopTimeout: 0, HostConfig }, comingBack(name)).catch((error: unknown) => {
      if (!isStatus(error, 409)) throw error;
    });
    await asking(name, "run", () => engine.containers.start(comingBack(name)));
  },
  remove: async ({ engine }, name) => {
    asked.delete(name);
    await engine.containers.remove(comingBack(name), { force: true });
  },
  uses: [
    { ask: isAsAsked, refusals: [] },
    { ask: isAsAsked, refusals: [] },
    { ask: isAsAsked, refusals: [] },
    { ask: start, refusals: [] },
    { ask: stop, refusals: [] },
  ],
  check: isAsAsked,
  list: (engine) => containersNamed(engine, "again-"),
};

function start({ engine }: World, name: string): Promise<void> {
  return asking(name, "run", () => engine.containers.start(comingBack(name)));
}

function stop({ engine }: World, name: string): Promise<void> {
  return asking(name, "stop", () => engine.containers.stop(comingBack(name), 0));
}

async function asking(name: string, what: "run" | "stop", request: () => Promise<void>): Promise<void> {
  asked.set(name, undefined);
  await request();
  asked.set(name, what);
}

async function isAsAsked({ engine }: World, name: string): Promise<void> {
  const state = (await engine.containers.inspect(comingBack(name))).State as State;
  const known = asked.get(name);
  const isGone = state.Status === "exited" || state.Status === "created";
  if ((known === "run" && isGone) || (known === "stop" && !isGone))
    throw new Violation(`${name} was asked to ${known}, and is ${JSON.stringify(state)}`);
}
