/** Query parameters by which containers are chosen: list and prune, and what they show of each. */

import { asked, ended, flagRow, noFilters, noNumbers, type QueryRow, withContainers } from "./query-row.ts";
import { acts } from "./row.ts";
import type { Fragment, Stage } from "./stage.ts";

export interface Summary {
  readonly Names: readonly string[];
  readonly SizeRw?: number;
}

/** Three that have one label: made, ended with 3, running. */
const three = (prefix: string): Readonly<Record<string, Fragment>> => ({
  [`${prefix}-made`]: { Cmd: ["true"], Labels: { q: prefix, tier: "front" } },
  [`${prefix}-ended`]: { Cmd: ["sh", "-c", "head -c 5000 /dev/zero >/written; exit 3"], Labels: { q: prefix } },
  [`${prefix}-runs`]: {
    Cmd: ["sleep", "1000"],
    Labels: { q: prefix },
    HostConfig: { NetworkMode: "values", Tmpfs: { "/scratch": "" } },
  },
});

async function withThree<T>(stage: Stage, prefix: string, see: () => Promise<T>): Promise<T> {
  return withContainers(stage, three(prefix), async () => {
    const { containers } = stage.product.engine;
    await containers.start(`${prefix}-ended`);
    await ended(stage, `${prefix}-ended`);
    await containers.start(`${prefix}-runs`);
    return see();
  });
}

/** Those that are only looked at: made once, for all rows. */
let seenOnly: Promise<() => void> | undefined;
let whenSeen: Promise<void> = Promise.resolve();

/** To be called before the first row. */
export function makeStanding(stage: Stage): Promise<unknown> {
  seenOnly ??= new Promise((resolve, reject) => {
    whenSeen = withThree(stage, "q", () => new Promise<void>((done) => resolve(done)));
    whenSeen.catch(reject);
  });
  return seenOnly;
}

/** Nothing of them stays. */
export async function removeStanding(): Promise<void> {
  (await seenOnly)?.();
  await whenSeen;
}

const ours = `filters=${encodeURIComponent('{"label":["q=q"]}')}`;

async function listed(stage: Stage, query: string): Promise<string> {
  return namesOf(await asked<Summary[]>(stage, "GET", `/containers/json?${query}`));
}

function namesOf(found: readonly Summary[]): string {
  return found.map(({ Names }) => Names[0]?.slice(1)).join(" ");
}

const filterCases: Readonly<Record<string, string>> = {
  '{"label":["q=q"]}': "q-runs",
  '{"label":{"q=q":true}}': "q-runs",
  '{"label":["q=q"],"status":["created","exited"]}': "q-ended q-made",
  '{"label":["q=q","tier=front"],"status":["created"]}': "q-made",
  '{"name":["^/q-"],"exited":["3"]}': "q-ended",
  '{"name":["q-"],"network":["values"]}': "q-runs",
  '{"name":["q-"],"volume":["/scratch"]}': "q-runs",
  '{"name":["q-"],"health":["healthy"]}': "",
  '{"label":["q=q"],"before":["q-runs"],"status":["created","exited","running"]}': "q-ended q-made",
  '{"label":["q=q"],"since":["q-made"]}': "q-runs",
};

const pruneCases: Readonly<Record<string, string>> = {
  '{"label":["q=prune"]}': "prune-runs",
  '{"label":["q=prune","tier=front"]}': "prune-runs prune-ended",
  '{"label":["q=prune"],"label!":["tier"]}': "prune-runs prune-made",
  '{"label":["q=prune"],"until":["1h"]}': "prune-runs prune-ended prune-made",
  '{"label":{"q=prune":true},"until":["0s"]}': "prune-runs",
};

export const listQueries: Readonly<Record<string, QueryRow>> = {
  "ContainerList all": flagRow(
    (query, stage) => listed(stage, `${ours}&${query}`),
    "q-runs q-ended q-made",
    "q-runs",
  )("all"),
  "ContainerList limit": {
    ...acts(
      ["1", "2", "999999999", "0", "-1", ""],
      (limit, stage) => listed(stage, `${ours}&limit=${limit}`),
      (limit) => ({ 1: "q-runs", 2: "q-runs q-ended", 999999999: "q-runs q-ended q-made" })[limit] ?? "q-runs",
    ),
    bad: { method: "GET", target: "/containers/json?limit=VALUE", values: noNumbers },
  },
  "ContainerList size": flagRow(
    async (query, stage) => {
      const found = await asked<Summary[]>(stage, "GET", `/containers/json?all=1&${ours}&${query}`);
      return String(found[1]?.SizeRw);
    },
    "5000",
    "undefined",
  )("size"),
  "ContainerList filters": {
    ...acts(
      Object.keys(filterCases),
      (filters, stage) => listed(stage, `filters=${encodeURIComponent(filters)}`),
      (filters) => filterCases[filters] ?? "",
    ),
    bad: {
      method: "GET",
      target: "/containers/json?filters=VALUE",
      values: [...noFilters, '{"status":["asleep"]}', '{"exited":["x"]}', '{"name":["("]}', '{"publish":["99999"]}'],
      named: "filter",
    },
  },
  "ContainerInspect size": flagRow(
    async (query, stage) => String((await asked<Summary>(stage, "GET", `/containers/q-ended/json?${query}`)).SizeRw),
    "5000",
    "undefined",
  )("size"),
  "ContainerPrune filters": {
    ...acts(
      Object.keys(pruneCases),
      (filters, stage) =>
        withThree(stage, "prune", async () => {
          await asked(stage, "POST", `/containers/prune?filters=${encodeURIComponent(filters)}`);
          return namesOf(
            await asked<Summary[]>(
              stage,
              "GET",
              `/containers/json?all=1&filters=${encodeURIComponent('{"label":["q=prune"]}')}`,
            ),
          );
        }),
      (filters) => pruneCases[filters] ?? "",
    ),
    bad: {
      method: "POST",
      target: "/containers/prune?filters=VALUE",
      values: [...noFilters, '{"until":["long ago"]}', '{"until":["1h","2h"]}', '{"status":["exited"]}'],
      named: "filter",
    },
  },
};
