/**
 * Whose a running container's network namespace is: a second after its start no mount keeps it any more, and everything that is done
 * in it is done by way of its first process. An engine is killed at network.holder.recorded.
 */

import { expect } from "bun:test";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ContainerInspection } from "../../src/client/container-types.ts";
import { PointFile } from "../crash/point-file.ts";
import { kernelTest, type Need, type Scratch } from "../kernel/harness.ts";
import { Product, testOrlopPath } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "nft", "ip", "busybox"];
const timeoutMs = 60_000;
const readyMs = 15_000;

interface Networked {
  readonly NetworkSettings: { readonly SandboxKey: string };
}

async function open(scratch: Scratch) {
  const points = new PointFile(join(scratch.directory, "points"));
  const product = new Product(scratch.directory, { program: testOrlopPath, env: { ORLOP_POINT_FILE: points.path } });
  scratch.defer(() => points[Symbol.dispose]());
  scratch.defer(() => product.stop());
  await product.ok("network", "create", "lan");
  await product.ok("network", "create", "other");
  const inspect = async (name: string) => JSON.parse(await product.ok("inspect", name))[0];
  /** Of these containers' namespaces. */
  const mounts = async (...names: string[]): Promise<string[]> => {
    const places = readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "");
    const folders = await Promise.all(
      names.map(async (name) => join(product.runDir, "containers", (await inspect(name)).Id)),
    );
    const kept = folders.map((folder) => JSON.parse(readFileSync(join(folder, "network.json"), "utf8")).id);
    return places.filter((place) => kept.some((id) => place === join(product.runDir, "netns", id)));
  };
  return { product, points, inspect, mounts };
}

const inside = (key: string, ...words: string[]): string =>
  Bun.spawnSync(["nsenter", `--net=${key}`, "--", ...words]).stdout.toString();

kernelTest(
  "a running container's namespace has no mount, and its networks are changed, named and seen all the same",
  needs,
  async (scratch) => {
    const { product, inspect, mounts } = await open(scratch);
    await product.ok("run", "-d", "--name", "web", "--network", "lan", "host", "sleep", "1000");
    await product.ok("run", "-d", "--name", "plain", "host", "sleep", "1000");
    await waitUntil(async () => (await mounts("web", "plain")).length === 0, readyMs, "their mounts are gone");
    const { State, NetworkSettings } = await inspect("web");
    const { SandboxKey, Networks } = NetworkSettings;
    expect(inside(SandboxKey, "readlink", "/proc/self/ns/net").trim()).toBe(readlinkSync(`/proc/${State.Pid}/ns/net`));
    expect(inside(SandboxKey, "ip", "-br", "address")).toContain(Networks.lan.IPAddress);
    for (const name of ["web", "plain"]) await product.ok("network", "connect", "other", name);
    expect(inside(SandboxKey, "ip", "-br", "address")).toContain("eth1");
    expect(await product.ok("exec", "plain", "busybox", "ping", "-c1", "-W20", "web")).toContain("1 packets received");
    await product.ok("network", "disconnect", "lan", "web");
    expect(inside(SandboxKey, "ip", "-br", "address")).not.toContain("eth0");
    expect(inside(SandboxKey, "ip", "route", "show", "default")).toContain("dev eth1");
    await product.ok("rm", "-f", "web", "plain");
    const left = () =>
      readdirSync(join(product.runDir, "netns")).map((id) => readlinkOf(join(product.runDir, "netns", id)));
    await waitUntil(() => left().every((to) => to === undefined), readyMs, "no name of theirs is left");
  },
  timeoutMs,
);

