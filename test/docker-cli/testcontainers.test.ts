/** testcontainers from npm: a container with a mapped port, waits of every kind, networks, execs, logs, copies. */

import { expect } from "bun:test";
import { join } from "node:path";
import { busyboxLayer } from "../images/layer-tar.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { Product, runProgram } from "../product.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "nft", "overlay", "node20"];
const timeoutMs = 120_000;

kernelTest(
  "testcontainers pulls from the loopback registry, waits, maps ports, connects by alias, and takes everything away",
  needs,
  async (scratch) => {
    const product = new Product(scratch.directory);
    scratch.defer(() => product.stop());
    await product.ok("info");
    await using registry = await ScriptedRegistry.open();
    registry.addImage("1", [busyboxLayer()], { Env: ["PATH=/bin"] });
    const program = join(import.meta.dir, "testcontainers-program.mjs");
    // Its container that cleans up after tests which were killed is an image of Docker Hub: not here.
    const env = { DOCKER_HOST: product.dockerHost, TESTCONTAINERS_RYUK_DISABLED: "true", NODE_ENV: "" };
    const { exitCode, stdout, stderr } = await runProgram(["node", program, `${registry.host}/busybox:1`], { env });
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toEqual({
      page: "hello\n",
      copiedIn: "from outside",
      executed: { exitCode: 4, output: "good morning\n", stdout: "good morning\n", stderr: "" },
      copiedLater: "later",
      copiedOut: true,
      logs: "ready\n",
      byAlias: "hello\ndone\n",
      health: 0,
      again: "hello\n",
      label: "a test",
    });
    expect(await product.ok("ps", "-aq")).toBe("");
    expect(await product.ok("network", "ls", "-q", "--filter", "type=custom")).toBe("");
  },
  timeoutMs,
);
