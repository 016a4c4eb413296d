/** The supervisor: one per state directory, the engine on demand and again after its death, tasks, leaving. */

import { expect } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { connectUnix } from "../../src/kernel/connect-unix.ts";
import { openExecutor } from "../../src/kernel/executor-socket.ts";
import { encodeBare, encodeHello, encodeWatch, FrameDecoder } from "../../src/kernel/frame.ts";
import { waitUntil } from "../wait-until.ts";
import { because } from "./child.ts";
import { executorPath, kernelTest, type Need } from "./harness.ts";
import { askEngine, isAlive, launch, standIn, startSupervisor, stopSupervisor } from "./supervisor-fixture.ts";

const needs: readonly Need[] = ["root", "executor"];

/** Pids of a process's children. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return text === "" ? [] : text.split(" ").map(Number);
}

kernelTest("the command returns when clients can connect, and the sockets have their modes", needs, async (scratch) => {
  const { runDirectory, stateDirectory } = await startSupervisor(scratch);
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
  expect([mode(runDirectory), mode(stateDirectory)]).toEqual(["711", "711"]);
  expect(mode(join(runDirectory, "orlop.sock"))).toBe("660");
  expect(mode(join(runDirectory, "control.sock"))).toBe("600");
  expect(mode(join(runDirectory, "supervisor.sock"))).toBe("600");
});

kernelTest("the API socket belongs to the group that the client names", needs, async (scratch) => {
  const { runDirectory } = await startSupervisor(scratch, { env: { ORLOP_SOCKET_GID: "4321" } });
  expect(statSync(join(runDirectory, "orlop.sock")).gid).toBe(4321);
});

kernelTest("a second supervisor of the same state directory says so with exit code 3", needs, async (scratch) => {
  const { stateDirectory } = await startSupervisor(scratch);
  const other = [executorPath, "supervisor", join(scratch.directory, "other"), stateDirectory, "600", "/bin/true"];
  const { code, said } = await launch(other, { ORLOP_FOREIGN_NAMESPACE: "1" });
  expect(code).toBe(3);
  expect(said).toBe(`orlop: ${stateDirectory}/lock: another supervisor holds this\n`);
});

kernelTest("the engine is started by the first client, who is answered", needs, async (scratch) => {
  const { runDirectory, pid } = await startSupervisor(scratch);
  expect(childrenOf(pid)).toEqual([]);
  const engine = await askEngine(runDirectory);
  expect(childrenOf(pid)).toEqual([engine]);
  expect(await askEngine(runDirectory)).toBe(engine);
});

kernelTest("an idle engine leaves when asked, and comes back for the next client", needs, async (scratch) => {
  const { runDirectory, pid } = await startSupervisor(scratch, { idleSeconds: 0.1 });
  const first = await askEngine(runDirectory);
  await waitUntil(() => !isAlive(first), 5000, "the engine leaves");
  await waitUntil(() => childrenOf(pid).length === 0, 5000, "it is reaped");
  expect(await askEngine(runDirectory)).not.toBe(first);
});

kernelTest("a busy engine stays", needs, async (scratch) => {
  const { runDirectory } = await startSupervisor(scratch, { idleSeconds: 0.02, engine: (run) => standIn(run, "busy") });
  const first = await askEngine(runDirectory);
  for (let i = 0; i < 10; i++) expect(await askEngine(runDirectory)).toBe(first);
});

kernelTest("a killed engine is started again without anybody asking", needs, async (scratch) => {
  const { runDirectory, pid } = await startSupervisor(scratch);
  const first = await askEngine(runDirectory);
  process.kill(first, "SIGKILL");
  await waitUntil(() => childrenOf(pid).some((child) => child !== first), 5000, "a new engine");
  expect(await askEngine(runDirectory)).not.toBe(first);
});

kernelTest(
  "an engine that cannot start is tried again, more and more slowly, and the reason is logged",
  needs,
  async (scratch) => {
    const { runDirectory } = await startSupervisor(scratch, { engine: () => ["/no/such/engine"] });
    const began = Date.now();
    askEngine(runDirectory).catch(() => undefined); // waits in the backlog until the supervisor ends
    const log = join(runDirectory, "engine.log");
    const tries = () =>
      readFileSync(log, "utf8").match(/\/no\/such\/engine cannot be started: No such file/g)?.length ?? 0;
    await waitUntil(() => tries() >= 3, 5000, "three tries");
    expect(Date.now() - began).toBeGreaterThanOrEqual(250); // 0.1 s, then 0.2 s
  },
);

kernelTest("stop ends the engine, then the supervisor, and takes the sockets away", needs, async (scratch) => {
  const { runDirectory, pid } = await startSupervisor(scratch);
  const engine = await askEngine(runDirectory);
  await stopSupervisor(runDirectory);
  await waitUntil(() => !isAlive(pid), 5000, "the supervisor ends");
  expect(isAlive(engine)).toBe(false);
  expect(readdirSync(runDirectory).filter((name) => name.endsWith(".sock"))).toEqual([]);
});

kernelTest("SIGTERM does the same", needs, async (scratch) => {
  const { runDirectory, pid } = await startSupervisor(scratch);
  const engine = await askEngine(runDirectory);
  process.kill(pid, "SIGTERM");
  await waitUntil(() => !isAlive(pid), 5000, "the supervisor ends");
  expect(isAlive(engine)).toBe(false);
  expect(existsSync(join(runDirectory, "orlop.sock"))).toBe(false);
});

kernelTest(
  "the engine gets the listening socket as descriptor 3, its lock as 4, and nothing else of ours",
  needs,
  async (scratch) => {
    const env = { BUN_INSPECT: "x", SECRET: "y", ORLOP_KEPT: "1", HTTPS_PROXY: "http://127.0.0.1:1" };
    const engine = () => ["/bin/sh", "-c", `ls -l /proc/self/fd; env; exec sleep 60`];
    const { runDirectory, pid } = await startSupervisor(scratch, { engine, env });
    askEngine(runDirectory).catch(() => undefined); // only wakes it: this engine answers nobody
    await waitUntil(() => childrenOf(pid).length === 1, 5000, "the engine runs");
    const log = () => readFileSync(join(runDirectory, "engine.log"), "utf8");
    await waitUntil(() => log().includes("PWD="), 5000, "it has printed its environment");
    expect(log()).toMatch(/ 3 -> socket:/);
    expect(log()).toMatch(/ 4 -> \S*\/state\/engine\.lock/);
    expect(log()).not.toMatch(/ [6-9] -> /); // 5 is the directory that ls reads
    expect(log()).toContain("ORLOP_KEPT=1");
    expect(log()).toContain("HTTPS_PROXY=");
    expect(log()).not.toMatch(/BUN_INSPECT|SECRET/);
  },
);

kernelTest("a supervisor takes under 1 MB, from a sealed copy of its program", needs, async (scratch) => {
  const { pid } = await startSupervisor(scratch);
  const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
  expect(Number(pss?.[1])).toBeLessThan(1000);
  expect(readlinkSync(`/proc/${pid}/exe`)).toBe("/orlop-executor");
});

kernelTest(
  "it leaves cgroup, directory and nice value of its starter behind",
  [...needs, "cgroup1"],
  async (scratch) => {
    const { pid } = await startSupervisor(scratch);
    const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n");
    for (const line of groups.filter((line) => !line.startsWith("0::"))) expect(line).toEndWith(":/orlop-supervisor");
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/");
    expect(readFileSync(`/proc/${pid}/status`, "utf8")).toContain("Umask:\t0022");
  },
);

for (const [kind, name] of [
  ["mount", "--mount"],
  ["network", "--net"],
] as const) {
  kernelTest(`it refuses to start in a ${kind} namespace that is not PID 1's`, needs, async ({ directory }) => {
    // A PID namespace of the test's own: where we run in a container ourselves, the real PID 1 cannot be looked at.
    const start = `unshare ${name} ${executorPath} supervisor ${directory}/run ${directory}/state 600 /bin/true`;
    const inside = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", `${start}; exit $?`];
    const { code, said } = await launch(inside);
    expect(code).toBe(125);
    expect(said).toStartWith(`orlop: this shell is in another ${kind} namespace than PID 1: `);
    expect(said).toContain("ORLOP_FOREIGN_NAMESPACE=1");
    expect(readdirSync(directory)).toEqual([]);
  });
}

kernelTest("wrong arguments are named", needs, async ({ directory }) => {
  const refused = async (...words: string[]) => {
    const { code, said } = await launch([executorPath, "supervisor", ...words], { ORLOP_FOREIGN_NAMESPACE: "1" });
    expect(code).toBe(125);
    return said;
  };
  expect(await refused("relative", `${directory}/state`, "1", "/bin/true")).toContain("relative: not an absolute path");
  expect(await refused(`${directory}/run`, `${directory}/state`, "soon", "/bin/true")).toContain(
    "soon is not a number",
  );
  expect(await refused(`${directory}/run`)).toContain("ENGINE");
});

kernelTest("plans are carried out by tasks, which are reaped", needs, async (scratch) => {
  const { runDirectory, pid } = await startSupervisor(scratch);
  const executor = openExecutor(runDirectory);
  const path = join(scratch.directory, "made");
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => executor.run(because([{ op: "mkdir", path: `${path}/${i}`, mode: 0o700 }]))),
  );
  expect(readdirSync(path).length).toBe(20);
  const values = await executor.run(
    because([
      { op: "mkdir", path, mode: 0o700 },
      { op: "read", path: "/proc/self/cgroup" },
    ]),
  );
  expect(Buffer.from(values.get(1) ?? []).toString()).toContain("orlop-supervisor");
  await waitUntil(() => childrenOf(pid).length === 0, 5000, "all tasks are reaped");
  const failure = executor.run(because([{ op: "write", path: `${path}/none`, data: Buffer.from("x") }]));
  await expect(failure).rejects.toMatchObject({
    name: "StepFailure",
    errno: "ENOENT",
    detail: `${path}/none`,
    index: 0,
  });
});

kernelTest("a task that dies by a signal wakes the engine", needs, async (scratch) => {
  const { runDirectory, pid } = await startSupervisor(scratch, { env: { ORLOP_POINT: "step.mkdir:kill" } });
  const plan = openExecutor(runDirectory).run(
    because([{ op: "mkdir", path: join(scratch.directory, "x"), mode: 0o700 }]),
  );
  await expect(plan).rejects.toMatchObject({ code: "executor_lost" });
  await waitUntil(() => childrenOf(pid).length === 1, 5000, "the engine is there");
});

kernelTest("the end of an orphaned monitor starts the engine", needs, async (scratch) => {
  const { runDirectory, pid } = await startSupervisor(scratch);
  const orphan = Bun.spawn(["sleep", "60"]);
  const socket = await connectUnix(join(runDirectory, "supervisor.sock"));
  scratch.defer(() => void socket.destroy());
  socket.write(Buffer.concat([encodeHello(), encodeWatch(orphan.pid)]));
  expect(childrenOf(pid)).toEqual([]);
  // whether the supervisor reads WATCH before or after this makes no difference
  orphan.kill("SIGKILL");
  await orphan.exited;
  await waitUntil(() => childrenOf(pid).length === 1, 5000, "the engine is there");
});

kernelTest("WAKE starts the engine, and one that is not ours is told off", needs, async (scratch) => {
  const { runDirectory, pid } = await startSupervisor(scratch);
  const say = async (...frames: Uint8Array[]) => {
    const socket = await connectUnix(join(runDirectory, "supervisor.sock"));
    const answers = new FrameDecoder();
    socket.write(Buffer.concat(frames));
    const answer = new Promise((resolve) => {
      socket.on("data", (chunk: Uint8Array) => resolve(answers.push(chunk)[0]));
      socket.on("end", () => resolve(undefined));
    });
    return { socket, answer };
  };
  const stranger = await say(encodeHello(), encodeBare("GO"));
  expect(await stranger.answer).toMatchObject({ kind: "FAILED", errno: 71 }); // EPROTO
  stranger.socket.destroy();
  expect(childrenOf(pid)).toEqual([]);
  const monitor = await say(encodeHello(), encodeBare("WAKE"));
  await waitUntil(() => childrenOf(pid).length === 1, 5000, "the engine is there");
  monitor.socket.destroy();
});

kernelTest("the engine may stop its supervisor", needs, async (scratch) => {
  const { runDirectory, pid } = await startSupervisor(scratch, { engine: (run) => standIn(run, "stop") });
  askEngine(runDirectory).catch(() => undefined); // only wakes it
  await waitUntil(() => !isAlive(pid), 10_000, "the supervisor ends");
  expect(existsSync(join(runDirectory, "control.sock"))).toBe(false);
});

kernelTest("a monitor's links work across long paths", needs, async (scratch) => {
  const deep = join(scratch.directory, "d".repeat(90), "e".repeat(90));
  const { runDirectory } = await startSupervisor({ ...scratch, directory: deep });
  const values = await openExecutor(runDirectory).run(because([{ op: "read", path: "/proc/self/comm" }]));
  expect(Buffer.from(values.get(0) ?? []).toString()).toBe("orlop-task\n");
});
