/** Clients that do random things with objects of their own, one request after the other, and hold the engine to its answers. */

import { EngineError } from "../../src/client/engine-error.ts";
import { contest } from "./contested.ts";
import { keptContainers } from "./kept-containers.ts";
import { restarting, services } from "./kept-services.ts";
import { volumes } from "./kept-volumes.ts";
import { containersNamed, isChaos, type Kind, removeUsers, type World } from "./kind.ts";
import { Promised, Violation } from "./model.ts";
import { runOnce } from "./run-once.ts";

/** Containers that stay, for the sake of what is run in them. */
const execs: Kind = {
  make: async ({ engine, rootfs }, name) => {
    const config = { Cmd: ["/bin/sleep", "1000"], HostConfig: { Rootfs: rootfs, NetworkMode: "none" } };
    await engine.containers.create(config, withExecs(name)).catch((error: unknown) => {
      if (!(error instanceof EngineError && error.status === 409)) throw error; // an answer was lost, and it is there
    });
    await engine.containers.start(withExecs(name));
  },
  remove: ({ engine }, name) => engine.containers.remove(withExecs(name), { force: true }),
  uses: [
    { ask: runExec, refusals: [409] }, // its monitor may have been killed, and it with that
    { ask: runExec, refusals: [409] },
    { ask: ({ engine }, name) => engine.containers.start(withExecs(name)), refusals: [] },
  ],
  list: (engine) => containersNamed(engine, "with-"),
};

/** A container whose first process is gone has ended within this time. */
const endsMs = 60_000;

const withExecs = (name: string): string => `with-${name}`;

/** What was acknowledged of an exec holds as long as its container's run: it is there, it was started, it ended as it did. */
async function runExec({ engine, random }: World, name: string): Promise<void> {
  const exitCode = Math.floor(random.between(1, 100));
  const run = async () => (await engine.containers.inspect(withExecs(name))).State.Pid;
  const before = await run();
  const streams = { AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false };
  const Cmd = ["/bin/sh", "-c", `sleep ${random.pick(["0", "0.1", "1"])}; exit ${exitCode}`];
  const { Id } = await engine.execs.create(withExecs(name), { ...streams, Cmd });
  const violated = (what: string): Violation => new Violation(`exec ${Id} in ${name} ${what}`);
  try {
    await engine.execs.start(Id);
    for (;;) {
      const { Running, ExitCode } = await engine.execs.inspect(Id);
      if (!Running && ExitCode === null) throw violated("was started, and never ran");
      if (Running || ExitCode === null) {
        await Bun.sleep(50);
        continue;
      }
      // 137: its monitor was killed, or its container
      if (ExitCode !== exitCode && ExitCode !== 137) throw violated(`ended with ${ExitCode}, not ${exitCode}`);
      return;
    }
  } catch (error) {
    if (!(error instanceof EngineError && (error.status === 404 || error.status === 409))) throw error;
    // What is refused because its container ends is told before that end is.
    for (const deadline = Date.now() + endsMs; (await run()) === before && before !== 0; await Bun.sleep(20))
      if (Date.now() > deadline) throw violated(`is refused: ${error.message}`);
  }
}

const networks: Kind = {
  make: ({ engine }, name) => engine.networks.create({ Name: name }),
  remove: removeNetwork,
  uses: [
    { ask: ({ engine }, name) => engine.networks.inspect(name), refusals: [] },
    { ask: runInNetwork, refusals: [] },
    { ask: joinNetwork, refusals: [] },
    { ask: joinNetwork, refusals: [] },
  ],
  list: async (engine) =>
    (await engine.networks.list()).map(({ Name }) => Name).filter((name) => /^chaos-\d/.test(name)),
};

/** With the containers that a request which was cut off has left: nobody else is in the network. */
async function removeNetwork({ engine }: Pick<World, "engine">, name: string): Promise<void> {
  await removeUsers(engine, { network: [name] });
  await engine.networks.remove(name);
}

