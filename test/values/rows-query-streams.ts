/** Query parameters of what containers write, read, show and hold: logs, attach, stats, sizes of terminals, archives. */

import { request } from "../api/engine-fixture.ts";
import { waitUntil } from "../wait-until.ts";
import {
  asked,
  ended,
  flagRow,
  logged,
  noNumbers,
  noTimes,
  type QueryRow,
  unchunked,
  waitMs,
  withContainers,
  withRunning,
} from "./query-row.ts";
import { acts } from "./row.ts";
import { NEIGHBOUR, type Stage } from "./stage.ts";

// ── logs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

const lines = { Cmd: ["sh", "-c", "echo one; echo two; echo bad >&2; echo three"] };

/** Frames' heads and times are left out; whatever stands where a time would is told. */
function linesOf(body: string): string {
  return unchunked(body)
    .replaceAll(/[\x01\x02]\0\0\0[\s\S]{4}/g, "")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .trimEnd()
    .replaceAll("\n", ",");
}

function logsOf(query: string, stage: Stage): Promise<string> {
  return withContainers(stage, { "q-logs": lines }, async () => {
    await stage.product.engine.containers.start("q-logs");
    await ended(stage, "q-logs");
    return linesOf((await request(stage.product, "GET", `/containers/q-logs/logs?${query}`)).body);
  });
}

/** Of two streams none is before the other. */
async function sortedLogsOf(query: string, stage: Stage): Promise<string> {
  return (await logsOf(query, stage)).split(",").sort().join();
}

/** Around the second of two lines, whose times are the log's own. */
const timed = (name: "since" | "until", where: "first" | "between" | "never", stage: Stage): Promise<string> =>
  withContainers(stage, { "q-timed": { Cmd: ["sh", "-c", "echo one; echo two"] } }, async () => {
    await stage.product.engine.containers.start("q-timed");
    await ended(stage, "q-timed");
    const { body } = await request(stage.product, "GET", "/containers/q-timed/logs?stdout=1&timestamps=1");
    const [first = "", second = ""] = [...body.matchAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g)].map(([time]) => unixOf(time));
    const time = { first, between: second, never: "" }[where];
    return linesOf((await request(stage.product, "GET", `/containers/q-timed/logs?stdout=1&${name}=${time}`)).body);
  });

function unixOf(time: string): string {
  const [seconds = "", fraction = "0Z"] = time.split(".");
  return `${Date.parse(`${seconds.replace("Z", "")}Z`) / 1000}.${fraction.replace("Z", "")}`;
}

const badLogs = (name: string, values: readonly string[]) => ({
  method: "GET",
  target: `/containers/${NEIGHBOUR}/logs?stdout=1&${name}=VALUE`,
  values,
});

const followed = (query: string, stage: Stage): Promise<string> =>
  withRunning(stage, "q-followed", { Cmd: ["sh", "-c", "echo one; read x; echo two"], OpenStdin: true }, async () => {
    await logged(stage, "q-followed", "one");
    const answer = request(stage.product, "GET", `/containers/q-followed/logs?stdout=1&${query}`);
    // Who follows is answered when the container ends, who does not before: it ends by being told, behind the answer or before.
    const isOn = /=(1|true|yes)$/.test(query);
    const before = isOn ? "" : linesOf((await answer).body);
    await stage.product.engine.containers.kill("q-followed");
    return before + (isOn ? `${linesOf((await answer).body)} and its end` : "");
  });

const logQueries: Readonly<Record<string, QueryRow>> = {
  "ContainerLogs follow": flagRow(followed, "one and its end", "one")("follow"),
  "ContainerLogs stdout": flagRow(
    (query, stage) => sortedLogsOf(`stderr=1&${query}`, stage),
    "bad,one,three,two",
    "bad",
  )("stdout"),
  "ContainerLogs stderr": flagRow(
    (query, stage) => sortedLogsOf(`stdout=1&${query}`, stage),
    "bad,one,three,two",
    "one,three,two",
  )("stderr"),
  "ContainerLogs since": {
    ...acts(
      ["first", "between", "never"] as const,
      (where, stage) => timed("since", where, stage),
      (where) => (where === "between" ? "two" : "one,two"),
    ),
    bad: badLogs("since", noTimes),
  },
  "ContainerLogs until": {
    ...acts(
      ["first", "between", "never"] as const,
      (where, stage) => timed("until", where, stage),
      (where) => (where === "first" ? "one" : "one,two"),
    ),
    bad: badLogs("until", noTimes),
  },
  "ContainerLogs timestamps": flagRow(
    (query, stage) => logsOf(`stdout=1&tail=1&${query}`, stage),
    "TIME three",
    "three",
  )("timestamps"),
  "ContainerLogs tail": {
    ...acts(
      ["0", "1", "2", "999999999", "all", "-1", ""],
      (tail, stage) => logsOf(`stdout=1&tail=${tail}`, stage),
      (tail) => ({ 0: "", 1: "three", 2: "two,three" })[tail] ?? "one,two,three",
    ),
    bad: badLogs("tail", ["some", "1.5", "1e3", "ALL", "0x1"]),
  },
};

