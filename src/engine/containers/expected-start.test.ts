import { expect, test } from "bun:test";
import { StepFailure } from "../../kernel/executor.ts";
import type { Step } from "../../kernel/step.ts";
import { parseContainerUpdate } from "../../spec/engine-api-update.ts";
import { EngineFixture, never, transient } from "./fixture-containers.ts";

const fixture = new EngineFixture();
const { create, monitor } = fixture;

test("the start of a --rm container begins when it is made, and waits at its gate", async () => {
  const container = await create(transient);
  expect([container.status, monitor().calls]).toEqual(["created", []]);
  await container.start();
  expect([container.status, monitor().calls, fixture.executor.monitors.length]).toEqual(["running", ["go"], 1]);
  monitor().exit(0);
  await container.wait("removed", never);
});

test("a begun start is taken back when the container changes, goes, or is not started in time; a later one is another", async () => {
  const changed = await create(transient);
  await changed.changes.update(parseContainerUpdate({ Memory: 2 ** 26 }));
  expect(monitor(0).calls).toEqual(["withdraw"]);
  await changed.remove(false);

  const removed = await create(transient);
  await removed.remove(false);
  expect(monitor(1).calls).toEqual(["withdraw"]);

  const late = await create(transient);
  await monitor(2).closed;
  await late.start();
  expect([monitor(2).calls, monitor(3).calls]).toEqual([["withdraw"], ["go"]]);
  monitor(3).exit(0);
  await late.wait("removed", never);
});

test("what fails before its start is asked for is told when it is", async () => {
  const fail = (steps: readonly Step[]) =>
    new StepFailure(
      steps,
      steps.findIndex(({ op }) => op === "exec"),
      2,
      "",
    );
  fixture.executor.onRun = (steps) => {
    if (steps.some(({ op }) => op === "spawn")) throw fail(steps);
    return new Map();
  };
  const container = await create(transient);
  expect(container.status).toBe("created");
  await expect(container.start()).rejects.toThrow("executable file not found");
  expect(fixture.engine.containers.all()).toEqual([]);
});
