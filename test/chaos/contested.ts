/**
 * A few names that all clients use at the same time: nobody knows what is there, but whatever is asked is either done or refused
 * for a reason that the others gave.
 */

import type { EngineClient } from "../../src/client/engine-client.ts";
import { EngineError } from "../../src/client/engine-error.ts";
import { isStatus, removeUsers, type World } from "./kind.ts";
import { type Answered, Violation } from "./model.ts";

const names = ["contested-a", "contested-b", "contested-c"];
const Labels = { contested: "yes" };
const ours = { label: ["contested=yes"] };

type Ask = (world: World, name: string) => Promise<unknown>;

const asks: Readonly<Record<string, Ask>> = {
  "create a container": ({ engine, random, rootfs }, name) => {
    const HostConfig = {
      Rootfs: rootfs,
      NetworkMode: random.pick(["none", "bridge", random.pick(names)]),
      AutoRemove: random.next() < 0.3,
      Binds: random.next() < 0.5 ? [] : [`${random.pick(names)}:/volume`],
    };
    const Cmd = ["/bin/sh", "-c", random.pick(["exit 0", "sleep 0.3", "sleep 5"])];
    return engine.containers.create({ Cmd, Labels, StopTimeout: 0, HostConfig }, name);
  },
  "start a container": ({ engine }, name) => engine.containers.start(name),
  "start it": ({ engine }, name) => engine.containers.start(name),
  "stop a container": ({ engine }, name) => engine.containers.stop(name, 0),
  "restart a container": ({ engine }, name) => engine.containers.restart(name, 0),
  "kill a container": ({ engine }, name) => engine.containers.kill(name),
  "pause a container": ({ engine }, name) => engine.containers.pause(name),
  "unpause a container": ({ engine }, name) => engine.containers.unpause(name),
  "rename a container": ({ engine, random }, name) =>
    engine.containers.rename(name, random.pick(names.filter((one) => one !== name))),
  "remove a container": ({ engine }, name) => engine.containers.remove(name),
  "remove a container by force": ({ engine }, name) => engine.containers.remove(name, { force: true, volumes: true }),
  "wait for a container": async ({ engine }, name) => (await engine.containers.wait(name, "not-running")).exit(),
  "run something in it": async ({ engine }, name) => {
    const body = { AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false, Cmd: ["/bin/true"] };
    const { Id } = await engine.execs.create(name, body);
    await engine.execs.start(Id);
  },
  "prune containers": ({ engine }) => engine.containers.prune(ours),
  "create a network": ({ engine }, name) => engine.networks.create({ Name: name, Labels }),
  "connect a container": ({ engine, random }, name) => engine.networks.connect(random.pick(names), name, {}),
  "disconnect a container": ({ engine, random }, name) => engine.networks.disconnect(random.pick(names), name, true),
  "remove a network": ({ engine }, name) => engine.networks.remove(name),
  "prune networks": ({ engine }) => engine.networks.prune(ours),
  "create a volume": ({ engine }, name) => engine.volumes.create({ Name: name, Labels }),
  "remove a volume": ({ engine }, name) => engine.volumes.remove(name),
  "prune volumes": ({ engine }) => engine.volumes.prune({ ...ours, all: ["1"] }),
  "list containers": ({ engine }) => engine.containers.list({ all: true, size: true }),
};

/** In use; not there; in use, of a network; a network that is not there. */
const isGiven = (error: unknown): boolean =>
  isStatus(error, 403, 404, 409) || (isStatus(error, 400) && /^network .* not found/.test(error.message));

/** @throws {Violation} */
export async function contest(world: World): Promise<Answered> {
  const [what, ask] = world.random.pick(Object.entries(asks));
  const name = world.random.pick(names);
  try {
    await ask(world, name);
    return "done";
  } catch (error) {
    if (isGiven(error)) return "refused";
    if (!(error instanceof EngineError) || error.status === 503) return "lost";
    throw new Violation(`${what} (${name}): status ${error.status}: ${error.message}`);
  }
}

/** Until nothing is left of what was fought for. */
export async function removeContested(engine: EngineClient): Promise<void> {
  await removeUsers(engine, ours);
  await engine.networks.prune(ours);
  await engine.volumes.prune({ ...ours, all: ["1"] });
  for (const { Name } of await engine.volumes.list()) if (names.includes(Name)) await engine.volumes.remove(Name);
}
