/** Memory that runs out in a container is told when it does, whoever is killed for it and whether or not an engine is there. */

import { expect } from "bun:test";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { groupDirectories } from "../../src/kernel/cgroup/group.ts";
import { hierarchyOf } from "../../src/kernel/cgroup/layout.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { Product, testOrlopPath } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { cgroups } from "./container.ts";
import { kernelTest, type Need, type Scratch } from "./harness.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];
const patienceMs = 60_000;
const testMs = 120_000;
/** A process that wants more than the container may have. */
const greedy = "tail /dev/zero";
kernelTest(
  "a child is killed, or an exec, and its container lives on: each is told once, and known while it runs and afterwards",
  needs,
  async (scratch) => {
    const { product, run } = open(scratch);
    await run("web", [], `${greedy}; while [ ! -e /end ]; do sleep 0.05; done`);
    await waitUntil(async () => (await oomsOf(product, "web")) === 1, patienceMs, "it is told");
    expect(await stateOf(product, "web")).toEqual({ Status: "running", OOMKilled: true });
    expect((await product.run(["exec", "web", "tail", "/dev/zero"])).exitCode).toBe(137);
    await waitUntil(async () => (await oomsOf(product, "web")) === 2, patienceMs, "it is told of the exec");
    await product.ok("exec", "web", "touch", "/end");
    await product.ok("wait", "web");
    expect(await stateOf(product, "web")).toEqual({ Status: "exited", OOMKilled: true, ExitCode: 0 });
    expect(await actionsOf(product, "web")).toEqual(["oom", "oom", "die"]);
  },
  testMs,
);

kernelTest(
  "a first process that is killed: oom, then die; another start begins anew",
  needs,
  async (scratch) => {
    const { product, run } = open(scratch);
    await run("web", [], `[ -e /again ] && exec sleep 1000; touch /again; exec ${greedy}`);
    await product.ok("wait", "web");
    expect(await stateOf(product, "web")).toEqual({ Status: "exited", OOMKilled: true, ExitCode: 137 });
    expect(await actionsOf(product, "web")).toEqual(["oom", "die"]);
    await product.ok("start", "web");
    expect(await stateOf(product, "web")).toEqual({ Status: "running", OOMKilled: false });
  },
  testMs,
);

kernelTest(
  "while no engine is there: the next one tells, once, of what runs on and of what has ended",
  needs,
  async (scratch) => {
    const { product, run } = open(scratch);
    const wait = "while [ ! -e /go ]; do sleep 0.05; done";
    await run("runs", [], `${wait}; ${greedy}; sleep 1000`);
    await run("ends", [], `${wait}; exec ${greedy}`);
    const supervisor = product.supervisorPid() ?? expect.unreachable("no supervisor");
    const { containers } = product.engine;
    const pids = await Promise.all(["runs", "ends"].map(async (name) => (await containers.inspect(name)).State.Pid));
    const groups = pids.map((pid) => `/proc/${pid}/root`);
    process.kill(supervisor, "SIGSTOP"); // it would start another engine
    try {
      product.killEngine();
      for (const group of groups) writeFileSync(`${group}/go`, "");
      await waitUntil(() => !isThere(pids[1] ?? 0), patienceMs, "one has ended");
    } finally {
      process.kill(supervisor, "SIGCONT");
    }
    product.disconnect();
    await waitUntil(async () => (await oomsOf(product, "runs")) === 1, patienceMs, "the next engine tells");
    expect(await stateOf(product, "runs")).toEqual({ Status: "running", OOMKilled: true });
    expect(await stateOf(product, "ends")).toEqual({ Status: "exited", OOMKilled: true, ExitCode: 137 });
    expect(await actionsOf(product, "ends")).toEqual(["oom", "die"]);
    product.killEngine();
    product.disconnect();
    await product.ok("ps");
    expect(await stateOf(product, "runs")).toEqual({ Status: "running", OOMKilled: true });
    expect(await oomsOf(product, "runs")).toBe(0); // a killed engine takes its events along, and this one has nothing new to tell
  },
  testMs,
);

kernelTest(
  "memory that runs out in a group above is told of the container that lost a process to it alone",
  [...needs, "cgroup1"],
  async (scratch) => {
    const parent = `/${basename(scratch.directory)}`;
    const group = `${hierarchyOf(cgroups, "memory")?.mountPoint}${parent}`;
    scratch.defer(() => {
      for (const directory of groupDirectories(cgroups, parent)) if (existsSync(directory)) rmdirSync(directory);
    });
    const { product, run } = open(scratch);
    mkdirSync(group);
    writeFileSync(`${group}/memory.use_hierarchy`, "1");
    writeFileSync(`${group}/memory.limit_in_bytes`, String(32 << 20));
    await run("bystander", ["--cgroup-parent", parent, "-m", "1g"], "sleep 1000");
    await run("guilty", ["--cgroup-parent", parent, "-m", "1g"], `${greedy}; sleep 1000`);
    await waitUntil(async () => (await oomsOf(product, "guilty")) === 1, patienceMs, "it is told");
    expect(await oomsOf(product, "bystander")).toBe(0);
    expect(await stateOf(product, "bystander")).toEqual({ Status: "running", OOMKilled: false });
    for (const name of ["guilty", "bystander"]) await product.ok("rm", "-f", name);
  },
  testMs,
);

kernelTest(
  "where the kernel must not kill, that memory ran out is told all the same",
  [...needs, "cgroup1"],
  async (scratch) => {
    const { product, run } = open(scratch);
    // its own writes wait; a system call that finds no memory for what it writes fails
    await run("web", ["--oom-kill-disable"], `awk 'BEGIN { s = "12345678"; while (1) s = s s }'`);
    await waitUntil(async () => (await oomsOf(product, "web")) > 0, patienceMs, "it is told");
    expect(await stateOf(product, "web")).toEqual({ Status: "running", OOMKilled: false });
  },
  testMs,
);

/** An installation of the test's own, and how a container with little memory is started in it. */
function open({ directory, defer }: Scratch) {
  const product = new Product(directory, { program: testOrlopPath });
  const rootfs = makeBusyboxRoot(`${directory}/rootfs`);
  defer(() => product.stop());
  const limits = ["-m", "16m", "--memory-swap", "16m"];
  const run = (name: string, flags: readonly string[], script: string): Promise<string> =>
    product.ok(
      ...["run", "-d", "--network", "none", "--name", name, ...(flags.includes("-m") ? [] : limits), ...flags],
      ...["--rootfs", rootfs, "sh", "-c", script],
    );
  return { product, run };
}

interface State {
  readonly Status: string;
  readonly OOMKilled: boolean;
  readonly ExitCode: number;
}

async function stateOf(product: Product, name: string) {
  const { Status, OOMKilled, ExitCode } = (await product.engine.containers.inspect(name)).State as unknown as State;
  return Status === "running" ? { Status, OOMKilled } : { Status, OOMKilled, ExitCode };
}

/** What was told of its memory and its end, until now. */
async function actionsOf(product: Product, name: string): Promise<string[]> {
  const filters = { container: [name], event: ["oom", "die"] };
  const lines = await product.engine.system.events({ since: "1", until: String((Date.now() + 5) / 1000), filters });
  const actions: string[] = [];
  for await (const line of lines) actions.push((JSON.parse(line) as { Action: string }).Action);
  return actions;
}

async function oomsOf(product: Product, name: string): Promise<number> {
  return (await actionsOf(product, name)).filter((action) => action === "oom").length;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
