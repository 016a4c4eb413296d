/** Beside firewalld: our bridges are bound to a zone of its as long as they are there, whatever it or the engine does meanwhile. */

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { kernelTest, type Need } from "../kernel/harness.ts";
import type { Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";
import { host, neighbour, openBesideFirewalld, serverPort } from "./firewalld-fixture.ts";

const needs: readonly Need[] = ["root", "executor", "product", "nft", "ip", "busybox", "firewalld"];
const timeoutMs = 180_000;
/** What others change is made good in well under a second; firewalld, a large Python program, may take its time on a busy machine. */
const repairMs = 30_000;

/** From outside of the namespaces in which its supervisor knows it. */
function enginePid(product: Product): number {
  const words = (pid: number): string[] => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const pid = product.pids().find((one) => words(one)[1] === "engine");
  if (pid === undefined) throw new Error("no engine runs");
  return pid;
}

kernelTest(
  "firewalld's zone trusted gets our bridges: containers reach the world and the host, ports are reached, and nothing stays",
  needs,
  async (scratch) => {
    const { product, firewalld, bridge, reaches, reports, at } = await openBesideFirewalld(scratch);
    await firewalld.start();
    const explained = await product.ok("explain", "run", "--rm", "host", "true");
    expect(explained.split("\n").slice(0, 12).join("\n")).toContain(
      `org.fedoraproject.FirewallD1.zone.addInterface("trusted", "${bridge}")`,
    );
    expect(await firewalld.interfaces("trusted")).toBe("");

    const serve = ["busybox", "nc", "-ll", "-p", "80", "-e", "echo", "web"];
    await product.ok("run", "-d", "--name", "web", "-p", "8080:80", "host", ...serve);
    expect(await firewalld.interfaces("trusted")).toBe(bridge);
    expect(await reports()).toEqual([expect.stringContaining(`Orlop has bound ${bridge} to the zone trusted`)]);
    await waitUntil(() => reaches("web", neighbour), repairMs, "the world is reached");
    await waitUntil(() => reaches("web", host), repairMs, "the host is reached");
    const ask = (address: string, port: string) => at.neighbour("busybox", "nc", "-w", "1", address, port);
    const isServed = async (): Promise<boolean> => (await ask(host, "8080").catch(() => "")) === "web";
    await waitUntil(isServed, repairMs, "the published port is reached");
    const own = JSON.parse(await product.ok("inspect", "web"))[0].NetworkSettings.Networks.bridge.IPAddress;
    await at.neighbour("ip", "route", "add", own, "via", host);
    expect(await ask(own, "80").catch(() => "not reached")).toBe("not reached");

    await product.ok("network", "create", "shop");
    const first = ["busybox", "nc", "-w", "1", neighbour, serverPort]; // the network's first program has no time to wait
    expect(await product.ok("run", "--rm", "--network", "shop", "host", ...first)).toBe("hi");
    await product.ok("run", "-d", "--name", "db", "--network", "shop", "host", "sleep", "1000");
    expect((await firewalld.interfaces("trusted")).split(" ")).toHaveLength(2);
    await product.ok("rm", "-f", "db");
    await product.ok("network", "rm", "shop");
    expect(await firewalld.interfaces("trusted")).toBe(bridge);

    await product.ok("rm", "-f", "web");
    await product.stop();
    expect(await firewalld.interfaces("trusted")).toBe("");
  },
  timeoutMs,
);

kernelTest(
  "what firewalld forgets when it is reloaded or started anew is bound again, also by the next engine",
  needs,
  async (scratch) => {
    const { product, firewalld, bridge, reaches, reports } = await openBesideFirewalld(scratch);
    await product.ok("run", "-d", "--name", "web", "host", "sleep", "1000");
    expect(await reports()).toBeUndefined();
    const isBound = async (): Promise<boolean> => (await firewalld.interfaces("trusted")) === bridge;

    await firewalld.start();
    await waitUntil(isBound, repairMs, "it is bound when firewalld begins");
    await waitUntil(() => reaches("web", neighbour), repairMs, "the world is reached");
    await firewalld.cmd("--reload");
    await waitUntil(isBound, repairMs, "and when it is reloaded");
    await waitUntil(() => reaches("web", neighbour), repairMs, "the world is reached");

    await firewalld.kill("SIGTERM");
    await waitUntil(async () => (await reports()) === undefined, repairMs, "its end is seen");
    await firewalld.start();
    await waitUntil(isBound, repairMs, "and when it is started anew");

    await firewalld.kill("SIGKILL"); // its rules stay
    process.kill(enginePid(product), "SIGKILL");
    expect(await reports()).toEqual([expect.stringContaining("nobody answers for it on D-Bus")]);
    await firewalld.start();
    await waitUntil(isBound, repairMs, "and when both were started anew");
    await waitUntil(() => reaches("web", neighbour), repairMs, "the world is reached");
  },
  timeoutMs,
);

kernelTest(
  "a firewalld that does not answer keeps no container waiting for long, and binds when it does",
  needs,
  async (scratch) => {
    const { product, firewalld, bridge, reports } = await openBesideFirewalld(scratch);
    await firewalld.start();
    firewalld.signal("SIGSTOP");
    scratch.defer(() => firewalld.signal("SIGCONT"));
    await product.ok("run", "-d", "--name", "web", "host", "sleep", "1000");
    expect(await reports()).toEqual([expect.stringContaining("it has not answered yet")]);
    firewalld.signal("SIGCONT");
    const isSaid = async (): Promise<boolean> => (await reports())?.[0]?.includes(`bound ${bridge} to`) === true;
    await waitUntil(isSaid, repairMs, "it has answered");
    expect(await firewalld.interfaces("trusted")).toBe(bridge);
  },
  timeoutMs,
);

kernelTest(
  "a bridge that the administrator has put somewhere stays there, and a zone called orlop is preferred to trusted",
  needs,
  async (scratch) => {
    const { product, firewalld, bridge, reaches, reports } = await openBesideFirewalld(scratch);
    await firewalld.start();
    await firewalld.cmd("--permanent", "--new-zone=orlop");
    await firewalld.cmd("--permanent", "--zone=orlop", "--set-target=ACCEPT");
    await firewalld.cmd("--permanent", "--zone=orlop", "--add-rich-rule=rule priority=32767 reject");
    await firewalld.cmd("--permanent", "--zone=home", `--add-interface=${bridge}`);
    await firewalld.cmd("--reload");
    await product.ok("run", "-d", "--name", "web", "host", "sleep", "1000");
    expect(await firewalld.interfaces("home")).toBe(bridge);
    expect(await reports()).toEqual([expect.stringContaining(`${bridge} is in the zone home, as somebody else wants`)]);
    await firewalld.cmd("--permanent", "--zone=home", `--remove-interface=${bridge}`);
    await firewalld.cmd("--reload");
    const isBound = async (): Promise<boolean> => (await firewalld.interfaces("orlop")) === bridge;
    await waitUntil(isBound, repairMs, "it is bound to the zone orlop");
    await waitUntil(() => reaches("web", neighbour), repairMs, "the world is reached");
    expect(await reaches("web", host)).toBe(false);
    await firewalld.cmd("--permanent", "--zone=orlop", `--add-interface=${bridge}`);
    await product.ok("rm", "-f", "web");
    await product.stop();
    expect(await isBound()).toBe(true);
  },
  timeoutMs,
);

kernelTest(
  "with ORLOP_OTHER_FIREWALLS=leave firewalld is not asked for anything, and it is said what to ask it for",
  needs,
  async (scratch) => {
    const { product, firewalld, bridge, reaches, reports } = await openBesideFirewalld(scratch, {
      ORLOP_OTHER_FIREWALLS: "leave",
    });
    await firewalld.start();
    await product.ok("run", "-d", "--name", "web", "host", "sleep", "1000");
    const [report = ""] = (await reports()) ?? [];
    const commands = /somebody runs: (.*), then (.*)$/.exec(report)?.slice(1) ?? [];
    expect(await firewalld.interfaces("trusted")).toBe("");
    expect(await reaches("web", neighbour)).toBe(false);
    for (const command of commands) await firewalld.cmd(...command.split(" ").slice(1));
    expect(commands).toHaveLength(2);
    expect(await firewalld.interfaces("trusted")).toBe(bridge);
    await waitUntil(() => reaches("web", neighbour), repairMs, "the world is reached");
  },
  timeoutMs,
);
