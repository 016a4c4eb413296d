/** How a container lives: health, restarts, its log, its end. */

import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { waitUntil } from "../wait-until.ts";
import { wholes } from "./generate.ts";
import { acts, kept, type Row, shows } from "./row.ts";
import type { Fragment, Seen, Stage } from "./stage.ts";

const waitMs = 15_000;
const MS = 1_000_000;
const HOUR = 3600e9;

interface Health {
  readonly Status: string;
  readonly FailingStreak: number;
  readonly Log: readonly {
    readonly Start: string;
    readonly End: string;
    readonly ExitCode: number;
    readonly Output: string;
  }[];
}

async function healthOf(seen: Seen): Promise<Health | undefined> {
  return (await seen.inspected("State.Health")) as Health | undefined;
}

async function healthWhen(seen: Seen, what: string, is: (health: Health) => boolean): Promise<Health> {
  let health: Health | undefined;
  await waitUntil(
    async () => {
      health = await healthOf(seen);
      return health !== undefined && is(health);
    },
    waitMs,
    what,
  );
  return health as Health;
}

const check = (fields: Fragment): Fragment => ({ Healthcheck: { Test: ["CMD", "false"], Interval: MS, ...fields } });

/** The least time between a probe's end and the next one's start. */
function leastPauseMs({ Log }: Health): number {
  const pauses = Log.slice(1).map(({ Start }, at) => Date.parse(Start) - Date.parse(Log[at]?.End ?? ""));
  return Math.min(...pauses);
}

/** Fails so often, then succeeds: whether it was unhealthy on the way. */
async function wasUnhealthy(stage: Stage, retries: number, failures: number): Promise<string> {
  const script = `n=$(cat /n 2>/dev/null || echo 0); echo $((n + 1)) >/n; test $n -ge ${failures}`;
  const ask = { Healthcheck: { Test: ["CMD-SHELL", script], Interval: MS, Retries: retries } };
  return stage.running(ask, async (seen) => {
    await healthWhen(seen, "it is healthy", ({ Status }) => Status === "healthy");
    const filters = JSON.stringify({ container: [seen.id], event: ["health_status: unhealthy"] });
    const until = (Date.now() / 1000).toFixed(3);
    const answer = await stage.product.engine.call({
      method: "GET",
      path: "/events",
      query: { since: "1", until, filters },
    });
    return (await answer.text()) === "" ? "never" : "unhealthy";
  });
}

const healthRows: Readonly<Record<string, Row>> = {
  "Healthcheck.Test[]": shows(
    [["CMD", "true"], ["CMD-SHELL", "exit 3"], ["CMD", "test", "-e", "/bin/sh"], ["NONE"], []],
    (Test) => check({ Test, Retries: 1 }),
    async (seen, [kind]) => {
      if (kind === undefined || kind === "NONE") return (await healthOf(seen))?.Status ?? "none";
      return (await healthWhen(seen, "it is known", ({ Status }) => Status !== "starting")).Status;
    },
    ([kind]) => (kind === "CMD" ? "healthy" : kind === "CMD-SHELL" ? "unhealthy" : "none"),
  ),
  // How often is a matter of time: that it is not more often can be seen.
  "Healthcheck.Interval": shows(
    [MS, 50 * MS, 400 * MS],
    (Interval) => check({ Test: ["CMD", "true"], Interval }),
    async (seen, Interval) => {
      const health = await healthWhen(seen, "there are three probes", ({ Log }) => Log.length >= 3);
      return String(leastPauseMs(health) >= Interval / MS - 1);
    },
    "true",
  ),
  "Healthcheck.Timeout": shows(
    [MS, 100 * MS],
    (Timeout) => check({ Test: ["CMD", "sleep", "1000"], Timeout, Interval: HOUR }),
    async (seen) => (await healthWhen(seen, "a probe has ended", ({ Log }) => Log.length > 0)).Log[0]?.Output ?? "",
    (Timeout) => `Health check exceeded timeout (${Timeout / MS}ms)`,
  ),
  "Healthcheck.Retries": acts(
    [1, 2, 5],
    async (retries, stage) => {
      const one = await wasUnhealthy(stage, retries, retries);
      return `${one} ${retries === 1 ? "never" : await wasUnhealthy(stage, retries, retries - 1)}`;
    },
    "unhealthy never",
  ),
  "Healthcheck.StartPeriod": shows(
    [HOUR, 0],
    (StartPeriod) => check({ StartPeriod, StartInterval: MS, Retries: 1 }),
    async (seen, StartPeriod) => {
      const enough = ({ Log, Status }: Health) => (StartPeriod === 0 ? Status !== "starting" : Log.length >= 3);
      const { Status, FailingStreak } = await healthWhen(seen, "it failed often", enough);
      return `${Status} ${FailingStreak > 0}`;
    },
    (StartPeriod) => (StartPeriod === 0 ? "unhealthy true" : "starting false"),
  ),
  "Healthcheck.StartInterval": shows(
    [MS, 40 * MS],
    (StartInterval) => check({ StartPeriod: HOUR, StartInterval, Interval: HOUR }),
    async (seen, StartInterval) => {
      const health = await healthWhen(seen, "there are five probes", ({ Log }) => Log.length >= 5);
      return String(leastPauseMs(health) >= StartInterval / MS - 1);
    },
    "true",
  ),
};