// ── stats, terminals ─────────────────────────────────────────────────────────────────────────────────────────────────

/** Frames of one that is removed when others have had two: who has asked for one has got it by then. */
const framesOf = (stream: string, stage: Stage): Promise<string> =>
  withRunning(stage, "q-stats", {}, async () => {
    const { containers } = stage.product.engine;
    const answer = request(stage.product, "GET", `/containers/q-stats/stats?stream=${stream}`);
    const frames = answer.then(({ body }) => framesIn(body));
    if (stream === "0" || stream === "false") return String(await frames);
    for (let i = 0; i < 2; i++) await containers.stats(NEIGHBOUR);
    await containers.remove("q-stats", { force: true });
    return (await frames) > 1 ? "goes on" : "one";
  });

function framesIn(body: string): number {
  return [...body.matchAll(/"preread":/g)].length;
}

const sizes = ["1", "300", "65535"];
const badSizes = [...noNumbers, "-1", "65536", "0"];

const sizeRow = (
  operation: string,
  name: "h" | "w",
  see: (query: string, stage: Stage) => Promise<string>,
): QueryRow => ({
  ...acts(
    sizes,
    (size, stage) => see(name === "h" ? `h=${size}&w=80` : `h=24&w=${size}`, stage),
    (size) => (name === "h" ? `${size} 80` : `24 ${size}`),
  ),
  bad: {
    method: "POST",
    target: `/${operation}/resize?${name === "h" ? "w=80&h=VALUE" : "h=24&w=VALUE"}`,
    values: badSizes,
    named: /parameter [hw] |terminal size/,
  },
});

/** Rows and columns of what a process has as its input, as the kernel has them: busybox takes some for mistakes. */
async function sizeOf(pid: number): Promise<string> {
  const size = () =>
    Bun.spawnSync(["stty", "-F", `/proc/${pid}/fd/0`, "size"])
      .stdout.toString()
      .trim();
  await waitUntil(() => size() !== "0 0", waitMs, "it has a size");
  return size();
}

const resizedContainer = (query: string, stage: Stage): Promise<string> =>
  withRunning(stage, "q-tty", { Cmd: ["sleep", "1000"], Tty: true }, async () => {
    await asked(stage, "POST", `/containers/q-tty/resize?${query}`);
    return sizeOf((await stage.product.engine.containers.inspect("q-tty")).State.Pid);
  });

const resizedExec = async (query: string, stage: Stage): Promise<string> => {
  const { execs } = stage.product.engine;
  const body = { AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: true, Cmd: ["sleep", "1000"] };
  const { Id } = await execs.create(NEIGHBOUR, body as never);
  await asked(stage, "POST", `/exec/${Id}/start`, { Detach: true, Tty: true });
  await asked(stage, "POST", `/exec/${Id}/resize?${query}`);
  const { Pid } = await execs.inspect(Id);
  const size = await sizeOf(Pid);
  process.kill(Pid, "SIGKILL");
  await waitUntil(async () => !(await execs.inspect(Id)).Running, waitMs, "it has ended");
  return size;
};

export const streamQueries: Readonly<Record<string, QueryRow>> = {
  ...logQueries,
  "ContainerStats stream": acts(["1", "true", "", "0", "false"], framesOf, (stream) =>
    ["0", "false"].includes(stream) ? "1" : "goes on",
  ),
  "ContainerStats one-shot": flagRow(
    async (query, stage) => {
      const answer = await request(stage.product, "GET", `/containers/${NEIGHBOUR}/stats?stream=0&${query}`);
      const frame = JSON.parse(unchunked(answer.body)) as { preread: string };
      return frame.preread.slice(0, 4) === "0001" ? "one look" : "two looks";
    },
    "one look",
    "two looks",
  )("one-shot"),
  "ContainerResize h": sizeRow(`containers/${NEIGHBOUR}`, "h", resizedContainer),
  "ContainerResize w": sizeRow(`containers/${NEIGHBOUR}`, "w", resizedContainer),
  "ExecResize h": sizeRow("exec/EXEC", "h", resizedExec),
  "ExecResize w": sizeRow("exec/EXEC", "w", resizedExec),
};
