/** What an engine finds that the one before it has left. */

import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineFixture, never, transient } from "./fixture-containers.ts";

const fixture = new EngineFixture();
const { create } = fixture;

test("the next engine knows every container; what ended meanwhile is read from its exit record", async () => {
  const ended = await create({}, "ended");
  const lost = await create({}, "lost");
  const fresh = await create({}, "fresh");
  const once = await create(transient, "once");
  for (const container of [ended, lost, once]) await container.start();
  writeFileSync(ended.places.exitRecord, "status=1792 ended=1700000000000000000\n");
  writeFileSync(once.places.exitRecord, "status=1280 ended=1700000000000000000\n");
  await fixture.engine.close();
  await fixture.open(); // the first one's monitors are not this executor's
  const status = (name: string) => fixture.engine.containers.get(name).run;
  expect(status("ended")).toMatchObject({ status: "exited", exitCode: 7, endedNs: "1700000000000000000" });
  expect(status("lost")).toMatchObject({ status: "exited", exitCode: 137 });
  expect(status("fresh").status).toBe("created");
  expect(fixture.engine.containers.get(fresh.id).name).toBe("fresh");
  // Its client has lost the engine too, and comes back for the exit code; then it goes as it should have.
  expect(status("once")).toMatchObject({ status: "exited", exitCode: 5 });
  expect((await fixture.engine.containers.get("once").wait("removed", never)).exitCode).toBe(5);
  expect(() => fixture.engine.containers.get("once")).toThrow("No such container");
});

test("folders without a record are removed", async () => {
  const id = "f".repeat(64);
  const container = await create();
  const stray = join(fixture.directory, "state/containers", id);
  await Bun.write(join(stray, "log"), "x");
  await fixture.engine.close();
  await fixture.open();
  await fixture.engine.close();
  const removed = fixture.executor.plans.flat().flatMap((step) => (step.op === "remove" ? [step.path] : []));
  expect(removed).toContain(stray);
  expect(removed.some((path) => path.includes(container.id))).toBe(false);
  expect(existsSync(container.places.dataDir)).toBe(true);
  await fixture.open();
});
