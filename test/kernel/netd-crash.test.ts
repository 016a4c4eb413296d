/** netd, and the supervisor that starts it, die or fail at each step point on the way: afterwards netd has what was asked for. */

import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { HeldPorts } from "../../src/kernel/netd.ts";
import { NetdLink } from "../../src/kernel/netd-link.ts";
import { PointFile } from "../crash/point-file.ts";
import { executorPoints } from "../crash/point-list.ts";
import { waitUntil } from "../wait-until.ts";
import { executorPath, kernelTest, type Need, type Scratch } from "./harness.ts";
import { any4, canListen, linkTo, startNetd } from "./netd-fixture.ts";
import { named, openNamespace } from "./netd-names-fixture.ts";
import { isAlive, type SupervisorOptions, startSupervisor } from "./supervisor-fixture.ts";

const needs: readonly Need[] = ["root", "executor"];
const points = executorPoints(executorPath).filter((name) => /^(supervisor\.)?netd\./.test(name));
const ports: HeldPorts = { protocol: "tcp", address: any4, first: 18080, last: 18083 };

function armable(scratch: Scratch): PointFile {
  const file = new PointFile(join(scratch.directory, "points"));
  scratch.defer(() => file[Symbol.dispose]());
  return file;
}

/** A port, names, and somebody to answer. */
async function askFor(link: NetdLink, namespace: string): Promise<void> {
  const resolver = { namespace, port: 41_000, scopes: ["net"], upstream: [] };
  const asked = [
    link.hold("web", [ports]),
    link.name("net", "web", named(["web"], "10.0.0.5")),
    link.resolve("web", resolver),
    link.watchRules("orlop"),
  ];
  const [failure] = (await Promise.allSettled(asked)).filter((one) => one.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}

async function expectAll(link: NetdLink): Promise<void> {
  // a netd that died behind its answer has been told again once this is answered
  expect(await link.state()).toMatchObject({ owners: 1, ports: 4, resolvers: 1, named: 1 });
  expect(await canListen("0.0.0.0", 18083)).toBe(false);
}

/** netd leaves, so that nothing is left. */
async function letGo(link: NetdLink): Promise<void> {
  await Promise.all([link.hold("web", []), link.name("net", "web", undefined), link.resolve("web", undefined)]);
  await link.watchRules(undefined);
  link[Symbol.dispose]();
}

/** Below another supervisor, with everything asked for again. */
async function nextEngine(scratch: Scratch, options: SupervisorOptions, namespace: string): Promise<NetdLink> {
  const { runDirectory } = await startSupervisor(scratch, options);
  const link = new NetdLink(runDirectory);
  const asked = askFor(link, namespace);
  await link.sync();
  await asked;
  return link;
}

for (const point of points) {
  kernelTest(`killed at ${point}`, needs, async (scratch) => {
    const file = armable(scratch);
    const options = { env: { ORLOP_POINT_FILE: file.path } };
    const { path } = await openNamespace(scratch);
    const { link, supervisor } = await startNetd(scratch, options);
    file.arm(point, "kill");
    const done = await askFor(link, path).then(
      () => true,
      () => false,
    );
    await waitUntil(() => file.hasActed, 5000, `${point} is reached`);
    file.disarm();
    // only a supervisor that is gone is a reason to fail: then the next engine, below the next supervisor, asks again
    if (!done) await waitUntil(() => !isAlive(supervisor.pid), 5000, "the supervisor is gone");
    const asking = done ? link : await nextEngine(scratch, options, path);
    await expectAll(asking);
    await letGo(asking);
  });

  kernelTest(`failing with EIO at ${point}`, needs, async (scratch) => {
    const file = armable(scratch);
    const { path } = await openNamespace(scratch);
    const { link } = await startNetd(scratch, { env: { ORLOP_POINT_FILE: file.path } });
    file.arm(point, "5");
    await askFor(link, path).catch((error: Error) =>
      expect(`${Reflect.get(error, "errno")} ${error}`).toContain("EIO"),
    );
    await waitUntil(() => file.hasActed, 5000, `${point} is reached`);
    file.disarm();
    await askFor(link, path);
    await expectAll(link);
    await letGo(link);
  });
}

kernelTest(
  "asked for while the last netd ends, and refuses connections, another one is waited for",
  needs,
  async (scratch) => {
    const { runDirectory } = await startSupervisor(scratch);
    const lock = join(runDirectory, "netd.lock");
    const ending = Bun.spawn(["flock", "-F", lock, "sh", "-c", 'echo $$ >"$0"; exec sleep 1000', lock]);
    scratch.defer(() => ending.kill());
    await waitUntil(() => existsSync(lock) && readFileSync(lock, "utf8") !== "", 5000, "the lock is held");
    const link = await linkTo(scratch, runDirectory);
    const asked = link.hold("web", [ports]);
    const first = await Promise.race([asked.then(() => "held"), Bun.sleep(100).then(() => "waits")]);
    expect(first).toBe("waits");
    ending.kill("SIGKILL");
    await asked;
    expect(await canListen("0.0.0.0", 18083)).toBe(false);
    await link.hold("web", []);
  },
);
