/** Containers of an image, as a person runs them who comes from Docker: what they find there, and what they are told. */

import { afterAll, expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { beforeAllWhere, kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { Docker } from "./docker.ts";

const needs: readonly Need[] = ["root", "product", "docker", "overlay", "busybox", "nft"];

const setUpMs = 60_000;

const directory = mkdtempSync(join(tmpdir(), "orlop-images-"));
const product = new Product(directory, { env: nothingReady });
const docker = new Docker(product);

/** What it says of itself; the words of a failure. */
async function refusal(...words: string[]): Promise<string> {
  const { exitCode, stderr } = await docker.run(words);
  expect(exitCode).not.toBe(0);
  return stderr;
}

const inBox = (flags: string, script: string): Promise<string> =>
  docker.ok("run", "--rm", ...flags.split(" ").filter(Boolean), "box", "sh", "-c", script);

beforeAllWhere(
  needs,
  async () => {
    await product.run(["info"]);
    const archive = join(directory, "box.tar");
    execFileSync("tar", ["-C", makeBusyboxRoot(directory), "-cf", archive, "."]);
    const healthcheck = "HEALTHCHECK --interval=1s CMD true";
    const { exitCode } = await docker.run(["import", "-c", healthcheck, archive, "box"]);
    if (exitCode !== 0) throw new Error("no image");
  },
  setUpMs,
);

afterAll(async () => {
  await product.stop();
  rmSync(directory, { recursive: true, force: true });
});

kernelTest("with the machine's network it has the machine's names, and those that were asked for", needs, async () => {
  const own = (path: string): string => readFileSync(path, "utf8").trimEnd();
  expect(await inBox("--network host", "cat /etc/resolv.conf")).toBe(own("/etc/resolv.conf"));
  expect(await inBox("--network host", "cat /etc/hosts")).toBe(own("/etc/hosts"));
  expect(await inBox("--network host", "cat /etc/hostname")).toBe(execFileSync("hostname").toString().trimEnd());
  const asked = await inBox(
    "--network host --add-host db:10.9.8.7 --add-host me:host-gateway --dns 10.9.8.6 --dns-search example.com",
    "cat /etc/hosts /etc/resolv.conf",
  );
  for (const line of ["10.9.8.7\tdb", "127.0.0.1\tme", "nameserver 10.9.8.6", "search example.com"])
    expect(asked.split("\n")).toContain(line);
  const machine = await docker.ok(
    "run",
    "--rm",
    "--network",
    "host",
    "--add-host",
    "db:10.9.8.7",
    "host",
    "cat",
    "/etc/hosts",
  );
  expect(machine).toBe(`${own("/etc/hosts")}\n10.9.8.7\tdb`);
});

kernelTest("names are given or refused in every network mode", needs, async () => {
  expect(await inBox("--network none --dns 10.9.8.6", "cat /etc/resolv.conf")).toContain("nameserver 10.9.8.6");
  expect(await refusal("run", "--network", "none", "--add-host", "me:host-gateway", "box", "true")).toContain(
    "conflicting options: host-gateway for me and the network mode (none)",
  );
  for (const mode of ["none", "host"])
    expect(await refusal("run", "--network", mode, "--ip", "10.9.8.7", "box", "true")).toContain(
      "user specified IP address is supported on user defined networks only",
    );
  await docker.ok("run", "-d", "--name", "donor", "box", "sleep", "1000");
  for (const [words, said] of [
    ["--dns 10.9.8.6", "dns"],
    ["--dns-search example.com", "dns"],
    ["--add-host db:10.9.8.7", "custom host-to-IP mapping"],
    ["--mac-address 02:42:ac:11:00:02", "mac-address"],
  ] as const)
    expect(await refusal("run", "--network", "container:donor", ...words.split(" "), "box", "true")).toContain(
      `conflicting options: ${said} and the network mode`,
    );
  await docker.ok("rm", "-f", "donor");
});

kernelTest("what is missing and no image is never pulled", needs, async () => {
  for (const [flag, name, said] of [
    ["--network", "nowhere", "network nowhere not found"],
    ["--link", "nobody", "could not get container for nobody: No such container: nobody"],
    ["--network", "container:nobody", "No such container: nobody"],
    ["--volumes-from", "nobody", "No such container: nobody"],
  ] as const) {
    const stderr = await refusal("run", "--rm", flag, name, "box", "true");
    expect(stderr).toContain(said);
    expect(stderr).not.toContain("Unable to find image");
  }
});

kernelTest("a /dev that was asked for is taken as it is, and nothing is made in it", needs, async (scratch) => {
  expect(await inBox("-v /dev:/dev --privileged", "echo x >/dev/null && [ -c /dev/zero ] && echo there")).toBe("there");
  expect(await inBox("-v /dev:/dev", "ls /dev/pts/ptmx")).toBe("/dev/pts/ptmx");
  const folder = join(scratch.directory, "dev");
  mkdirSync(folder);
  expect(await refusal("run", "--rm", "-v", `${folder}:/dev`, "box", "true")).toContain("/dev/null");
  expect(readdirSync(folder).filter((name) => name !== "console")).toEqual([]);
});

kernelTest("a link of the image to its /dev makes nothing in a directory that lies there", needs, async (scratch) => {
  await docker.ok("run", "--name", "linked", "box", "ln", "-s", "dev", "/given");
  await docker.ok("commit", "linked", "linked");
  await docker.ok("rm", "linked");
  const folder = join(scratch.directory, "given");
  mkdirSync(folder);
  const binds = ["-v", `${folder}:/given`, "-v", "/sys/fs/cgroup:/sys/fs/cgroup:ro"];
  expect(await refusal("run", "--rm", ...binds, "linked", "true")).toContain("/dev/null");
  expect(readdirSync(folder)).toEqual([]);
  await docker.ok("rmi", "linked");
});

kernelTest("what does not fit is told in words that can be looked up", needs, async () => {
  const stderr = await refusal("run", "--rm", "-v", "/etc/hostname:/tmp", "box", "true");
  expect(stderr).toContain("Are you trying to mount a directory onto a file (or vice-versa)?");
  const post = (path: string, body: unknown): Promise<Response> =>
    fetch(`http://docker${path}`, {
      method: "POST",
      unix: join(product.runDir, "orlop.sock"),
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  await post("/containers/create?name=long", { Image: "box", Cmd: ["echo", "x".repeat(200_000)] }); // more than this test can say in words
  expect(await (await post("/containers/long/start", {})).text()).toContain("argument list too long");
  await docker.ok("rm", "long");
});

kernelTest("nothing but the kernel's takes the place of /proc", needs, async (scratch) => {
  for (const flag of ["-v", "--tmpfs"]) {
    const value = flag === "-v" ? `${scratch.directory}:/proc` : "/proc";
    expect(await refusal("run", "--rm", flag, value, "box", "true")).toContain('invalid mount destination "/proc"');
  }
  expect(await inBox("-v /proc:/proc", "cat /proc/1/comm")).not.toBe("sh");
});

kernelTest(
  "it has the signs of a container that programs look for, and they are none of its changes",
  needs,
  async () => {
    expect(await inBox("", "ls /.dockerenv; readlink /etc/mtab; grep -c ' / ' /etc/mtab")).toBe(
      "/.dockerenv\n/proc/mounts\n1",
    );
    await docker.ok("run", "--name", "signs", "box", "touch", "/new");
    expect(await docker.ok("diff", "signs")).toBe("A /new");
    await docker.ok("commit", "signs", "signs");
    await docker.ok("rm", "signs");
    expect(await docker.ok("run", "--rm", "signs", "ls", "/.dockerenv", "/new")).toBe("/.dockerenv\n/new");
    await docker.ok("rmi", "signs");
  },
);

kernelTest("ps finds the containers of an image by each of its names, and by its id", needs, async () => {
  await docker.ok("tag", "box", "other:1");
  const id = await docker.ok("image", "inspect", "-f", "{{.Id}}", "box");
  await docker.ok("create", "--name", "first", "box", "true");
  await docker.ok("create", "--name", "second", "other:1", "true");
  const of = async (image: string): Promise<string> =>
    await docker.ok("ps", "-a", "--format", "{{.Names}}", "--filter", `ancestor=${image}`);
  for (const name of ["box", "box:latest", "other:1", id, id.slice(7, 19)])
    expect([name, await of(name)]).toEqual([name, "second\nfirst"]);
  expect(await of("nothing-of-this-name")).toBe("");
  expect(await of("host")).toBe("");
  await docker.ok("rm", "first", "second");
  await docker.ok("rmi", "other:1");
});

kernelTest("docker system prune goes through; what is missing is said by name", needs, async () => {
  expect(await docker.ok("system", "prune", "-f")).toContain("Total reclaimed space");
  expect(await docker.ok("builder", "prune", "-f")).toContain("0B");
  expect(await docker.ok("plugin", "ls", "-q")).toBe("");
  expect(await refusal("service", "ls")).toContain("This node is not a swarm manager");
  expect(await refusal("swarm", "init")).toContain("swarm mode is not supported");
  const folder = join(directory, "context");
  mkdirSync(folder);
  writeFileSync(join(folder, "Dockerfile"), "FROM box\n");
  expect(await refusal("build", folder)).toContain("building images is not supported");
});

kernelTest(
  "cp neither reads nor writes the kernel's file systems, and names what is read-only",
  needs,
  async (scratch) => {
    const file = join(scratch.directory, "file");
    writeFileSync(file, "x\n");
    await docker.ok("run", "-d", "--name", "files", "-v", `${scratch.directory}:/ro:ro`, "box", "sleep", "1000");
    for (const path of ["/proc/cpuinfo", "/sys/kernel/mm", "/proc/self/fd"])
      expect(await refusal("cp", `files:${path}`, join(scratch.directory, "copy"))).toMatch(
        /Could not find the file .* in container files|No such container:path/,
      );
    expect(await refusal("cp", file, "files:/proc/new")).toMatch(/Could not find the file|No such container:path/);
    expect(await refusal("cp", file, "files:/ro/new")).toContain("mounted volume is marked read-only");
    await docker.ok("cp", file, "files:/dev/shm/new");
    expect(await docker.ok("exec", "files", "cat", "/dev/shm/new")).toBe("x");
    await docker.ok("rm", "-f", "files");
  },
);

kernelTest("a container that never ran has no health; ages are told in Docker's words", needs, async () => {
  await docker.ok("create", "--name", "healthy", "box", "sleep", "1000");
  expect(await docker.ok("inspect", "-f", "{{json .State}}", "healthy")).not.toContain("Health");
  expect(await docker.ok("ps", "-aq", "--filter", "health=none", "--filter", "name=healthy")).not.toBe("");
  await docker.ok("start", "healthy");
  expect(await docker.ok("inspect", "-f", "{{json .State}}", "healthy")).toContain("Health");
  expect(await docker.ok("ps", "--format", "{{.Status}}")).toMatch(/^Up (Less than a second|\d+ seconds?) \(health/);
  await docker.ok("rm", "-f", "healthy");
});
