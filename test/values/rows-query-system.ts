/** Query parameters of the system's operations and of volumes. */

import { request } from "../api/engine-fixture.ts";
import { asked, flagRow, noFilters, noTimes, type QueryRow, unchunked, withContainers } from "./query-row.ts";
import { acts } from "./row.ts";
import { NEIGHBOUR, type Stage } from "./stage.ts";

// ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Event {
  readonly Type: string;
  readonly Action: string;
  readonly timeNano: number;
}

/** Of one that was made and removed: its create and its destroy, with times between which a query chooses. */
async function eventsOf(stage: Stage, query: (times: readonly [string, string]) => string): Promise<string> {
  let id = "";
  await withContainers(stage, { "q-event": { Cmd: ["true"], Labels: { q: "event" } } }, async () => {
    id = (await stage.product.engine.containers.inspect("q-event")).Id;
    // Events have times of their own, in order; two within one millisecond would be cut at the same place.
    await stage.product.engine.containers.rename(id, "q-renamed");
  });
  const own = encodeURIComponent(JSON.stringify({ container: [id] }));
  const read = async (more: string): Promise<string> =>
    unchunked((await request(stage.product, "GET", `/events?${more}`)).body);
  const text = await read(`since=1&until=${now()}&filters=${own}`);
  const times = [...text.matchAll(/"timeNano":(\d+)/g)].map(
    ([, time = ""]) => `${time.slice(0, -9)}.${time.slice(-9)}`,
  );
  const [, second = "", third = ""] = times;
  const wanted = query([second, third]).replace("OWN", own).replace("ID", id);
  return actionsIn(await read(wanted));
}

function actionsIn(text: string): string {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => (JSON.parse(line) as Event).Action)
    .join(" ");
}

function now(): string {
  return String((Date.now() + 5) / 1000);
}

const filterCases: Readonly<Record<string, string>> = {
  '{"container":["ID"]}': "create rename destroy",
  '{"container":{"ID":true},"type":["container"]}': "create rename destroy",
  '{"container":["ID"],"event":["create","destroy"]}': "create destroy",
  '{"container":["ID"],"label":["q=event"]}': "create rename destroy",
  '{"container":["ID"],"label":["q=other"]}': "",
  '{"container":["ID"],"scope":["local"]}': "create rename destroy",
  '{"container":["ID"],"scope":["swarm"]}': "",
  '{"container":["ID"],"type":["volume"]}': "",
};

// ── disk ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

const parts: Readonly<Record<string, string>> = {
  "": "BuildCache Containers Images Volumes",
  "type=": "BuildCache Containers Images Volumes",
  "type=container": "Containers",
  "type=image": "Images",
  "type=volume": "Volumes",
  "type=build-cache": "BuildCache",
  "type=image&type=volume": "Images Volumes",
  "type=volume&type=container&type=volume": "Containers Volumes",
};

// ── volumes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Three volumes with a label: one that is used, one with another label, one without a name. What of them a query leaves or finds. */
async function withVolumes(stage: Stage, see: () => Promise<string | undefined>): Promise<string> {
  const { engine } = stage.product;
  await engine.volumes.create({ Name: "q-used", Labels: { q: "volume" } });
  await engine.volumes.create({ Name: "q-free", Labels: { q: "volume", tier: "front" } });
  const { Name } = await asked<{ Name: string }>(stage, "POST", "/volumes/create", { Labels: { q: "volume" } });
  const host = { Binds: ["q-used:/used"] };
  try {
    return await withContainers(stage, { "q-user": { Cmd: ["true"], HostConfig: host } }, async () => {
      const seen = await see();
      return (seen ?? (await volumesThere(stage))).replace(Name, "unnamed");
    });
  } finally {
    for (const name of ["q-used", "q-free", Name]) await asked(stage, "DELETE", `/volumes/${name}?force=1`);
  }
}

async function volumesThere(stage: Stage, filters: string = '{"label":["q=volume"]}'): Promise<string> {
  const target = `/volumes?filters=${encodeURIComponent(filters)}`;
  const { Volumes } = await asked<{ Volumes: { Name: string }[] }>(stage, "GET", target);
  return Volumes.map(({ Name }) => (/^[0-9a-f]{64}$/.test(Name) ? "unnamed" : Name))
    .sort()
    .join(" ");
}

