/** Mounts of every kind as a container sees them: propagation, read-only below, image mounts, places that links lead to. */

import { afterAll, beforeAll, expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerCreate, HostConfig } from "../../src/client/container-types.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { busyboxLayer, tarOfFiles } from "../images/layer-tar.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { ScriptedRegistry } from "../registry/scripted-registry.ts";
import { messageOf, request } from "./engine-fixture.ts";

const needs: readonly Need[] = ["root", "product", "busybox", "overlay"];

const directory = mkdtempSync(join(tmpdir(), "orlop-mounts-"));
const product = new Product(directory, { env: nothingReady });
const rootfs = makeBusyboxRoot(directory);
let registry: ScriptedRegistry;
const image = () => `${registry.host}/test/box:1`;

beforeAll(async () => {
  registry = await ScriptedRegistry.open();
  const files = { "srv/deep/file": "from the image\n", "srv/top": "x" };
  registry.addImage("1", [busyboxLayer(), tarOfFiles(files)], { Volumes: { "/srv": {} }, Cmd: ["sh"] });
  registry.addImage("thin", [tarOfFiles({ "only/file": "one layer\n" })], {});
  for (const tag of ["1", "thin"]) await product.ok("pull", "-q", `${registry.host}/test/box:${tag}`);
});
afterAll(async () => {
  await product.stop();
  await registry[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const mount = (...words: string[]): void => void execFileSync("mount", words, { stdio: "ignore" });
const umount = (path: string): void => void execFileSync("umount", ["-l", path], { stdio: "ignore" });

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** A script in a container, to its end; nothing of it stays. */
async function run(script: string, host: HostConfig, more: ContainerCreate = {}): Promise<Ended> {
  const { containers } = product.engine;
  const { Id } = await containers.create({
    Cmd: ["/bin/sh", "-c", script],
    ...more,
    HostConfig: { ...(more.Image === undefined ? { Rootfs: rootfs } : {}), NetworkMode: "none", ...host },
  });
  try {
    const wait = await containers.wait(Id, "next-exit");
    await containers.start(Id);
    const { StatusCode } = await wait.exit();
    return { code: StatusCode, output: (await product.ok("logs", Id)).trimEnd() };
  } finally {
    await containers.remove(Id, { force: true, volumes: true });
    product.disconnect();
  }
}

const refusal = async (host: HostConfig, more: ContainerCreate = {}) => {
  const body = { Cmd: ["true"], ...more, HostConfig: { Rootfs: rootfs, ...host } };
  const answer = await request(product, "POST", "/containers/create", body);
  if (answer.status !== 201) return [answer.status, messageOf(answer)];
  const { Id } = JSON.parse(answer.body) as { Id: string };
  const start = await request(product, "POST", `/containers/${Id}/start`);
  await product.engine.containers.remove(Id, { force: true });
  product.disconnect();
  return [start.status, start.status === 204 ? "" : messageOf(start)];
};

/** A directory that is a mount of its own, and shared. */
function sharedSource(defer: (undo: () => void) => void): string {
  const source = mkdtempSync(join(directory, "shared-"));
  mkdirSync(join(source, "in"));
  mkdirSync(join(source, "out"));
  mount("--bind", source, source);
  defer(() => umount(source));
  mount("--make-shared", source);
  return source;
}

for (const [propagation, seesHost, hostSees] of [
  ["private", false, false],
  ["rprivate", false, false],
  ["slave", true, false],
  ["rslave", true, false],
  ["shared", true, true],
  ["rshared", true, true],
] as const) {
  kernelTest(`a bind that is ${propagation}`, needs, async ({ defer }) => {
    const source = sharedSource(defer);
    const script = `mount -t tmpfs inner /x/out; touch /x/ready
      while [ ! -e /x/go ]; do sleep 0.02; done; grep -q ' /x/in ' /proc/self/mountinfo && echo seen; true`;
    const running = run(script, { Binds: [`${source}:/x:${propagation}`], Privileged: true });
    while (!existsSync(join(source, "ready"))) await Bun.sleep(10);
    const seen = readFileSync("/proc/self/mountinfo", "utf8").includes(` ${source}/out `);
    mount("-t", "tmpfs", "outer", join(source, "in"));
    writeFileSync(join(source, "go"), "");
    const { output } = await running;
    umount(join(source, "in"));
    if (seen) umount(join(source, "out"));
    expect({ seesHost: output === "seen", hostSees: seen }).toEqual({ seesHost, hostSees });
  });
}

kernelTest("what is not shared cannot be given; nothing is mounted below a shared bind", needs, async ({ defer }) => {
  const source = mkdtempSync(join(directory, "private-"));
  mount("--bind", source, source);
  defer(() => umount(source));
  mount("--make-private", source);
  const said = (kind: string) =>
    `path ${source} is mounted on ${source} but it is not a ${kind} mount: make it one first, e.g. mount --make-rshared`;
  expect(await refusal({ Binds: [`${source}:/x:rshared`] })).toEqual([400, said("shared")]);
  expect(await refusal({ Binds: [`${source}:/x:slave`] })).toEqual([400, said("shared or slave")]);
  const shared = sharedSource(defer);
  const [status, message] = await refusal({ Binds: [`${shared}:/x:shared`], Tmpfs: { "/x/in": "" } });
  expect([status, message]).toEqual([
    400,
    expect.stringContaining("/x/in lies below /x, whose mounts the host has too"),
  ]);
});

kernelTest("read-only: all below, the top alone, or nothing below at all", needs, async ({ defer }) => {
  const source = mkdtempSync(join(directory, "nested-"));
  mkdirSync(join(source, "below"));
  mount("-t", "tmpfs", "below", join(source, "below"));
  defer(() => umount(join(source, "below")));
  const script = `touch /x/a 2>/dev/null && echo top; touch /x/below/a 2>/dev/null && echo below
    grep -q ' /x/below ' /proc/self/mountinfo && echo mounted; true`;
  const seen = async (BindOptions: object) => {
    const Mounts = [{ Type: "bind", Source: source, Target: "/x", ReadOnly: true, BindOptions }];
    return (await run(script, { Mounts })).output.split("\n").join(" ");
  };
  expect(await seen({})).toBe("mounted");
  expect(await seen({ ReadOnlyForceRecursive: true })).toBe("mounted");
  expect(await seen({ ReadOnlyNonRecursive: true })).toBe("below mounted");
  expect(await seen({ NonRecursive: true })).toBe("");
  expect((await run(script, { Binds: [`${source}:/x:ro`] })).output).toBe("mounted");
});

kernelTest("a destination that is a link leads to a place in the root, and never into /proc", needs, async () => {
  const tree = makeBusyboxRoot(mkdtempSync(join(directory, "linked-")));
  symlinkSync("/etc", join(tree, "link"));
  symlinkSync("/proc/sys", join(tree, "evil"));
  symlinkSync("../../../..", join(tree, "up"));
  const host = { Rootfs: tree };
  const source = mkdtempSync(join(directory, "content-"));
  writeFileSync(join(source, "file"), "bound");
  expect((await run("cat /etc/place/file", { ...host, Binds: [`${source}:/link/place`] })).output).toBe("bound");
  expect((await run("cat /made/file", { ...host, Binds: [`${source}:/up/made`] })).output).toBe("bound");
  expect(await refusal({ ...host, Binds: [`${source}:/evil`] })).toEqual([
    400,
    expect.stringContaining("EPERM: /evil leads into /proc"),
  ]);
  expect(await refusal({ ...host, Tmpfs: { "/evil": "" } })).toEqual([
    400,
    expect.stringContaining("leads into /proc"),
  ]);
  expect(await refusal({ Binds: [`${source}:/proc/sys`] })).toEqual([400, expect.stringContaining("outside /proc")]);
});

kernelTest("files, nested places, sources that are missing", needs, async () => {
  const source = mkdtempSync(join(directory, "files-"));
  writeFileSync(join(source, "file"), "a file\n");
  const Binds = [`${source}/file:/deep/in/it:ro`, `${source}:/deep`, `${source}/new/dir:/made`];
  const { output } = await run("cat /deep/in/it /deep/file; stat -c %F /made; touch /made/x", { Binds });
  expect(output).toBe("a file\na file\ndirectory");
  expect(existsSync(join(source, "new/dir/x"))).toBe(true);
  const missing = { Type: "bind", Source: join(source, "none"), Target: "/x" };
  expect(await refusal({ Mounts: [missing] })).toEqual([
    400,
    `invalid mount config for type "bind": bind source path does not exist: ${source}/none`,
  ]);
  const Mounts = [{ ...missing, BindOptions: { CreateMountpoint: true } }];
  expect((await run("stat -c %F /x", { Mounts })).output).toBe("directory");
  expect(await refusal({ Binds: [`${source}:/etc/passwd`] })).toEqual([400, expect.stringContaining("ENOTDIR")]);
});

kernelTest("a tmpfs with everything said about it; a read-only root with places to write", needs, async () => {
  const TmpfsOptions = { SizeBytes: 1 << 20, Mode: 0o710, Options: [["uid", "7"], ["exec"]] };
  const { output } = await run(
    "stat -c '%u %a' /t; grep ' /t ' /proc/self/mountinfo | cut -d' ' -f6; touch /t/x /v/x; touch /y 2>/dev/null || echo fixed",
    { ReadonlyRootfs: true, Mounts: [{ Type: "tmpfs", Target: "/t", TmpfsOptions }], Binds: ["/v"] },
  );
  expect(output).toBe("7 710\nrw,nosuid,nodev,relatime\nfixed");
});

kernelTest("an image's files to be read: all, a part; its layers stay while a container has them", needs, async () => {
  const at = (Source: string, Subpath?: string) => ({
    Mounts: [{ Type: "image", Source, Target: "/i", ...(Subpath === undefined ? {} : { ImageOptions: { Subpath } }) }],
  });
  const script =
    "cat /i/srv/deep/file; ls /i/bin/busybox; touch /i/x 2>/dev/null || echo fixed; umount /i 2>/dev/null; true";
  expect((await run(script, at(image()))).output).toBe("from the image\n/i/bin/busybox\nfixed");
  expect((await run("cat /i/file", at(image(), "srv/deep"))).output).toBe("from the image");
  const thin = `${registry.host}/test/box:thin`;
  expect((await run("cat /i/only/file; touch /i/x 2>/dev/null || echo fixed", at(thin))).output).toBe(
    "one layer\nfixed",
  );
  const both = [...at(image()).Mounts, { Type: "image", Source: thin, Target: "/j" }];
  expect((await run("ls /i/srv /j", { Mounts: both })).output).toBe("/i/srv:\ndeep\ntop\n\n/j:\nonly");
  expect(await refusal(at("nowhere:1"))).toEqual([404, "No such image: nowhere:1"]);
  expect(await refusal(at("host"))).toEqual([501, expect.stringContaining("a mount of the image host")]);
  expect(await refusal(at(image(), "../x"))).toEqual([
    400,
    expect.stringContaining("a relative path within the image"),
  ]);
  const { Id } = await product.engine.containers.create({
    Cmd: ["cat", "/i/only/file"],
    HostConfig: { Rootfs: rootfs, ...at(thin) },
  });
  const { Mounts } = (await product.engine.containers.inspect(Id)) as unknown as { Mounts: unknown[] };
  expect(Mounts).toEqual([{ Type: "image", Source: thin, Destination: "/i", Mode: "", RW: false, Propagation: "" }]);
  const removal = await request(product, "DELETE", `/images/${thin}`);
  expect(removal.status).toBe(409);
  await product.engine.containers.remove(Id);
  product.disconnect();
});

kernelTest("an image's own volumes: made, filled, gone with the container", needs, async () => {
  const { containers, volumes } = product.engine;
  const { Id } = await containers.create({ Image: image(), Cmd: ["cat", "/srv/deep/file"] });
  const found = (await containers.inspect(Id)) as unknown as { Mounts: object[]; Config: { Volumes: object } };
  expect(found.Mounts).toMatchObject([{ Type: "volume", Destination: "/srv", Mode: "", RW: true }]);
  expect(found.Config.Volumes).toEqual({ "/srv": {} });
  const [volume] = await volumes.list();
  expect(readFileSync(join(volume?.Mountpoint ?? "", "deep/file"), "utf8")).toBe("from the image\n");
  await containers.remove(Id, { volumes: true });
  expect(await volumes.list()).toEqual([]);
  expect((await run("cat /srv/deep/file", { Tmpfs: { "/srv": "" } }, { Image: image() })).code).toBe(1);
  expect(await volumes.list()).toEqual([]);
  product.disconnect();
});
