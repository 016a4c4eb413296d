/** Every volume command of the docker CLI, and containers with volumes, on Orlop and on dockerd: the same words, the same answers. */

import { afterAll, expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Dockerd } from "../dockerd.ts";
import { busyboxLayer, tarOfFiles } from "../images/layer-tar.ts";
import { beforeAllWhere, kernelTest, type Need } from "../kernel/harness.ts";
import { type Outcome, Product, runProgram } from "../product.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { Docker } from "./docker.ts";

const needs: readonly Need[] = ["root", "product", "docker", "dockerd", "busybox", "overlay"];

const directory = mkdtempSync(join(tmpdir(), "orlop-volumes-cli-"));
const product = new Product(join(directory, "orlop"));
const docker = new Docker(product);
let dockerd: Dockerd;
let registry: ScriptedRegistry | undefined;
const image = () => `${registry?.host}/test/box:1`;

beforeAllWhere(
  needs,
  async () => {
    mkdirSync(join(directory, "orlop"));
    mkdirSync(join(directory, "host/sub"), { recursive: true });
    writeFileSync(join(directory, "host/file"), "of the host\n");
    registry = await ScriptedRegistry.open();
    const files = { "srv/deep/file": "from the image\n", "data/x": "x" };
    registry.addImage("1", [busyboxLayer(), tarOfFiles(files)], { Volumes: { "/srv": {} }, Cmd: ["sh"] });
    await product.run(["info"]);
    dockerd = await Dockerd.start(join(directory, "dockerd"));
    for (const daemon of [docker, dockerd]) await daemon.ok("pull", "-q", image());
  },
  60_000,
);

