import { expect } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { visibleMounts } from "../../src/kernel/mountinfo.ts";
import type { RootSource } from "../../src/kernel/root-source.ts";
import { mountOf } from "../../src/storage/file-place.ts";
import { planHost, treatmentOf } from "../../src/storage/host.ts";
import { readHostView } from "../../src/storage/host-view.ts";
import { chooseUpper, type Upper } from "../../src/storage/upper.ts";
import { runContainer } from "./container.ts";
import { kernelTest, type Scratch } from "./harness.ts";

const needs = ["root", "executor", "overlay"] as const;

/** The image `host`, with the container's own directory as Orlop's state. */
const hostRoot =
  (upperKind?: "tmpfs") =>
  (directory: string): RootSource => {
    const view = readHostView();
    const memory: Upper = { kind: "tmpfs", mountPoint: join(directory, "memory") };
    const places = { directory: join(directory, "upper"), memory: join(directory, "memory"), removedAtExit: true };
    return planHost({
      view,
      mountPoint: join(directory, "root"),
      partPoint: join(directory, "part"),
      upper: upperKind === "tmpfs" ? memory : chooseUpper(view.mounts, places),
      hidden: [directory],
    });
  };

/**
 * A directory that the image `host` shows. (The usual one may be on a tmpfs, as on systemd machines: then it is empty inside.)
 */
function shown(scratch: Scratch): Scratch {
  const mounts = visibleMounts(readHostView().mounts);
  const places = [tmpdir(), "/var/tmp", import.meta.dir];
  const place = places.find((path) => existsSync(path) && treatmentOf(mountOf(mounts, path)?.fstype ?? "") === "layer");
  if (place === undefined) throw new Error(`none of ${places.join(", ")} is on a file system that overlay can use`);
  const directory = mkdtempSync(join(place, "orlop-shown-"));
  scratch.defer(() => rmSync(directory, { recursive: true }));
  return { directory, defer: scratch.defer };
}

/** A host directory for the container to play with, outside of what is hidden. */
function playground(scratch: Scratch): string {
  const directory = join(scratch.directory, "play");
  mkdirSync(directory);
  writeFileSync(join(directory, "kept"), "as it was\n");
  return directory;
}

for (const upper of [undefined, "tmpfs"] as const) {
  const where = upper === "tmpfs" ? "in memory" : "on disk";
  kernelTest(`the machine's files are there, and changes stay inside (${where})`, [...needs], async (test) => {
    const scratch = shown(test);
    const play = playground(scratch);
    const script = `cd ${play}; cat kept; echo new > made; echo changed > kept; cat kept; rm kept; ls; rm -rf /etc; ls /etc`;
    const { stdout, stderr } = await runContainer(scratch, script, { root: hostRoot(upper) });
    expect(stdout).toBe("as it was\nchanged\nmade\n");
    expect(stderr).toContain("/etc");
    expect(readFileSync(join(play, "kept"), "utf8")).toBe("as it was\n");
    expect(existsSync(join(play, "made"))).toBe(false);
    expect(existsSync("/etc/passwd")).toBe(true);
  });
}

kernelTest("Orlop's own state is not in it, and /run is empty", [...needs], async (test) => {
  const scratch = shown(test);
  writeFileSync(join(scratch.directory, "visible"), "");
  const { stdout } = await runContainer(
    scratch,
    `ls ${scratch.directory}; ls -A ${scratch.directory}/test-*; ls -A /run`,
    {
      root: hostRoot(),
    },
  );
  expect(stdout).toMatch(/^test-\S+\nvisible\n$/);
});

kernelTest("a socket of the host's cannot be connected to", [...needs], async (test) => {
  const scratch = shown(test);
  const path = join(playground(scratch), "socket");
  const server = createServer((connection) => connection.end()).listen(path);
  await new Promise((resolve) => server.once("listening", resolve));
  scratch.defer(async () => {
    await new Promise((resolve) => server.close(resolve));
  });
  const connect = [process.execPath, join(import.meta.dir, "connect.ts"), path];
  const outside = Bun.spawn(connect, { stdout: "pipe" });
  expect(await new Response(outside.stdout).text()).toBe("let in\n");
  const { stdout } = await runContainer(scratch, `test -S ${path} && echo there; ${connect.join(" ")}`, {
    root: hostRoot(),
  });
  expect(stdout).toBe("there\nECONNREFUSED\n");
});

kernelTest("its own hosts and hostname take the place of the machine's", [...needs], async (test) => {
  const scratch = shown(test);
  const files = [{ path: "/etc/hostname", mode: 0o644, content: "box\n", why: "test" }];
  const { stdout } = await runContainer(
    scratch,
    "cat /etc/hostname; readlink /etc/mtab; wc -l < /etc/mtab | grep -c .",
    {
      root: hostRoot(),
      input: { files },
    },
  );
  expect(stdout).toStartWith("box\n");
  expect(existsSync("/etc/hostname") ? readFileSync("/etc/hostname", "utf8") : "").not.toBe("box\n");
});

kernelTest(
  "other file systems: a second disk is a layer of its own, memory is empty, sockets stay out",
  [...needs],
  async (test) => {
    const scratch = shown(test);
    // In a mount namespace of the test's own, so that the machine's is not touched: the test runs itself there.
    const play = playground(scratch);
    const inner = join(import.meta.dir, "host-mounts.ts");
    const run = Bun.spawn(["unshare", "-m", "--propagation", "private", process.execPath, inner, play], {
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
    expect(stderr).toBe("");
    expect(stdout).toBe("disk: from the disk\nchanged: inside\nmemory: \noverlay socket: ECONNREFUSED\n");
  },
);
