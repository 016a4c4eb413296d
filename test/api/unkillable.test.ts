/** What stands still and must not keep others waiting: a disk, a group that somebody froze, a monitor, a client that copies. */

import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { FrozenDisk } from "../frozen-disk.ts";
import { testsAtOnce } from "../kernel/at-once.ts";
import { kernelTest, type Need, type Scratch } from "../kernel/harness.ts";
import { monitorOf, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { type Answer, messageOf, open, request } from "./engine-fixture.ts";

const needs: readonly Need[] = ["root", "product", "overlay"];
const waitMs = 20_000;
const testMs = 90_000;

interface State {
  readonly Status: string;
  readonly Pid: number;
  readonly ExitCode: number;
  readonly Error: string;
}

class Machine {
  readonly product: Product;

  constructor({ directory, defer }: Scratch) {
    this.product = new Product(directory);
    defer(() => this.product.stop());
  }

  ask(method: string, path: string, body?: unknown): Promise<Answer> {
    return request(this.product, method, path, body);
  }

  async run(name: string, script: string, host: Record<string, unknown> = {}): Promise<void> {
    const body = { Image: "host", Cmd: ["sh", "-c", script], HostConfig: { NetworkMode: "none", ...host } };
    expect(await this.ask("POST", `/containers/create?name=${name}`, body)).toMatchObject({ status: 201 });
    expect(await this.ask("POST", `/containers/${name}/start`)).toMatchObject({ status: 204 });
  }

  async state(name: string): Promise<State> {
    const { body } = await this.ask("GET", `/containers/${name}/json`);
    return (JSON.parse(body) as { State: State }).State;
  }

  becomes(name: string, status: string): Promise<void> {
    return waitUntil(async () => (await this.state(name)).Status === status, waitMs, `${name} is ${status}`);
  }

  /** Everything that does not concern the container that stands still goes on. */
  async others(): Promise<void> {
    await this.run("other", "exit 3");
    await this.becomes("other", "exited");
    expect((await this.state("other")).ExitCode).toBe(3);
    expect((await this.ask("DELETE", "/containers/other")).status).toBe(204);
    expect((await this.ask("GET", "/containers/json?all=1")).status).toBe(200);
    expect((await this.ask("GET", `/events?since=0&until=${(Date.now() + 10) / 1000}`)).body).toContain("destroy");
  }

  async loseEngine(): Promise<void> {
    const pid = this.product.enginePid() ?? expect.unreachable("no engine runs");
    process.kill(pid, "SIGKILL");
    await waitUntil(() => this.product.enginePid() !== pid, waitMs, "another engine");
  }
}

interface Health {
  readonly Status: string;
  readonly Log: readonly { readonly Output: string }[];
}

/** The directory of the process's group: the freezer's on cgroup v1. */
function groupOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/cgroup`, "utf8");
  const v1 = /^\d+:(?:[^:]*,)?freezer(?:,[^:]*)?:(.*)$/m.exec(text)?.[1];
  const path = v1 === undefined ? /^0::(.*)$/m.exec(text)?.[1] : `/freezer${v1}`;
  return `/sys/fs/cgroup${path}`;
}

function processesIn(group: string): number[] {
  return readFileSync(`${group}/cgroup.procs`, "utf8").split("\n").filter(Boolean).map(Number);
}

/** The state letter of the process: "D". */
function stateOf(pid: number): string {
  return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
}

async function timed(asked: Promise<Answer>): Promise<{ readonly answer: Answer; readonly seconds: number }> {
  const beganMs = performance.now();
  const answer = await asked;
  return { answer, seconds: (performance.now() - beganMs) / 1000 };
}

const writing = "while :; do echo x >>/disk/file; done";

/** Their time is that of the product's bounds, five seconds and more, several times each. */
testsAtOnce(
  needs,
  {
    "a process that waits for a disk: stop, kill, restart and rm -f say so in time, and its end comes with the disk":
      async (scratch) => {
        const machine = new Machine(scratch);
        await machine.product.ok("ps");
        using disk = new FrozenDisk(scratch.directory);
        const host = { Binds: [`${disk.path}:/disk`] };
        await machine.run("waiting", writing, host);
        await machine.run("passing", writing, { ...host, AutoRemove: true });
        const { Pid } = await machine.state("waiting");
        await waitUntil(() => existsSync(`${disk.path}/file`), waitMs, "it writes");
        disk.freeze();
        await waitUntil(() => stateOf(Pid) === "D", waitMs, "it waits in the kernel");

        const where = "in (openat|write)\\(2\\), waiting in percpu_rwsem_wait";
        const why = new RegExp(`process ${Pid} \\(sh\\) is in state D \\(disk sleep\\), ${where}`);
        const stop = timed(machine.ask("POST", "/containers/waiting/stop?t=1"));
        await machine.others();
        expect((await machine.state("waiting")).Status).toBe("running");
        const words = "tried to kill container, but did not receive an exit event";
        const { answer, seconds } = await stop;
        expect(answer.status).toBe(500);
        // Its timeout and five seconds. The disk stands still meanwhile: nothing else can end the wait.
        expect(seconds).toBeGreaterThanOrEqual(6);
        expect(messageOf(answer)).toMatch(new RegExp(`^cannot stop container: [0-9a-f]{64}: ${words}: `));
        expect(messageOf(answer)).toMatch(why);
        expect((await machine.state("waiting")).Error).toMatch(why);
        expect((await machine.ask("GET", "/containers/waiting/top")).status).toBe(200);

        const others = [
          machine.ask("POST", "/containers/waiting/kill"),
          machine.ask("POST", "/containers/waiting/restart?t=0"),
          machine.ask("DELETE", "/containers/waiting?force=1"),
          machine.ask("DELETE", "/containers/passing?force=1"),
        ];
        for (const answer of await Promise.all(others)) {
          expect(answer.status).toBe(500);
          expect(messageOf(answer)).toMatch(new RegExp(`${words}: process \\d+ \\(sh\\) is in state D`));
        }

        await machine.loseEngine();
        await machine.others();
        expect((await machine.state("waiting")).Status).toBe("running");

        disk.thaw();
        await machine.becomes("waiting", "exited");
        expect(await machine.state("waiting")).toMatchObject({ ExitCode: 137, Error: "" });
        await waitUntil(
          async () => (await machine.ask("GET", "/containers/passing/json")).status === 404,
          waitMs,
          "the --rm container is gone",
        );
        expect((await machine.ask("DELETE", "/containers/waiting")).status).toBe(204);
      },
    "what an engine killed before it died does not count as running: a start waits for its end": async (scratch) => {
      const machine = new Machine(scratch);
      await machine.product.ok("ps");
      using disk = new FrozenDisk(scratch.directory);
      await machine.run("killed", writing, { Binds: [`${disk.path}:/disk`] });
      const { Pid } = await machine.state("killed");
      await waitUntil(() => existsSync(`${disk.path}/file`), waitMs, "it writes");
      disk.freeze();
      await waitUntil(() => stateOf(Pid) === "D", waitMs, "it waits in the kernel");
      const kill = machine.ask("POST", "/containers/killed/kill").catch(() => undefined);
      await waitUntil(
        () => /^ShdPnd:\s+0*1..$/m.test(readFileSync(`/proc/${Pid}/status`, "utf8")),
        waitMs,
        "it is killed",
      );
      await machine.loseEngine();
      await kill;

      const late = await machine.ask("POST", "/containers/killed/start");
      expect([late.status, messageOf(late)]).toEqual([
        500,
        expect.stringContaining(`process ${Pid} (sh) is in state D`),
      ]);
      const start = machine.ask("POST", "/containers/killed/start");
      await Bun.sleep(300); // it waits
      disk.thaw();
      expect((await start).status).toBe(204);
      const { Status, Pid: next } = await machine.state("killed");
      expect(Status).toBe("running");
      expect(next).not.toBe(Pid);
      expect((await machine.ask("POST", "/containers/killed/kill")).status).toBe(204);
    },
    "a process that outlives its container keeps it from starting, says why, and is cleared away with the disk's return":
      async (scratch) => {
        const machine = new Machine(scratch);
        await machine.product.ok("ps");
        using disk = new FrozenDisk(scratch.directory);
        const host = { Binds: [`${disk.path}:/disk`], PidMode: "host" };
        await machine.run("leaving", `(${writing}) & exec sleep 1000`, host);
        const { Pid } = await machine.state("leaving");
        await waitUntil(() => existsSync(`${disk.path}/file`), waitMs, "it writes");
        disk.freeze();
        const group = groupOf(Pid);
        await waitUntil(() => processesIn(group).some((pid) => stateOf(pid) === "D"), waitMs, "it waits in the kernel");
        process.kill(Pid, "SIGKILL");
        await machine.becomes("leaving", "exited");
        const started = await machine.ask("POST", "/containers/leaving/start");
        expect(started.status).toBe(500);
        expect(messageOf(started)).toMatch(
          /^cannot start container: .*: what ran before has not ended: process \d+ \(sh\) is in state D/,
        );
        await machine.others();
        expect((await machine.ask("DELETE", "/containers/leaving")).status).toBe(204);
        expect(existsSync(group)).toBe(true);
        disk.thaw();
        await waitUntil(() => !existsSync(group), waitMs, "its group is gone");
      },
    "a health check that does not end is not made a second time beside it": async (scratch) => {
      const machine = new Machine(scratch);
      await machine.product.ok("ps");
      using disk = new FrozenDisk(scratch.directory);
      const second = 1_000_000_000;
      const body = {
        Image: "host",
        Cmd: ["sleep", "1000"],
        HostConfig: { NetworkMode: "none", Binds: [`${disk.path}:/disk`] },
        Healthcheck: {
          Test: ["CMD-SHELL", "echo x >>/disk/file"],
          Interval: second / 10,
          Timeout: second,
          Retries: 3,
        },
      };
      expect((await machine.ask("POST", "/containers/create?name=checked", body)).status).toBe(201);
      expect((await machine.ask("POST", "/containers/checked/start")).status).toBe(204);
      const health = async () => ((await machine.state("checked")) as State & { Health: Health }).Health;
      await waitUntil(async () => (await health()).Status === "healthy", waitMs, "it is healthy");
      disk.freeze();
      await waitUntil(async () => (await health()).Status === "unhealthy", waitMs, "it is unhealthy");
      const notMade = /^Health check not made: process \d+ of the last one has not ended$/;
      await waitUntil(async () => notMade.test((await health()).Log.at(-1)?.Output ?? ""), waitMs, "none is made");
      const { Pid } = await machine.state("checked");
      expect(processesIn(groupOf(Pid))).toHaveLength(2);
      disk.thaw();
      await waitUntil(async () => (await health()).Status === "healthy", waitMs, "it is healthy again");
      expect((await machine.ask("DELETE", "/containers/checked?force=1")).status).toBe(204);
    },
    "a monitor that stands still is named, keeps no engine from starting, and is taken over when it goes on": async (
      scratch,
    ) => {
      const machine = new Machine(scratch);
      await machine.product.ok("ps");
      await machine.run("watched", "sleep 1000");
      const monitor = monitorOf((await machine.state("watched")).Pid);
      process.kill(monitor, "SIGSTOP");
      try {
        const stopped = await machine.ask("POST", "/containers/watched/stop?t=0");
        expect(messageOf(stopped)).toContain(`its monitor, process ${monitor}, is in state T (stopped)`);
        await machine.loseEngine();
        await machine.others();
        expect(await machine.state("watched")).toMatchObject({
          Status: "running",
          Error: "its monitor does not answer",
        });
        expect(messageOf(await machine.ask("POST", "/containers/watched/stop?t=0"))).toContain(`process ${monitor}`);
      } finally {
        process.kill(monitor, "SIGCONT");
      }
      await machine.becomes("watched", "exited");
      expect(await machine.state("watched")).toMatchObject({ ExitCode: 137, Error: "" });
      expect((await machine.ask("DELETE", "/containers/watched")).status).toBe(204);
    },
    "an exec's monitor that stands still keeps neither the engine nor its container from anything": async (scratch) => {
      const machine = new Machine(scratch);
      await machine.product.ok("ps");
      await machine.run("outer", "sleep 1000");
      const created = await machine.ask("POST", "/containers/outer/exec", { Cmd: ["sleep", "1000"] });
      const { Id } = JSON.parse(created.body) as { Id: string };
      expect((await machine.ask("POST", `/exec/${Id}/start`, { Detach: true })).status).toBe(200);
      const inspect = async () =>
        JSON.parse((await machine.ask("GET", `/exec/${Id}/json`)).body) as { ExitCode: number; Pid: number };
      const { Pid } = await inspect();
      const monitor = monitorOf(Pid);
      process.kill(monitor, "SIGSTOP");
      process.kill(Pid, "SIGKILL");
      try {
        await machine.loseEngine();
        await machine.others();
        expect(await machine.state("outer")).toMatchObject({ Status: "running", Error: "" });
        expect(messageOf(await machine.ask("POST", `/exec/${Id}/start`, { Detach: true }))).toContain(
          "is running already",
        );
      } finally {
        process.kill(monitor, "SIGCONT");
      }
      await waitUntil(async () => (await inspect()).ExitCode === 137, waitMs, "its end is known");
      expect((await machine.ask("DELETE", "/containers/outer?force=1")).status).toBe(204);
    },
    "a client that stops in the middle of a copy is left as soon as something else waits for the container": async (
      scratch,
    ) => {
      const machine = new Machine(scratch);
      await machine.product.ok("ps");
      const body = { Image: "host", Cmd: ["true"], HostConfig: { NetworkMode: "none" } };
      expect((await machine.ask("POST", "/containers/create?name=copied", body)).status).toBe(201);
      const client = await open(machine.product);
      let answer = "";
      client.setEncoding("utf8").on("data", (text: string) => {
        answer += text;
      });
      const head = "PUT /containers/copied/archive?path=/tmp HTTP/1.1\r\nHost: x\r\nContent-Length: 10240\r\n";
      client.write(`${head}Expect: 100-continue\r\n\r\n`);
      // Another connection's request may be read before it.
      await waitUntil(() => answer.startsWith("HTTP/1.1 100 "), waitMs, "it is under way");
      client.write("begun");
      expect((await machine.ask("POST", "/containers/copied/start")).status).toBe(204);
      await waitUntil(
        () => answer.includes("nothing came for 5 s, and something else waited"),
        waitMs,
        "the client is told",
      );
      expect(answer).toContain("\r\n\r\nHTTP/1.1 503");
      client.destroy();
      await machine.becomes("copied", "exited");
      expect((await machine.ask("DELETE", "/containers/copied")).status).toBe(204);
    },
  },
  testMs,
);

kernelTest(
  "a group that somebody froze from above is named, and goes on when it is let go",
  [...needs, "cgroup1"],
  async (scratch) => {
    const machine = new Machine(scratch);
    await machine.product.ok("ps");
    const group = "orlop-test-frozen";
    const parent = `/sys/fs/cgroup/freezer/${group}`;
    mkdirSync(parent, { recursive: true });
    try {
      await machine.run("frozen", "sleep 1000", { CgroupParent: `/${group}` });
      writeFileSync(`${parent}/freezer.state`, "FROZEN");
      const stopped = await machine.ask("POST", "/containers/frozen/stop?t=0");
      expect(stopped.status).toBe(500);
      expect(messageOf(stopped)).toContain(`the group ${parent} is frozen; process `);
      await machine.others();
    } finally {
      writeFileSync(`${parent}/freezer.state`, "THAWED");
    }
    await machine.becomes("frozen", "exited");
    expect((await machine.ask("DELETE", "/containers/frozen")).status).toBe(204);
    // The engine made the container's parent in every hierarchy, as it was asked to; it is whoever named it that removes it.
    const parents = readdirSync("/sys/fs/cgroup").map((hierarchy) => `/sys/fs/cgroup/${hierarchy}/${group}`);
    for (const path of parents.filter((path) => existsSync(path)))
      await waitUntil(() => removed(path), waitMs, "nothing is left in its group");
  },
  testMs,
);

function removed(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return false; // there is something in it still
  }
}
