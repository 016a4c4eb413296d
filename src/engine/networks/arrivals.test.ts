/** A network and a container on its way into it, on a recording executor. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeExecutor } from "../../kernel/executor-fake.ts";
import { FakeNetd } from "../../kernel/netd-fake.ts";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { parseNetworkCreate } from "../../spec/engine-api-network.ts";
import { Engine } from "../engine.ts";
import { Arrivals } from "./arrivals.ts";

let directory: string;
let engine: Engine;
/** When the first container of all is on its way into a network, and its bridge is not made yet. */
let onRules: () => Promise<void>;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "orlop-arrivals-"));
  onRules = async () => undefined;
  engine = await Engine.open({
    places: { runDir: join(directory, "run"), stateDir: join(directory, "state") },
    executor: new FakeExecutor(),
    netd: new FakeNetd(),
    installRules: () => onRules(),
    watch: () => undefined,
  });
});
afterEach(async () => {
  await engine.close();
  rmSync(directory, { recursive: true });
});

function failureOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: Error) => error.message,
  );
}

test("a network is not removed while a container that starts comes into it, and is when nothing comes of that", async () => {
  const network = await engine.networks.create(parseNetworkCreate({ Name: "lan" }));
  const body = parseContainerCreate({ Image: "host", Cmd: ["true"], HostConfig: { NetworkMode: "lan" } });
  const { container } = await engine.containers.create(body, "coming");
  let answer: string | undefined;
  onRules = async () => {
    answer = await failureOf(engine.networks.remove(network));
  };
  expect(await failureOf(container.start())).toContain(network.record.linkName); // this executor makes no bridge
  expect(answer).toMatch(/has active endpoints.*name:"coming"/);
  await engine.networks.remove(network);
});

test("what was removed since somebody looked is not come into", async () => {
  const network = await engine.networks.create(parseNetworkCreate({ Name: "lan" }));
  const arrivals = new Arrivals((one) => one !== network);
  expect(() => arrivals.begin("late", [network])).toThrow("network lan not found");
  expect(arrivals.of(network)).toEqual([]);
});