/** A container that has an address in it, some with a published port, and is gone afterwards. */
async function runInNetwork({ engine, rootfs, random }: World, name: string): Promise<void> {
  const PortBindings = random.next() < 0.5 ? {} : { "80/tcp": [{}] };
  const status = await runOnce(engine, {
    Cmd: ["/bin/sh", "-c", "ip -4 addr show eth0 | grep -q inet"],
    HostConfig: { Rootfs: rootfs, NetworkMode: name, AutoRemove: true, PortBindings },
  });
  if (status !== undefined && status !== 0 && status !== 137)
    throw new Violation(`a container in network ${name} has no address: it ended with ${status}`);
}

/** What a container may be answered that has ended meanwhile, or was killed with its monitor: no word on the network. */
const containerGone = /^No such container|is not running|is not connected to the network|is already in progress/;

/** A container of the default network that joins, leaves, and is gone soon, whatever becomes of this request. */
async function joinNetwork({ engine, rootfs }: World, name: string): Promise<void> {
  const HostConfig = { Rootfs: rootfs, NetworkMode: "bridge", AutoRemove: true };
  const { Id } = await engine.containers.create({ Cmd: ["/bin/sleep", "3"], HostConfig });
  try {
    await engine.containers.start(Id);
    await engine.networks.connect(name, Id, {});
    await engine.networks.disconnect(name, Id, false);
    await engine.containers.remove(Id, { force: true });
  } catch (error) {
    if (!(error instanceof EngineError && containerGone.test(error.message))) throw error;
  }
}

/** Names of an image that is there from the beginning; with the last one of a client nothing else goes. */
const tags: Kind = {
  make: async ({ engine, image }, name) => {
    for await (const _ of engine.images.pull(image, {}));
    await engine.images.tag(image, name, "1");
  },
  remove: ({ engine }, name) => engine.images.remove(`${name}:1`, false),
  uses: [
    { ask: ({ engine }, name) => engine.images.inspect(`${name}:1`), refusals: [] },
    { ask: ({ engine }, name) => engine.images.history(`${name}:1`), refusals: [] },
  ],
  list: async (engine) =>
    (await engine.images.list())
      .flatMap(({ RepoTags }) => RepoTags ?? [])
      .filter(isChaos)
      .map((name) => name.replace(/:1$/, "")),
};

export const kinds: Readonly<Record<string, Kind>> = {
  container: keptContainers,
  exec: execs,
  service: services,
  restarting,
  network: networks,
  tag: tags,
  volume: volumes,
};

const objectsEach = 3;
/** So often a client joins in with what all fight for. */
const contestShare = 0.1;

/** Lives until the world is over; what was promised to it. @throws {Violation} */
export async function runClient(world: World, number: number): Promise<ReadonlyMap<string, readonly Promised[]>> {
  const own = new Map(
    Object.keys(kinds).map((kind) => [
      kind,
      Array.from({ length: objectsEach }, (_, index) => new Promised(`chaos-${number}-${index}`)),
    ]),
  );
  while (!world.isOver()) {
    if (world.random.next() < contestShare) {
      const answer = await contest(world);
      world.count(`contested ${answer}`);
      if (answer === "lost") await world.revive();
      continue;
    }
    const kindName = world.random.pick([...own.keys()]);
    const kind = kinds[kindName] as Kind;
    const answer = await oneRequest(world, kind, world.random.pick(own.get(kindName) as Promised[])).catch(
      (error: unknown) => {
        if (error instanceof Violation) error.message = `${kindName}: ${error.message}`;
        throw error;
      },
    );
    world.count(`${kindName} ${answer}`);
    if (answer === "lost") await world.revive();
  }
  return own;
}

function oneRequest(world: World, kind: Kind, object: Promised) {
  const dice = world.random.next();
  if (object.presence === "absent" || dice < 0.1) return object.ask("present", () => kind.make(world, object.name));
  if (dice < 0.3) return object.ask("absent", () => kind.remove(world, object.name));
  const { ask, refusals } = world.random.pick(kind.uses);
  return object.use(
    `use ${kind.uses.findIndex((use) => use.ask === ask)} (${ask.name})`,
    () => ask(world, object.name),
    refusals,
  );
}
