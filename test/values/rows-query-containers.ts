/** Query parameters of what is done to containers: made, listed, inspected, ended, renamed, awaited, removed. */

import { waitUntil } from "../wait-until.ts";
import { asked, flagRow, logged, noNumbers, type QueryRow, waitMs, withContainers, withRunning } from "./query-row.ts";
import { acts } from "./row.ts";
import type { Summary } from "./rows-query-lists.ts";
import { NEIGHBOUR, type Stage } from "./stage.ts";

/** How a container of this body ends when it is asked to: what it wrote, and its code. */
function stopped(how: (value: string) => string) {
  return (value: string, stage: Stage) => {
    const traps = "trap 'echo usr; exit 4' USR1; trap 'echo term; exit 5' TERM; trap 'echo hup' HUP";
    const Cmd = ["sh", "-c", `${traps}; echo ready; while :; do sleep 0.05; done`];
    return withRunning(stage, "q-told", { Cmd }, async () => {
      await logged(stage, "q-told", "ready");
      await asked(stage, "POST", how(value));
      const { containers } = stage.product.engine;
      const told = () => stage.product.ok("logs", "q-told");
      await waitUntil(
        async () => /usr|term|hup/.test(await told()) || !(await containers.inspect("q-told")).State.Running,
        waitMs,
        "it was told",
      );
      return (await told()).replace("ready", "").trim();
    });
  };
}

const badSignals = ["SIGNOPE", "0", "65", "-1", "TERM,KILL", "9.5"];
const signalRow = (operation: string, more: string, signals: Readonly<Record<string, string>>): QueryRow => ({
  ...acts(
    Object.keys(signals),
    stopped((value) => `/containers/q-told/${operation}?${more}signal=${encodeURIComponent(value)}`),
    (value) => signals[value] ?? "",
  ),
  bad: { method: "POST", target: `/containers/${NEIGHBOUR}/${operation}?signal=VALUE`, values: badSignals },
});

const deaf = { Cmd: ["sh", "-c", "trap 'echo heard' TERM; echo ready; while :; do sleep 0.05; done"] };

/** Of one that does not end at SIGTERM: whether it is killed, or another one that is given a second is killed before it. */
const timeoutRow = (operation: string): QueryRow => ({
  ...acts(
    ["0", "1", "-1"],
    (t, stage) =>
      withRunning(stage, "q-deaf", deaf, async () => {
        await logged(stage, "q-deaf", "ready");
        const done = asked(stage, "POST", `/containers/q-deaf/${operation}?t=${t}`);
        if (t !== "-1") return done.then(() => "killed");
        await logged(stage, "q-deaf", "heard");
        const first = await withRunning(stage, "q-other", deaf, async () => {
          await logged(stage, "q-other", "ready");
          const other = asked(stage, "POST", `/containers/q-other/${operation}?t=1`).then(() => "waits");
          return Promise.race([done.then(() => "killed"), other]);
        });
        await stage.product.engine.containers.kill("q-deaf");
        await done;
        return first;
      }),
    (t) => (t === "-1" ? "waits" : "killed"),
  ),
  bad: { method: "POST", target: `/containers/${NEIGHBOUR}/${operation}?t=VALUE`, values: noNumbers },
});

/** One wait, what happens to the container, and when it was answered. */
function awaited(condition: string, stage: Stage): Promise<string> {
  return withContainers(stage, { "q-awaited": { Cmd: ["sh", "-c", "exit 6"] } }, async () => {
    const { containers } = stage.product.engine;
    const seen: string[] = [];
    const note = (what: string) => () => seen.push(what);
    const target = `/containers/q-awaited/wait?condition=${condition}`;
    const began = asked<{ StatusCode: number }>(stage, "POST", target).then(({ StatusCode }) =>
      note(`answer ${StatusCode}`)(),
    );
    if (condition === "not-running" || condition === "") await began;
    note("start")();
    const exit = await containers.wait("q-awaited", "next-exit");
    await containers.start("q-awaited");
    await exit.exit();
    if (condition === "next-exit") await began;
    note("remove")();
    await containers.remove("q-awaited");
    await began;
    return seen.join(", ");
  });
}

