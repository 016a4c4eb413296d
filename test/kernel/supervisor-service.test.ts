/** The supervisor with a socket that somebody else holds, as systemd does it. */

import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { waitUntil } from "../wait-until.ts";
import { executorPath, kernelTest, type Need, type Scratch } from "./harness.ts";
import { askEngine, askHttp, isAlive, launch, standIn, startSupervisor, stopSupervisor } from "./supervisor-fixture.ts";

const needs: readonly Need[] = ["root", "executor"];

interface Service {
  readonly runDirectory: string;
  readonly stateDirectory: string;
  /** The holder's end. */
  readonly exited: Promise<number>;
}

/** A supervisor on the socket that `socket-holder.ts` has for it. */
async function activate({ directory, defer }: Scratch, engine?: readonly string[]): Promise<Service> {
  const [runDirectory, stateDirectory] = [join(directory, "run"), join(directory, "state")];
  const socket = join(runDirectory, "orlop.sock");
  mkdirSync(runDirectory, { recursive: true });
  rmSync(socket, { force: true });
  const supervisor = [executorPath, "supervisor", runDirectory, stateDirectory, "600"];
  const holder = [process.execPath, join(import.meta.dir, "socket-holder.ts"), socket];
  const words = [...holder, ...supervisor, ...(engine ?? standIn(runDirectory))];
  const child = Bun.spawn(words, { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, ...foreign } });
  defer(async () => {
    await stopSupervisor(runDirectory);
    await child.exited;
  });
  await waitUntil(() => existsSync(socket), 5000, "it listens");
  return { runDirectory, stateDirectory, exited: child.exited };
}

const foreign = { ORLOP_FOREIGN_NAMESPACE: "1" };

function lockHolder(runDirectory: string): number {
  return Number(readFileSync(join(runDirectory, "lock"), "utf8"));
}

kernelTest(
  "an inherited socket is served, in the process that was started, and outlives it",
  needs,
  async (scratch) => {
    const { runDirectory } = await activate(scratch);
    const engine = await askEngine(runDirectory);
    expect(parentOf(engine)).toBe(lockHolder(runDirectory));
    await stopSupervisor(runDirectory);
    expect(existsSync(join(runDirectory, "orlop.sock"))).toBe(true);
    expect(existsSync(join(runDirectory, "control.sock"))).toBe(false);
  },
);

kernelTest(
  "a supervisor that was started by hand makes room, and leaves the new socket alone",
  needs,
  async (scratch) => {
    const byHand = await startSupervisor(scratch);
    await askEngine(byHand.runDirectory);
    const { runDirectory } = await activate(scratch);
    const engine = await askEngine(runDirectory);
    expect(parentOf(engine)).toBe(lockHolder(runDirectory));
    expect(lockHolder(runDirectory)).not.toBe(byHand.pid);
    await waitUntil(() => !isAlive(byHand.pid), 5000, "the older supervisor's end");
    expect(await askEngine(runDirectory)).toBe(engine);
  },
);

kernelTest("more than one socket, or one of another kind, is refused by name", needs, async ({ directory }) => {
  const words = [executorPath, "supervisor", join(directory, "run"), join(directory, "state"), "600", "/bin/true"];
  const inherit = (count: number) => ["sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=${count} exec "$@"`, "sh", ...words];
  expect(await launch(inherit(2), foreign)).toEqual({
    code: 125,
    said: expect.stringContaining("one socket is expected"),
  });
  expect(await launch(inherit(1), foreign)).toEqual({ code: 125, said: expect.stringContaining("does not listen") });
});

kernelTest(
  "as a service it starts the engine by itself where there are containers, and only there",
  needs,
  async (scratch) => {
    const log = join(scratch.directory, "log");
    const engine = ["/bin/sh", "-c", `echo >>"${log}"; exec sleep 600`];
    const { runDirectory, stateDirectory } = await activate(scratch, engine);
    await waitUntil(() => existsSync(join(runDirectory, "control.sock")), 5000, "it has started");
    await stopSupervisor(runDirectory);
    expect(existsSync(log)).toBe(false);
    mkdirSync(join(stateDirectory, "containers/one"), { recursive: true });
    await activate(scratch, engine);
    await waitUntil(() => existsSync(log), 5000, "the engine is started");
  },
);

kernelTest(
  "a service without a program for its engine says where its log is, and is not started again",
  needs,
  async (scratch) => {
    const { runDirectory, exited } = await activate(scratch, ["/no/such/engine"]);
    expect(await askHttp(runDirectory, "GET")).toContain("No such file or directory");
    await exited;
    const socket = join(runDirectory, "orlop.sock");
    expect(readFileSync(`${socket}.exit`, "utf8")).toBe("125"); // RestartPreventExitStatus of the unit
    expect(existsSync(socket)).toBe(true); // the next client starts it, where the unit is whole again
  },
);

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}
