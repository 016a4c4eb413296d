/** Facts found out inside a default container of Orlop and of docker.io, side by side. What differs is in docs/security.md. */

import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { Dockerd } from "../dockerd.ts";
import { kernelTest } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { factsScript, readFacts } from "./facts.ts";
import { compileProbe } from "./probe.ts";

const security = readFileSync(join(import.meta.dir, "../../docs/security.md"), "utf8");
/** The table of docs/security.md: a difference is a row that begins with the fact's name. */
const explained = new Set([...security.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]));
const factsMin = 60;

kernelTest(
  "what a default container can find out is what it finds out under Docker, but for what docs/security.md lists",
  ["root", "product", "busybox", "overlay", "docker", "dockerd", "gcc"],
  async ({ directory, defer }) => {
    const rootfs = makeBusyboxRoot(directory);
    compileProbe("facts-probe", rootfs);
    const product = new Product(directory);
    defer(() => product.stop());
    const ours = await product.run([
      "run",
      "--rm",
      "--network",
      "none",
      "--rootfs",
      rootfs,
      "/bin/sh",
      "-c",
      factsScript,
    ]);
    expect(ours.stderr).toBe("");
    // dockerd makes overlays: not on a tmpfs or overlay that the scratch directory may lie on
    const dockerDirectory = mkdtempSync("/var/tmp/orlop-dockerd-");
    defer(() => rmSync(dockerDirectory, { recursive: true, force: true }));
    await using dockerd = await Dockerd.start(dockerDirectory);
    execFileSync("sh", ["-c", `tar -C ${rootfs} -c . | DOCKER_HOST=${dockerd.host} docker import - facts`]);
    const theirs = await dockerd.ok("run", "--rm", "--network", "none", "facts", "/bin/sh", "-c", factsScript);
    const [mine, docker] = [readFacts(ours.stdout), readFacts(theirs)];
    expect(mine.size).toBeGreaterThanOrEqual(factsMin);
    expect([...mine.keys()]).toEqual([...docker.keys()]);
    const differences = [...mine].filter(([name, answer]) => answer !== docker.get(name));
    for (const [name, answer] of differences)
      console.log(`${name}\n  orlop:  ${answer}\n  docker: ${docker.get(name)}`);
    expect(differences.map(([name]) => name).filter((name) => !explained.has(name))).toEqual([]);
    // a row whose reason has gone goes too
    expect([...explained].filter((name) => !differences.some(([other]) => other === name))).toEqual([]);
  },
  120_000,
);
