/** netd, and the supervisor that starts it, die or fail at each step point on the way: afterwards what is held is what was asked for. */

import { expect } from "bun:test";
import { join } from "node:path";
import type { HeldPorts } from "../../src/kernel/netd.ts";
import { NetdLink } from "../../src/kernel/netd-link.ts";
import { PointFile } from "../crash/point-file.ts";
import { executorPoints } from "../crash/point-list.ts";
import { executorPath, kernelTest, type Need, type Scratch } from "./harness.ts";
import { any4, canListen, startNetd } from "./netd-fixture.ts";
import { isAlive, type SupervisorOptions, startSupervisor } from "./supervisor-fixture.ts";

const needs: readonly Need[] = ["root", "executor"];
const points = executorPoints(executorPath).filter((name) => /^(supervisor\.)?netd\./.test(name));
const ports: HeldPorts = { protocol: "tcp", address: any4, first: 18080, last: 18083 };

function armable(scratch: Scratch): PointFile {
  const file = new PointFile(join(scratch.directory, "points"));
  scratch.defer(() => file[Symbol.dispose]());
  return file;
}

/** Below another supervisor. */
async function nextEngine(scratch: Scratch, options: SupervisorOptions): Promise<NetdLink> {
  const { runDirectory } = await startSupervisor(scratch, options);
  const link = new NetdLink(runDirectory);
  const held = link.hold("web", [ports]);
  await link.sync();
  await held;
  return link;
}

for (const point of points) {
  kernelTest(`killed at ${point}`, needs, async (scratch) => {
    const file = armable(scratch);
    const options = { env: { ORLOP_POINT_FILE: file.path } };
    const { link, supervisor } = await startNetd(scratch, options);
    file.arm(point, "kill");
    const held = await link.hold("web", [ports]).then(
      () => true,
      () => false,
    );
    expect(file.hasActed).toBe(true);
    file.disarm();
    // only a supervisor that is gone is a reason to fail: then the next engine, below the next supervisor, asks again
    expect(held).toBe(isAlive(supervisor.pid));
    const asking = held ? link : await nextEngine(scratch, options);
    await asking.state(); // a netd that died behind its answer has been told again
    expect(await canListen("0.0.0.0", 18083)).toBe(false);
    await asking.hold("web", []);
    asking[Symbol.dispose]();
  });

  kernelTest(`failing with EIO at ${point}`, needs, async (scratch) => {
    const file = armable(scratch);
    const { link } = await startNetd(scratch, { env: { ORLOP_POINT_FILE: file.path } });
    file.arm(point, "5");
    const held = await link.hold("web", [ports]).then(
      () => true,
      (error: { errno?: string; message: string }) => {
        expect(`${error.errno} ${error.message}`).toContain("EIO");
        return false;
      },
    );
    expect(file.hasActed).toBe(true);
    file.disarm();
    expect(await canListen("0.0.0.0", 18083)).toBe(!held);
    await link.hold("web", [ports]);
    expect(await link.state()).toMatchObject({ owners: 1, ports: 4 });
    await link.hold("web", []);
  });
}