/** Its files: the log, and those that were rotated. */
async function logFiles(seen: Seen): Promise<number> {
  const path = (await seen.inspected("LogPath")) as string;
  if (path === "" || !existsSync(dirname(path))) return 0;
  const name = path.slice(dirname(path).length + 1);
  return readdirSync(dirname(path)).filter((file) => file.startsWith(name)).length;
}

const writing = ["sh", "-c", "seq 1 2000; echo end; exec sleep 1000"];

/** [key, value, what else, flags of logs, what is found] */
type LogOption = readonly [key: string, value: string, more: Readonly<Record<string, string>>, found: string];

const logOptions: readonly LogOption[] = [
  ["max-size", "1k", { "max-file": "2" }, "2 files"],
  ["max-size", "-1", { "max-file": "2" }, "1 files"],
  ["max-size", "1m", {}, "1 files"],
  ["max-file", "1", { "max-size": "1k" }, "1 files"],
  ["max-file", "4", { "max-size": "1k" }, "4 files"],
  ["labels", "kind", {}, "kind=seen"],
  ["labels-regex", "^ki", {}, "kind=seen"],
  ["env", "A,B", {}, "A=1"],
  ["env-regex", "^A$", {}, "A=1"],
  ["tag", "t-{{.Name}}", {}, "tag=t-"],
  ["mode", "non-blocking", { "max-buffer-size": "2m" }, "end"],
  ["mode", "blocking", {}, "end"],
  ["max-buffer-size", "1m", { mode: "non-blocking" }, "end"],
];