kernelTest(
  "whoever is told where a namespace is finds it there at every moment",
  needs,
  async (scratch) => {
    const { product } = await open(scratch);
    const { containers } = product.engine;
    // It is handed over a second after its start: on a busy machine one may be too late for that.
    let wasSeen = false;
    for (let time = 0; time < 10 && !wasSeen; time++) {
      const config = { Image: "host", Cmd: ["sleep", "1000"], HostConfig: { NetworkMode: "lan" } };
      const { Id } = await containers.create(config);
      await containers.start(Id);
      const { State, NetworkSettings } = (await containers.inspect(Id)) as ContainerInspection & Networked;
      const { ino } = statSync(`/proc/${State.Pid}/ns/net`);
      const { id } = JSON.parse(readFileSync(join(product.runDir, "containers", Id, "network.json"), "utf8"));
      const isMounted = () => readFileSync("/proc/self/mountinfo", "utf8").includes(`/netns/${id} `);
      wasSeen = isMounted();
      const deadline = performance.now() + readyMs;
      let elsewhere = 0;
      for (let after = 0; after < 100 && performance.now() < deadline; after += isMounted() ? 0 : 1)
        for (let look = 0; look < 100; look++) if (statSync(NetworkSettings.SandboxKey).ino !== ino) elsewhere++;
      expect(isMounted(), "it was handed over meanwhile").toBe(false);
      expect(elsewhere).toBe(0);
    }
    product.disconnect();
    expect(wasSeen, "one was seen before it was handed over").toBe(true);
  },
  timeoutMs,
);

function readlinkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // a mount
  }
}

kernelTest(
  "an engine that is killed in the middle of it, and those of before: the next one makes it so",
  needs,
  async (scratch) => {
    const { product, points, inspect, mounts } = await open(scratch);
    points.arm("network.holder.recorded", "kill");
    await product.ok("run", "-d", "--name", "web", "--network", "lan", "host", "sleep", "1000");
    await waitUntil(() => points.hasActed, readyMs, "the engine is killed");
    await waitUntil(async () => (await mounts("web")).length === 0, readyMs, "the next one has taken the mount away");
    const { SandboxKey, Networks } = (await inspect("web")).NetworkSettings;
    expect(inside(SandboxKey, "ip", "-br", "address")).toContain(Networks.lan.IPAddress);
    product.killEngine();
    await product.ok("network", "connect", "other", "web");
    expect(inside(SandboxKey, "ip", "-br", "address")).toContain("eth1");
  },
  timeoutMs,
);

kernelTest(
  "networks of a container that ends at this moment are changed for its next start",
  needs,
  async (scratch) => {
    const { product, inspect, mounts } = await open(scratch);
    await product.ok("network", "create", "third");
    await product.ok("run", "-d", "--name", "web", "--network", "lan", "host", "sleep", "1000");
    await product.ok("network", "connect", "other", "web");
    await waitUntil(async () => (await mounts("web")).length === 0, readyMs, "its mount is gone");
    const { Pid } = (await inspect("web")).State;
    const monitor = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${Pid}/status`, "utf8"))?.[1]);
    process.kill(monitor, "SIGSTOP"); // it takes in the end, and tells it
    scratch.defer(() => void (product.pids().includes(monitor) && process.kill(monitor, "SIGCONT")));
    process.kill(Pid, "SIGKILL");
    const isOver = () => /^State:\s+Z/m.test(readFileSync(`/proc/${Pid}/status`, "utf8"));
    await waitUntil(isOver, readyMs, "it has ended, and nobody was told");
    await product.ok("network", "connect", "third", "web");
    await product.ok("network", "disconnect", "other", "web");
    process.kill(monitor, "SIGCONT");
    await product.ok("wait", "web");
    await product.ok("start", "web");
    expect(Object.keys((await inspect("web")).NetworkSettings.Networks).toSorted()).toEqual(["lan", "third"]);
  },
  timeoutMs,
);

kernelTest(
  "a first process that has left the namespace is not followed: what cannot be done any more is refused by name",
  needs,
  async (scratch) => {
    const { product, inspect, mounts } = await open(scratch);
    const script = "until [ -e /tmp/go ]; do sleep 0.1; done; exec unshare --net sleep 1000";
    await product.ok("run", "-d", "--name", "web", "--network", "lan", "--privileged", "host", "sh", "-c", script);
    await waitUntil(async () => (await mounts("web")).length === 0, readyMs, "its mount is gone");
    const own = `/proc/${(await inspect("web")).State.Pid}/ns/net`;
    const given = readlinkSync(own);
    await product.ok("exec", "web", "touch", "/tmp/go");
    await waitUntil(() => readlinkSync(own) !== given, readyMs, "it has left");
    const { stderr } = await product.run(["network", "connect", "other", "web"]);
    expect(stderr).toContain("has left the network namespace that the container was given");
    await product.ok("rm", "-f", "web");
  },
  timeoutMs,
);
