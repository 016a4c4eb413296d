/** ORLOP_IMAGE_BUDGET: the least recently used images go when another one needs their place. */

import { expect } from "bun:test";
import { kernelTest } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { randomBytes } from "../registry/pulling.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { busyboxLayer, tarOfFiles } from "./layer-tar.ts";

kernelTest(
  "over the budget the image that was used longest ago goes, and none that is in use",
  ["root", "product"],
  async (scratch) => {
    await using registry = await ScriptedRegistry.open();
    const base = busyboxLayer();
    // each takes 4 MB, as a blob and unpacked, and all share 4 MB
    const tags = ["a", "b", "c", "d"];
    for (const [i, tag] of tags.entries())
      registry.addImage(tag, [base, tarOfFiles({ [tag]: randomBytes(2_000_000, i) })], { Cmd: ["true"] });
    const product = new Product(scratch.directory, { env: { ORLOP_IMAGE_BUDGET: "13m" } });
    scratch.defer(() => product.stop());
    const pull = (tag: string) => product.ok("pull", "-q", `${registry.host}/x:${tag}`);
    const here = async () =>
      [...(await product.ok("images", "--format", "json")).matchAll(/"Tag":"(.)"/g)].map((match) => match[1]).sort();
    await pull("a");
    await pull("b");
    expect(await here()).toEqual(["a", "b"]);
    await product.ok("run", "--rm", `${registry.host}/x:a`);
    await product.ok("system", "stop"); // an engine that leaves writes down what was used
    await pull("c");
    expect(await here()).toEqual(["a", "c"]);
    await product.ok("create", "--name", "user", `${registry.host}/x:a`);
    await pull("d");
    expect(await here()).toEqual(["a", "d"]);
    await product.ok("rm", "user");
  },
);

kernelTest(
  "of an image for several platforms the one that was not used goes alone",
  ["root", "product"],
  async (scratch) => {
    await using registry = await ScriptedRegistry.open();
    const filled = (i: number): Buffer => tarOfFiles({ data: randomBytes(3_000_000, i) });
    const near = registry.addImage("near", [busyboxLayer(), filled(1)], { Cmd: ["true"] });
    const far = registry.addImage("far", [filled(2)], {}, "arm64");
    registry.addIndex("many", [far, "arm64"], [near, "amd64"]);
    registry.addImage("next", [filled(3)]);
    const product = new Product(scratch.directory, { env: { ORLOP_IMAGE_BUDGET: "20m" } });
    scratch.defer(() => product.stop());
    const name = (tag: string): string => `${registry.host}/x:${tag}`;
    await product.ok("pull", "-q", "--platform", "linux/arm64", name("many"));
    await product.ok("pull", "-q", name("many"));
    await product.ok("pull", "-q", name("next"));
    const other = await product.run(["image", "inspect", "--platform", "linux/arm64", name("many")]);
    expect(other.stderr).toContain("it is for linux/amd64");
    await product.ok("run", "--rm", name("many"));
  },
);
