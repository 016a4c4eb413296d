/** Two engines never write to one state directory, however slowly the older one notices that its time is over. */

import { expect } from "bun:test";
import { dirname, join } from "node:path";
import { orlopPath, Product } from "../product.ts";
import { kernelTest } from "./harness.ts";
import { launch } from "./supervisor-fixture.ts";

kernelTest(
  "an engine that stood still while its supervisor went is gone before the next one begins, and acknowledges nothing more",
  ["root", "product", "overlay"],
  async ({ directory, defer }) => {
    const product = new Product(directory);
    defer(() => product.stop());
    await product.ok("info");
    const client = product.connect();
    defer(() => client.close());
    await client.containers.list(); // a connection that this engine has taken
    const old = product.enginePid() as number;
    process.kill(old, "SIGSTOP");
    defer(() => void (product.pids().includes(old) && process.kill(old, "SIGKILL")));
    const asked = client.containers.create({ Image: "host", Cmd: ["true"] }, "late").then(
      () => "acknowledged",
      () => "broken off",
    );
    process.kill(product.supervisorPid() as number, "SIGKILL");
    // as systemd does, which needs no word of a client
    const programs = dirname(orlopPath);
    const engine = [join(programs, "orlop-program"), "engine", product.runDir, product.stateDir];
    const words = [join(programs, "orlop-executor"), "supervisor", product.runDir, product.stateDir, "600", ...engine];
    expect(await launch(words, { ORLOP_FOREIGN_NAMESPACE: "1" })).toEqual({ code: 0, said: "" });

    expect(await product.ok("ps", "-aq")).toBe("");
    if (product.pids().includes(old)) process.kill(old, "SIGCONT");
    expect(await asked).toBe("broken off");
    expect(product.pids()).not.toContain(old);
    expect(await product.ok("ps", "-aq")).toBe("");
  },
);
