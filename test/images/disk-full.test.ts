/** A pull on a file system of 64 MiB that is too small for it. */

import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelTest } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { randomBytes } from "../registry/pulling.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { waitUntil } from "../wait-until.ts";
import { busyboxLayer, tarOfFiles } from "./layer-tar.ts";

kernelTest(
  "a pull that fills the disk says so, gives the space back, and the store is whole",
  ["root", "product"],
  async (scratch) => {
    const image = join(scratch.directory, "disk");
    writeFileSync(image, "");
    truncateSync(image, 64 << 20);
    execFileSync("mkfs.ext4", ["-q", "-m", "0", image]);
    const state = join(scratch.directory, "state");
    mkdirSync(state);
    execFileSync("mount", ["-o", "loop", image, state]);
    scratch.defer(() => void execFileSync("umount", ["-l", state]));
    const product = new Product(scratch.directory);
    scratch.defer(() => product.stop());
    await using registry = await ScriptedRegistry.open();
    const base = busyboxLayer();
    registry.addImage("small", [base], { Cmd: ["true"] });
    // one that does not fit as a blob, and one that does not fit unpacked beside it
    registry.addImage("blob", [base, tarOfFiles({ a: randomBytes(80_000_000, 1) })]);
    registry.addImage("layer", [base, tarOfFiles({ b: randomBytes(36_000_000, 2) })]);
    const name = (tag: string) => `${registry.host}/a:${tag}`;
    await product.ok("pull", name("small"));
    const freeBytes = () => Number(statfsSync(state).bavail) * Number(statfsSync(state).bsize);
    const before = freeBytes();
    for (const tag of ["blob", "layer", "blob", "layer"]) {
      const { exitCode, stderr } = await product.run(["pull", "-q", name(tag)]);
      expect([exitCode, stderr]).toEqual([
        1,
        `orlop: pulling ${name(tag)}: no space left on device: what was written for it is removed again; make room, e.g. with orlop image prune -a\n`,
      ]);
      await waitUntil(() => before - freeBytes() < 1 << 20, 2000, `the space of ${tag}`);
    }
    expect(await product.ok("run", "--rm", name("small"), "echo", "whole")).toBe("whole");
    expect((await product.ok("images", "-q")).split("\n").length).toBe(2); // host is one
  },
  60_000,
);