const listCases: Readonly<Record<string, string>> = {
  '{"label":["q=volume"]}': "q-free q-used unnamed",
  '{"label":{"q":true,"tier=front":true}}': "q-free",
  '{"label":["q=volume"],"dangling":["true"]}': "q-free unnamed",
  '{"label":["q=volume"],"dangling":["0"]}': "q-used",
  '{"label":["q=volume"],"name":["q-"]}': "q-free q-used",
  '{"label":["q=volume"],"driver":["local"]}': "q-free q-used unnamed",
  '{"label":["q=volume"],"driver":["other"]}': "",
};

const pruneCases: Readonly<Record<string, string>> = {
  '{"label":["q=volume"]}': "q-free q-used",
  '{"label":["q=volume"],"all":["true"]}': "q-used",
  '{"label":["q=volume"],"all":["0"]}': "q-free q-used",
  '{"label":["q=volume"],"label!":["tier"],"all":["1"]}': "q-free q-used",
  '{"label":["q=other"],"all":["1"]}': "q-free q-used unnamed",
};

export const systemQueries: Readonly<Record<string, QueryRow>> = {
  "SystemEvents since": {
    ...acts(
      ["first", "second", "third"],
      (which, stage) =>
        eventsOf(stage, ([second, third]) => {
          const since = { first: "1", second, third }[which] ?? "";
          return `since=${since}&until=${now()}&filters=OWN`;
        }),
      (which) => ({ first: "create rename destroy", second: "rename destroy", third: "destroy" })[which] ?? "",
    ),
    bad: { method: "GET", target: "/events?until=1&since=VALUE", values: noTimes },
  },
  "SystemEvents until": {
    ...acts(
      ["now", "second"],
      (which, stage) => eventsOf(stage, ([second]) => `since=1&until=${which === "now" ? now() : second}&filters=OWN`),
      (which) => (which === "now" ? "create rename destroy" : "create rename"),
    ),
    bad: { method: "GET", target: "/events?since=1&until=VALUE", values: [...noTimes, "0.5"] },
  },
  "SystemEvents filters": {
    ...acts(
      Object.keys(filterCases),
      (filters, stage) => eventsOf(stage, () => `since=1&until=${now()}&filters=${encodeURIComponent(filters)}`),
      (filters) => filterCases[filters] ?? "",
    ),
    bad: { method: "GET", target: "/events?until=1&filters=VALUE", values: noFilters, named: "filter" },
  },
  "SystemDataUsage type": {
    ...acts(
      Object.keys(parts),
      async (query, stage) => {
        const found = await asked<object>(stage, "GET", `/system/df?${query}`);
        return Object.keys(found)
          .filter((key) => /^(BuildCache|Containers|Images|Volumes)$/.test(key))
          .sort()
          .join(" ");
      },
      (query) => parts[query] ?? "",
    ),
    bad: { method: "GET", target: "/system/df?type=image&type=VALUE", values: ["planet", "Container", "image volume"] },
  },
  "VolumeList filters": {
    ...acts(
      Object.keys(listCases),
      (filters, stage) => withVolumes(stage, () => volumesThere(stage, filters)),
      (filters) => listCases[filters] ?? "",
    ),
    bad: {
      method: "GET",
      target: "/volumes?filters=VALUE",
      values: [...noFilters, '{"dangling":["maybe"]}'],
      named: "filter",
    },
  },
  "VolumeDelete force": flagRow(
    async (query, stage) => {
      const { status } = await request(stage.product, "DELETE", `/volumes/q-nothing?${query}`);
      const used = await withVolumes(stage, async () =>
        String((await request(stage.product, "DELETE", `/volumes/q-used?${query}`)).status),
      );
      return `${status}, of one that is used ${used}`;
    },
    "204, of one that is used 409",
    "404, of one that is used 409",
  )("force"),
  "VolumePrune filters": {
    ...acts(
      Object.keys(pruneCases),
      (filters, stage) =>
        withVolumes(stage, () =>
          asked(stage, "POST", `/volumes/prune?filters=${encodeURIComponent(filters)}`).then(() => undefined),
        ),
      (filters) => pruneCases[filters] ?? "",
    ),
    bad: {
      method: "POST",
      target: "/volumes/prune?filters=VALUE",
      values: [...noFilters, '{"all":["maybe"]}'],
      named: "filter",
    },
  },
  // Of volumes in a cluster alone.
  "VolumeUpdate version": {
    trials: [],
    bad: { method: "PUT", target: `/volumes/${NEIGHBOUR}?version=VALUE`, values: ["1"], status: 501, named: "volume" },
  },
};
