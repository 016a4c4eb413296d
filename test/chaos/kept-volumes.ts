/** Volumes, and what was written in them: what an ended container wrote is there for the next one, until the volume goes. */

import type { EngineClient } from "../../src/client/engine-client.ts";
import { type Kind, removeUsers, type World } from "./kind.ts";
import { Violation } from "./model.ts";
import { runOnce } from "./run-once.ts";

/** How many lines its file has at the least (an ended container wrote them) and at the most (one was asked to), to 80. */
interface Lines {
  least: number;
  most: number;
}

const lines = new Map<string, Lines>();
const ofMemory = { type: "tmpfs", device: "tmpfs", o: "size=1m" };
const TOO_FEW = 91;
const TOO_MANY = 92;

export const volumes: Kind = {
  make: async ({ engine, random }, name) => {
    await engine.volumes.create({ Name: name, ...(random.next() < 0.5 ? {} : { DriverOpts: ofMemory }) });
    if (!lines.has(name)) lines.set(name, { least: 0, most: 0 });
  },
  remove: async ({ engine }, name) => {
    const known = lines.get(name);
    if (known !== undefined) known.least = 0;
    await removeUsers(engine, { volume: [name] });
    await engine.volumes.remove(name);
    lines.set(name, { least: 0, most: 0 });
  },
  uses: [
    { ask: ({ engine }, name) => engine.volumes.inspect(name), refusals: [] },
    { ask: writeLine, refusals: [] },
    { ask: writeLine, refusals: [] },
  ],
  check: writeLine,
  list: async (engine: EngineClient) => (await engine.volumes.list()).map(({ Name }) => Name).filter(isOurs),
};

const isOurs = (name: string): boolean => name.startsWith("chaos-");

async function writeLine({ engine, rootfs }: World, name: string): Promise<void> {
  const known = lines.get(name) ?? { least: 0, most: 0 };
  lines.set(name, known);
  const isInMemory = (await engine.volumes.inspect(name)).Options?.["type"] === "tmpfs"; // it is empty for each that is alone in it
  const { least, most } = isInMemory ? { least: 0, most: known.most } : { ...known };
  known.most += 1; // whether that is known or not
  const script = `n=$(cat /volume/file 2>/dev/null | wc -l)
[ $n -ge ${least} ] || { echo $n; exit ${TOO_FEW}; }
[ $n -le ${most} ] || exit ${TOO_MANY}
echo x >> /volume/file || exit 93
exit $((n < 80 ? n : 80))`;
  const exitCode = await runOnce(engine, {
    Cmd: ["/bin/sh", "-c", script],
    HostConfig: { Rootfs: rootfs, NetworkMode: "none", AutoRemove: true, Binds: [`${name}:/volume`] },
  });
  if (exitCode === undefined || exitCode === 137) return;
  if (exitCode > 80) throw new Violation(`volume ${name}: ${exitCode} for a file of ${least} to ${most} lines`);
  if (exitCode < 80 && !isInMemory) known.least = exitCode + 1;
}