export const lifeRows: Readonly<Record<string, Row>> = {
  ...healthRows,
  "HostConfig.LogConfig.Type": shows(
    ["json-file", "local", "none", ""],
    (Type) => ({ Cmd: writing, HostConfig: { LogConfig: { Type } } }),
    async (seen, Type) => {
      if (Type === "none") return (await seen.stage.product.run(["logs", seen.id])).stderr.split(": ")[1] ?? "";
      await waitUntil(async () => (await seen.logs("--tail", "1")) === "end", waitMs, "everything is logged");
      return `${await logFiles(seen)} ${existsSync((await seen.inspected("LogPath")) as string)}`;
    },
    (Type) => (Type === "none" ? "configured logging driver does not support reading" : "1 true"),
  ),
  "HostConfig.LogConfig.Config.*": shows(
    logOptions,
    ([key, value, more]) => ({
      Cmd: writing,
      Env: ["A=1"],
      Labels: { kind: "seen" },
      HostConfig: { LogConfig: { Type: "json-file", Config: { ...more, [key]: value } } },
    }),
    async (seen, [, , , found]) => {
      await waitUntil(async () => (await seen.logs("--tail", "1")) === "end", waitMs, "everything is logged");
      if (found.endsWith("files")) return `${await logFiles(seen)} files`;
      const line = await seen.logs("--tail", "1", "--details");
      return line.includes(found) ? found : line;
    },
    ([, , , found]) => found,
  ),
  "HostConfig.RestartPolicy.Name": shows(
    ["no", "", "on-failure", "always", "unless-stopped"],
    (Name) => ({ Cmd: ["sh", "-c", "exit 3"], HostConfig: { RestartPolicy: { Name } } }),
    async (seen, Name) => {
      const count = async () => Number(await seen.inspected("RestartCount"));
      const isEnded = async () => (await seen.inspected("State.Status")) === "exited";
      const settled = async () => (Name === "no" || Name === "" ? isEnded() : (await count()) > 0);
      await waitUntil(settled, waitMs, "it has ended, or was started again");
      return (await count()) > 0 ? "again" : "once";
    },
    (Name) => (Name === "no" || Name === "" ? "once" : "again"),
  ),
  "HostConfig.RestartPolicy.MaximumRetryCount": shows(
    wholes(1, 3),
    (MaximumRetryCount) => ({
      Cmd: ["sh", "-c", "exit 3"],
      HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount } },
    }),
    async (seen) => {
      await waitUntil(async () => (await seen.inspected("State.Status")) === "exited", waitMs, "it is given up");
      return String(await seen.inspected("RestartCount"));
    },
    String,
  ),
  "HostConfig.AutoRemove": shows(
    [true, false],
    (AutoRemove) => ({ HostConfig: { AutoRemove } }),
    async ({ stage, id }) => {
      await stage.product.engine.containers.kill(id);
      const state = async () =>
        (await stage.product.engine.containers.list({ all: true })).find(({ Id }) => Id === id)?.State;
      await waitUntil(
        async () => (await state()) !== "running" && (await state()) !== "removing",
        waitMs,
        "it has ended",
      );
      return (await state()) ?? "gone";
    },
    (value) => (value ? "gone" : "exited"),
  ),
  "HostConfig.ContainerIDFile": kept("HostConfig.ContainerIDFile", ["", "/tmp/id", "relative"]),
  "HostConfig.Annotations.*": kept("HostConfig.Annotations", [{ "org.example/key": "value" }, { a: "", b: "\n" }]),
  ArgsEscaped: kept("ArgsEscaped", [true]),
  "OnBuild[]": kept("OnBuild", [["RUN true", "COPY . /"], []]),
  "HostConfig.Runtime": kept("HostConfig.Runtime", ["orlop", "runc", "io.containerd.runc.v2"]),
  "HostConfig.Isolation": kept("HostConfig.Isolation", ["default", ""]),
};

/** Before it is ended. */
async function updated(seen: Seen, RestartPolicy: Fragment): Promise<void> {
  const { stage, id } = seen;
  await seen.inside("until test -e /twice; do sleep 0.01; done");
  await stage.product.engine.done({ method: "POST", path: `/containers/${id}/update`, json: { RestartPolicy } });
}

/** Of a container that runs, and then fails. */
const failing = { Cmd: ["sh", "-c", "test -e /twice && exit 3; touch /twice; exec sleep 1000"] };

export const restartUpdateRows: Readonly<Record<string, Row>> = {
  "RestartPolicy.Name": shows(
    ["no", "on-failure", "always", "unless-stopped"],
    () => failing,
    async (seen, Name) => {
      await updated(seen, { Name });
      process.kill(seen.pid, "SIGKILL");
      const restarts = async () => Number(await seen.inspected("RestartCount"));
      const status = async () => await seen.inspected("State.Status");
      await waitUntil(
        async () => (Name === "no" ? (await status()) === "exited" : (await restarts()) > 0),
        waitMs,
        "it has ended, or was started again",
      );
      return (await restarts()) > 0 ? "again" : "once";
    },
    (Name) => (Name === "no" ? "once" : "again"),
  ),
  "RestartPolicy.MaximumRetryCount": shows(
    wholes(1, 3),
    () => failing,
    async (seen, MaximumRetryCount) => {
      await updated(seen, { Name: "on-failure", MaximumRetryCount });
      process.kill(seen.pid, "SIGKILL");
      await waitUntil(async () => (await seen.inspected("State.Status")) === "exited", waitMs, "it is given up");
      return String(await seen.inspected("RestartCount"));
    },
    String,
  ),
};
