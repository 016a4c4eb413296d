/**
 * Every query parameter of the operations of containers, execs, volumes and the system: valid values, each seen to act, and
 * bad ones, each refused with 400 and a message that names the parameter.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { operations } from "../api/description.ts";
import { messageOf, request } from "../api/engine-fixture.ts";
import { testWhere } from "../kernel/harness.ts";
import type { QueryRow } from "./query-row.ts";
import { rowTest } from "./row-test.ts";
import { archiveQueries } from "./rows-query-archives.ts";
import { attachQueries } from "./rows-query-attach.ts";
import { containerQueries } from "./rows-query-containers.ts";
import { listQueries, makeStanding, removeStanding } from "./rows-query-lists.ts";
import { streamQueries } from "./rows-query-streams.ts";
import { systemQueries } from "./rows-query-system.ts";
import { NEIGHBOUR, Stage } from "./stage.ts";

const rows: Readonly<Record<string, QueryRow>> = {
  ...listQueries,
  ...containerQueries,
  ...streamQueries,
  ...attachQueries,
  ...archiveQueries,
  ...systemQueries,
};
let stage: Stage;
/** Of the neighbour, never started. */
let exec = "";

beforeAll(async () => {
  stage = await Stage.open();
  await makeStanding(stage);
  const body = { AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: true, Cmd: ["true"] };
  exec = (await stage.product.engine.execs.create(NEIGHBOUR, body as never)).Id;
}, 60_000);
afterAll(async () => {
  await removeStanding();
  await stage.close();
}, 60_000);

testWhere("description")("every query parameter of these operations has a row", () => {
  const described = operations()
    .filter(({ path }) => /^\/(containers|exec|volumes|events|system|_ping|info|version|auth)/.test(path))
    .flatMap(({ id, parameters }) =>
      parameters.filter(({ in: at }) => at === "query").map(({ name }) => `${id} ${name}`),
    );
  expect(Object.keys(rows).sort()).toEqual(described.sort());
});

for (const [name, row] of Object.entries(rows)) {
  if (row.trials.length > 0) rowTest(name, row, () => stage);
  if (row.bad === undefined) continue;
  const { method, target, values, status = 400, named = name.split(" ")[1] ?? "" } = row.bad;
  test(`${name}: what it cannot be is refused by name`, async () => {
    const faults: unknown[] = [];
    for (const value of values) {
      const written = target.replace("EXEC", exec).replace("VALUE", encodeURIComponent(value));
      const answer = await request(stage.product, method, written);
      const message = method === "HEAD" ? undefined : messageOf(answer);
      if (answer.status !== status || message?.search(named) === -1)
        faults.push({ value, status: answer.status, message });
    }
    expect(faults).toEqual([]);
  }, 30_000);
}
