/** The fields of the other bodies: update, exec create and start, volume and network create, connect, disconnect. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { messageOf, request } from "../api/engine-fixture.ts";
import { testWhere } from "../kernel/harness.ts";
import { fieldPaths } from "./field-paths.ts";
import { connectRefusals, networkRefusals, type Refusal, updateRefusals, volumeRefusals } from "./refusals.ts";
import type { Row } from "./row.ts";
import { rowTest } from "./row-test.ts";
import { execRows, execStartRows, volumeRows } from "./rows-exec-volume.ts";
import { restartUpdateRows } from "./rows-life.ts";
import { updateRows } from "./rows-limits.ts";
import { connectRows } from "./rows-network.ts";
import { disconnectRows, networkCreateRows } from "./rows-network-bodies.ts";
import { Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open();
}, 60_000);
afterAll(() => stage.close(), 60_000);

interface Body {
  readonly rows: Readonly<Record<string, Row>>;
  readonly refusals?: Readonly<Record<string, Refusal>>;
  /** Where a refusal is tried. */
  readonly path?: string;
}

const bodies: Readonly<Record<string, Body>> = {
  ContainerUpdate: {
    rows: { ...updateRows, ...restartUpdateRows },
    refusals: updateRefusals,
    path: "/containers/values-neighbour/update",
  },
  ContainerExec: { rows: execRows },
  ExecStart: { rows: execStartRows },
  VolumeCreate: { rows: volumeRows, refusals: volumeRefusals, path: "/volumes/create" },
  NetworkCreate: { rows: networkCreateRows, refusals: networkRefusals, path: "/networks/create" },
  NetworkConnect: { rows: connectRows, refusals: connectRefusals, path: "/networks/bridge/connect" },
  NetworkDisconnect: { rows: disconnectRows },
};

describe.each(Object.entries(bodies))("%s", (operation, { rows, refusals = {}, path = "" }) => {
  testWhere("description")("every field of the body has a row, or is refused by name", () => {
    expect([...Object.keys(rows), ...Object.keys(refusals)].sort()).toEqual(fieldPaths(operation).sort());
  });

  for (const [field, row] of Object.entries(rows)) rowTest(field, row, () => stage);

  for (const [field, { body, names }] of Object.entries(refusals))
    test(`${field} is refused by name`, async () => {
      const answer = await request(stage.product, "POST", path, body);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status === 500).toBe(false);
      expect(messageOf(answer)).toContain(names);
    });
});