afterAll(async () => {
  await dockerd?.[Symbol.asyncDispose]();
  await product.stop();
  await registry?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

/** What may differ: ids, times, where the daemons keep things, and what Orlop says to do about it. */
function normal({ exitCode, stdout, stderr }: Outcome) {
  const clean = (text: string) =>
    text
      .replaceAll(join(product.stateDir, "volumes"), "VOLUMES")
      .replaceAll(join(directory, "dockerd/data/volumes"), "VOLUMES")
      .replaceAll(/[0-9a-f]{64}/g, "ID")
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, "TIME")
      .replaceAll(/(?<=: invalid mode: \w+): expected .*(?=\.\n)/g, "");
  return { exitCode, stdout: clean(stdout), stderr: clean(stderr) };
}

const sides = async (...words: string[]) => {
  const peer = runProgram(docker.command(...words), { env: { ...docker.env, DOCKER_HOST: dockerd.host } });
  const [ours, theirs] = await Promise.all([docker.run(words), peer]);
  return { ours: normal(ours), theirs: normal(theirs) };
};

async function expectSame(...words: string[]): Promise<string> {
  const { ours, theirs } = await sides(...words);
  expect([words, ours]).toEqual([words, theirs]);
  return ours.stdout;
}

kernelTest(
  "volume create, ls, inspect, rm, prune",
  needs,
  async () => {
    await expectSame("volume", "create", "data");
    // one label each: the client prints several in any order
    await expectSame("volume", "create", "--label", "tier=db", "labelled");
    await expectSame("volume", "create", "--label", "bare", "barely");
    await expectSame(
      "volume",
      "create",
      "-d",
      "local",
      "-o",
      "type=tmpfs",
      "-o",
      "device=tmpfs",
      "-o",
      "o=size=1m",
      "tm",
    );
    await expectSame("volume", "create", "data"); // again
    for (const words of [["a"], ["a b"], ["-o", "foo=b", "xx"], ["-o", "type=tmpfs", "xx"], ["-o", "size=1m", "xx"]])
      await expectSame("volume", "create", ...words);
    for (const words of [
      [],
      ["-q"],
      ["-f", "name=at"],
      ["-f", "label=tier"],
      ["-f", "label=tier=x"],
      ["-f", "driver=local"],
      ["-f", "dangling=true"],
      ["-f", "dangling=false"],
      ["--format", "{{json .}}"],
      ["--format", "{{.Name}} {{.Driver}} {{.Scope}} {{.Mountpoint}} {{.Labels}}", "-f", "name=data"],
    ])
      await expectSame("volume", "ls", ...words);
    await expectSame("volume", "inspect", "data", "labelled", "tm");
    await expectSame("volume", "inspect", "none", "data");
    await expectSame("volume", "rm", "data", "none");
    await expectSame("volume", "rm", "-f", "none");
    await expectSame("volume", "prune", "-f", "--filter", "label=tier");
    await expectSame("volume", "prune", "-af");
    await expectSame("volume", "ls");
  },
  60_000,
);

const script =
  "stat -c '%A %u:%g %h %n' /data /srv /srv/deep/* 2>/dev/null; cat /srv/deep/file; cat /host/file; touch /ro/x; true";

/** Each a container's flags. What is compared: its Mounts, its settings, what it sees. */
const containers: readonly (readonly string[])[] = [
  [],
  ["-v", "data:/data"],
  ["-v", "/anonymous", "-v", "data:/data:ro"],
  ["-v", "HOST:/host", "-v", "HOST/file:/one:ro"],
  ["-v", "data:/srv"],
  ["-v", "new:/srv:nocopy"],
  ["--mount", "type=volume,src=new,dst=/ro,readonly"],
  ["--mount", "type=volume,dst=/data,volume-label=a=b,volume-driver=local"],
  ["--mount", "type=bind,src=HOST,dst=/host,readonly,bind-propagation=rprivate"],
  ["--mount", "type=tmpfs,dst=/ro,tmpfs-size=1m,tmpfs-mode=700"],
  ["--tmpfs", "/ro:size=1m"],
  ["--read-only", "-v", "data:/data"],
];

for (const flags of containers) {
  const name = flags.join(" ") || "of the image alone";
  kernelTest(
    `a container with ${name}`,
    needs,
    async ({ defer }) => {
      defer(async () => {
        for (const daemon of [docker, dockerd]) {
          await daemon.run(["rm", "-fv", "box"]);
          await daemon.run(["volume", "prune", "-af"]);
        }
        product.disconnect();
      });
      const words = flags.map((word) => word.replaceAll("HOST", join(directory, "host")));
      await expectSame("create", "--name", "box", "--network", "none", ...words, image(), "sh", "-c", script);
      const { ours, theirs } = await sides("inspect", "-f", "{{json .Mounts}}", "box");
      const mounts = ({ stdout }: { stdout: string }) =>
        (JSON.parse(stdout) as { Destination: string }[]).sort((a, b) => a.Destination.localeCompare(b.Destination));
      expect(mounts(ours)).toEqual(mounts(theirs));
      await expectSame("inspect", "-f", "{{json .Config.Volumes}}", "box");
      const binds = await sides("inspect", "-f", "{{json .HostConfig.Binds}}", "box"); // in any order: the client's is a map
      const sorted = ({ stdout }: { stdout: string }) => (JSON.parse(stdout) as string[] | null)?.sort() ?? null;
      expect(sorted(binds.ours)).toEqual(sorted(binds.theirs));
      await expectSame("start", "-a", "box");
      await expectSame("volume", "rm", "data");
      await expectSame("rm", "-v", "box");
      const left = await sides("volume", "ls", "-q");
      expect(left.ours.stdout).toBe(left.theirs.stdout);
    },
    60_000,
  );
}

kernelTest(
  "volumes from another container",
  needs,
  async ({ defer }) => {
    defer(async () => {
      for (const daemon of [docker, dockerd]) {
        await daemon.run(["rm", "-fv", "lender", "borrower"]);
        await daemon.run(["volume", "prune", "-af"]);
      }
      product.disconnect();
    });
    const host = join(directory, "host");
    const common = ["--network", "none"];
    await expectSame(
      "run",
      "--name",
      "lender",
      ...common,
      "-v",
      "data:/data",
      "-v",
      `${host}:/host:ro`,
      image(),
      "true",
    );
    const borrow = ["--volumes-from", "lender:ro", "-v", `${host}:/data`];
    await expectSame(
      "run",
      "--name",
      "borrower",
      ...common,
      ...borrow,
      image(),
      "sh",
      "-c",
      `cat /data/file /srv/deep/file; ${script}`,
    );
    const { ours, theirs } = await sides(
      "inspect",
      "-f",
      "{{range .Mounts}}{{.Destination}} {{.Type}} {{.RW}}\n{{end}}",
      "borrower",
    );
    const lines = ({ stdout }: { stdout: string }) => stdout.split("\n").sort();
    expect(lines(ours)).toEqual(lines(theirs));
    await expectSame("run", "--rm", "--volumes-from", "nobody", image(), "true");
    await expectSame("run", "--rm", "--volumes-from", "lender:sticky", image(), "true");
    await expectSame("rm", "-v", "lender");
    await expectSame("volume", "ls", "-f", "dangling=true");
    await expectSame("rm", "-v", "borrower");
    await expectSame("volume", "ls");
  },
  60_000,
);

/** Refusals, in the same words; the exit code is `docker run`'s. */
const refused: readonly (readonly string[])[] = [
  ["-v", "data:/"],
  ["-v", "data:/b:sticky"],
  ["-v", "data:/b:rshared"],
  ["-v", "a%b:/b"],
  ["-v", "data:/b", "--tmpfs", "/b"],
  ["-v", "data:/b", "--mount", "type=volume,dst=/b"],
  ["--mount", "type=bind,src=/no/such,dst=/b"],
  ["--mount", "type=volume,src=/abs,dst=/b"],
];

for (const flags of refused)
  kernelTest(
    `refused in the same words: ${flags.join(" ")}`,
    needs,
    async ({ defer }) => {
      defer(async () => {
        for (const daemon of [docker, dockerd]) await daemon.run(["volume", "prune", "-af"]);
      });
      await expectSame("run", "--rm", "--network", "none", ...flags, image(), "true");
    },
    60_000,
  );

kernelTest(
  "docker cp in and out of volumes and shared binds of a container that does not run",
  needs,
  async ({ defer }) => {
    const shared = join(directory, "shared");
    mkdirSync(shared);
    execFileSync("mount", ["--bind", shared, shared]);
    execFileSync("mount", ["--make-shared", shared]);
    writeFileSync(join(shared, "file"), "shared\n");
    defer(async () => {
      await docker.run(["rm", "-fv", "box"]);
      await docker.run(["volume", "prune", "-af"]);
      execFileSync("umount", ["-l", shared]);
      product.disconnect();
    });
    const options = ["-o", "type=none", "-o", `device=${join(directory, "host")}`, "-o", "o=bind"];
    await docker.ok("volume", "create", ...options, "bound");
    const flags = ["-v", "data:/data", "-v", "bound:/bound:nocopy", "-v", `${shared}:/shared:rshared`];
    await docker.ok("create", "--name", "box", "--network", "none", ...flags, image(), "true");
    const target = join(directory, "copied");
    for (const [path, content] of [
      ["/data/x", "x"],
      ["/bound/file", "of the host\n"],
      ["/shared/file", "shared\n"],
    ] as const) {
      await docker.ok("cp", `box:${path}`, target);
      expect([path, readFileSync(target, "utf8")]).toEqual([path, content]);
    }
    await docker.ok("cp", target, "box:/bound/put");
    expect(readFileSync(join(directory, "host/put"), "utf8")).toBe("shared\n");
    await docker.ok("cp", target, "box:/data/put");
    expect(readFileSync(join(product.stateDir, "volumes/data/_data/put"), "utf8")).toBe("shared\n");
  },
  60_000,
);