const waits: Readonly<Record<string, string>> = {
  "": "answer 0, start, remove",
  "not-running": "answer 0, start, remove",
  "next-exit": "start, answer 6, remove",
  removed: "start, remove, answer 6",
};

async function isThere(stage: Stage, name: string): Promise<string> {
  const found = await asked<Summary[]>(stage, "GET", "/containers/json?all=1");
  return found.some(({ Names }) => Names.includes(`/${name}`)) ? "there" : "gone";
}

export const containerQueries: Readonly<Record<string, QueryRow>> = {
  "ContainerCreate name": {
    ...acts(
      ["ab", "/slash", "A-b_c.9", "x".repeat(200)],
      async (name, stage) => {
        const body = { Cmd: ["true"], HostConfig: { Rootfs: stage.rootfs } };
        const { Id } = await asked<{ Id: string }>(stage, "POST", `/containers/create?name=${name}`, body);
        const { Name } = await stage.product.engine.containers.inspect(Id);
        await stage.product.engine.containers.remove(Id);
        return Name;
      },
      (name) => `/${name.replace(/^\//, "")}`,
    ),
    bad: {
      method: "POST",
      target: "/containers/create?name=VALUE",
      values: ["a", "-x", ".x", "a b", "a/b", "..", "ünï", "a\n", "a\0b"],
    },
  },
  "ContainerCreate platform": {
    ...acts(
      ["linux/amd64", "amd64", "linux", "LINUX/x86_64", ""],
      async (platform, stage) => {
        const target = `/containers/create?platform=${encodeURIComponent(platform)}`;
        const { Id } = await asked<{ Id: string }>(stage, "POST", target, { Image: stage.image("one"), Cmd: ["true"] });
        await stage.product.engine.containers.remove(Id);
        return Id.length === 64 ? "made" : Id;
      },
      "made",
    ),
    bad: {
      method: "POST",
      target: "/containers/create?platform=VALUE",
      values: ["linux/", "a/b/c/d", "/", "lin ux/amd64", "../x"],
    },
  },
  "ContainerTop ps_args": {
    ...acts(
      ["", "-ef", "aux", "-o pid,comm", "-eo pid,ppid,args"],
      async (words, stage) => {
        const target = `/containers/${NEIGHBOUR}/top?ps_args=${encodeURIComponent(words)}`;
        const { Titles, Processes } = await asked<{ Titles: string[]; Processes: string[][] }>(stage, "GET", target);
        return `${Titles.join(" ")}: ${Processes.map((row) => row[row.length - 1]).join()}`;
      },
      (words) => {
        const titles = {
          aux: "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND",
          "-o pid,comm": "PID COMMAND",
          "-eo pid,ppid,args": "PID PPID COMMAND",
        };
        const title = titles[words as keyof typeof titles] ?? "UID PID PPID C STIME TTY TIME CMD";
        return `${title}: ${words === "-o pid,comm" ? "sleep" : "sleep 1000"}`;
      },
    ),
    bad: {
      method: "GET",
      target: `/containers/${NEIGHBOUR}/top?ps_args=VALUE`,
      values: ["-o nothing", "--nothing", "-Z-", "a\0b"],
      named: "ps",
    },
  },
  "ContainerStart detachKeys": {
    // Docker's clients may send it; what it means is said again when they attach.
    ...acts(
      ["", "ctrl-a", "x,y", "ctrl-@,ctrl-["],
      (keys, stage) =>
        withContainers(stage, { "q-started": { Cmd: ["sleep", "1000"] } }, async () => {
          await asked(stage, "POST", `/containers/q-started/start?detachKeys=${encodeURIComponent(keys)}`);
          return String((await stage.product.engine.containers.inspect("q-started")).State.Running);
        }),
      "true",
    ),
    bad: {
      method: "POST",
      target: `/containers/${NEIGHBOUR}/start?detachKeys=VALUE`,
      values: ["ctrl-", "ctrl-1", "ab", "a,,b", `${"a,".repeat(40)}a`],
      named: "escape keys",
    },
  },
  "ContainerStop t": timeoutRow("stop"),
  "ContainerStop signal": signalRow("stop", "t=20&", { SIGUSR1: "usr", usr1: "usr", 10: "usr", "": "term" }),
  "ContainerRestart t": timeoutRow("restart"),
  "ContainerRestart signal": signalRow("restart", "t=20&", { SIGUSR1: "usr\nready", 15: "term\nready" }),
  "ContainerKill signal": signalRow("kill", "", { SIGHUP: "hup", HUP: "hup", 1: "hup", usr1: "usr", "": "" }),
  "ContainerRename name": {
    ...acts(
      ["q-other", "/q-slash", "Q.9"],
      (name, stage) =>
        withContainers(stage, { "q-old": { Cmd: ["true"] } }, async () => {
          const { Id } = await stage.product.engine.containers.inspect("q-old");
          await asked(stage, "POST", `/containers/q-old/rename?name=${name}`);
          return `${(await stage.product.engine.containers.inspect(Id)).Name} ${await isThere(stage, "q-old")}`;
        }),
      (name) => `/${name.replace(/^\//, "")} gone`,
    ),
    bad: {
      method: "POST",
      target: `/containers/${NEIGHBOUR}/rename?name=VALUE`,
      values: ["", "/", "a", "-x", "a b", "a/b", ".."],
      named: "name",
    },
  },
  "ContainerWait condition": {
    ...acts(Object.keys(waits), awaited, (condition) => waits[condition] ?? ""),
    bad: {
      method: "POST",
      target: `/containers/${NEIGHBOUR}/wait?condition=VALUE`,
      values: ["never", "not_running", "REMOVED", "removed,next-exit"],
    },
  },
  "ContainerDelete v": flagRow(
    (query, stage) =>
      withContainers(stage, { "q-volumes": { Cmd: ["true"], Volumes: { "/q": {} } } }, async () => {
        const { Mounts } = await asked<{ Mounts: { Name: string }[] }>(stage, "GET", "/containers/q-volumes/json");
        const volume = Mounts[0]?.Name ?? "";
        await asked(stage, "DELETE", `/containers/q-volumes?${query}`);
        const { Volumes } = await asked<{ Volumes: { Name: string }[] }>(stage, "GET", "/volumes");
        const left = Volumes.some(({ Name }) => Name === volume);
        if (left) await asked(stage, "DELETE", `/volumes/${volume}`);
        return volume === "" ? "had none" : left ? "left" : "gone";
      }),
    "gone",
    "left",
  )("v"),
  "ContainerDelete force": flagRow(
    (query, stage) =>
      withRunning(stage, "q-forced", {}, async () => {
        await asked(stage, "DELETE", `/containers/q-forced?${query}`).catch(() => undefined);
        return isThere(stage, "q-forced");
      }),
    "gone",
    "there",
  )("force"),
  "ContainerDelete link": flagRow(
    (query, stage) => {
      const linker = { Cmd: ["true"], HostConfig: { NetworkMode: "bridge", Links: ["q-target:q-alias"] } };
      return withContainers(stage, { "q-target": { Cmd: ["true"] }, "q-linker": linker }, async () => {
        await asked(stage, "DELETE", `/containers/q-linker/q-alias?${query}`);
        const { HostConfig } = await asked<{ HostConfig: { Links: string[] | null } }>(
          stage,
          "GET",
          "/containers/q-linker/json",
        );
        return `${await isThere(stage, "q-target")}, ${HostConfig.Links?.length ?? 0} links`;
      });
    },
    "there, 0 links",
    "gone, 1 links",
  )("link"),
};
