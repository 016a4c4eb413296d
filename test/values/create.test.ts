/**
 * Every field of the create body with valid values, each seen to act. The table is complete: a field of Docker's description
 * that has no row, and is not among the refusals, fails.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { messageOf, request } from "../api/engine-fixture.ts";
import { testWhere } from "../kernel/harness.ts";
import { fieldPaths } from "./field-paths.ts";
import { createRefusals } from "./refusals.ts";
import type { Row } from "./row.ts";
import { rowTest } from "./row-test.ts";
import { lifeRows } from "./rows-life.ts";
import { limitRows } from "./rows-limits.ts";
import { mountRows, releaseSources } from "./rows-mounts.ts";
import { networkRows } from "./rows-network.ts";
import { processRows } from "./rows-process.ts";
import { sharingRows } from "./rows-sharing.ts";
import { Stage } from "./stage.ts";

const rows: Readonly<Record<string, Row>> = {
  ...processRows,
  ...limitRows,
  ...lifeRows,
  ...mountRows,
  ...sharingRows,
  ...networkRows,
};
let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
}, 60_000);
afterAll(async () => {
  releaseSources();
  await stage.close();
}, 60_000);

testWhere("description")("every field of the create body has a row, or is refused by name", () => {
  expect([...Object.keys(rows), ...Object.keys(createRefusals)].sort()).toEqual(fieldPaths("ContainerCreate").sort());
});

for (const [path, row] of Object.entries(rows)) rowTest(path, row, () => stage);

test.each(Object.entries(createRefusals))("%s is refused by name", async (_, { body, names }) => {
  const whole = { Image: "host", Cmd: ["true"], ...body };
  let answer = await request(stage.product, "POST", "/containers/create?name=values-refused", whole);
  if (answer.status === 201) {
    answer = await request(stage.product, "POST", "/containers/values-refused/start");
    await stage.product.engine.containers.remove("values-refused", { force: true });
    stage.product.disconnect();
  }
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status === 500).toBe(false);
  expect(messageOf(answer)).toContain(names);
});
