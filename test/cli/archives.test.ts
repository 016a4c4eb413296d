/** `orlop cp`, `diff`, `export`, `commit`, `save`, `load`, `import`: the program itself on a real engine. */
import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { useProduct } from "../api/engine-fixture.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { describeTree } from "../conformance/tar/tree.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "overlay", "busybox"];
const product = useProduct();
const timeless = (lines: string[]): string[] =>
  lines.map((line) => line.replace(/ \d{19} /, " ").replace(/ = .*$/, ""));

kernelTest("cp takes a tree in and out again, as files and as an archive", needs, async ({ directory, defer }) => {
  await product().ok("create", "--name", "tree", "--rootfs", makeBusyboxRoot(directory), "sh");
  defer(async () => void (await product().ok("rm", "tree")));
  const local = join(directory, "local");
  mkdirSync(join(local, "a/b"), { recursive: true });
  writeFileSync(join(local, "a/b/file"), Buffer.alloc(300_000, "x"));
  writeFileSync(join(local, "a/empty"), "");
  symlinkSync("b/file", join(local, "a/link"));
  execFileSync("sh", ["-c", "ln a/b/file a/hard; chmod 4751 a/b/file; chmod 700 a/b"], { cwd: local });
  await product().ok("cp", join(local, "a"), "tree:/in");
  await product().ok("cp", "tree:/in", join(directory, "out"));
  expect(timeless(describeTree(join(directory, "out")))).toEqual(timeless(describeTree(join(local, "a"))));
  const archive = await product().run(["cp", "tree:/in/.", "-"]);
  expect(archive.exitCode).toBe(0);
  const tar = execFileSync("tar", ["-C", local, "-c", "a"]);
  expect(await product().run(["cp", "-", "tree:/tmp"], { stdin: new Uint8Array(tar) })).toMatchObject({ exitCode: 0 });
  expect((await product().ok("diff", "tree")).split("\n")).toContain("A /tmp/a/b/file");
});

// Its changes lie on the machine's own disk, where this directory does.
kernelTest("a stopped copy of the machine gives and takes files", needs, async ({ directory, defer }) => {
  await product().ok("create", "--name", "copy", "--network", "none", "host", "sh", "-c", "echo changed >/etc/issue");
  defer(async () => void (await product().ok("rm", "copy")));
  await product().ok("cp", "copy:/etc/passwd", join(directory, "passwd"));
  expect(readFileSync(join(directory, "passwd"))).toEqual(readFileSync("/etc/passwd"));
  await product().ok("start", "--attach", "copy");
  await product().ok("cp", "copy:/etc/issue", join(directory, "issue"));
  expect(readFileSync(join(directory, "issue"), "utf8")).toBe("changed\n");
  await product().ok("cp", join(directory, "issue"), "copy:/etc/put");
  expect((await product().ok("diff", "copy")).split("\n")).toContain("A /etc/put");
});

kernelTest("cp names what it makes as Docker does", needs, async ({ directory, defer }) => {
  await product().ok("create", "--name", "names", "--rootfs", makeBusyboxRoot(directory), "sh");
  defer(async () => void (await product().ok("rm", "names")));
  const at = (name: string): string => join(directory, name);
  mkdirSync(at("d"));
  writeFileSync(at("d/f"), "f");
  symlinkSync("d", at("link"));
  for (const words of [
    [at("d/f"), "names:/one"],
    [at("d/f"), "names:/tmp"],
    [at("d"), "names:/tmp"],
    [at("d"), "names:/new"],
    [`${at("d")}/.`, "names:/etc"],
    [at("link"), "names:/a-link"],
    ["-L", at("link"), "names:/a-directory"],
  ])
    await product().ok("cp", ...words);
  const changes = (await product().ok("diff", "names")).split("\n");
  expect(changes.filter((line) => line.startsWith("A")).sort()).toEqual(
    [
      "A /one",
      "A /tmp/f",
      "A /tmp/d",
      "A /tmp/d/f",
      "A /new",
      "A /new/f",
      "A /etc/f",
      "A /a-link",
      "A /a-directory",
      "A /a-directory/f",
    ].sort(),
  );
  await product().ok("cp", "names:/one", at("two"));
  await product().ok("cp", "names:/a-link", at("out-link"));
  await product().ok("cp", "-L", "names:/bin/busybox", at("program"));
  expect([readFileSync(at("two"), "utf8"), readlinkSync(at("out-link")), lstatSync(at("program")).isFile()]).toEqual([
    "f",
    "d",
    true,
  ]);
  for (const [words, said] of [
    [["names:/missing", at("x")], "Could not find the file /missing in container"],
    [[at("missing"), "names:/x"], "a file or directory that is there"],
    [[at("d"), "names:/one"], "cannot copy a directory over a file"],
    [[at("d/f"), "names:/missing/"], "no such directory"],
    [["names:/one", at("missing/x")], "is not there"],
    [["here", "there"], "CONTAINER:PATH as source or destination"],
    [["nobody:/x", at("x")], "No such container: nobody"],
    [["-L", "nobody:/x", at("x")], "No such container: nobody"],
    [["-L", "names:/missing", at("x")], "Could not find the file /missing in container"],
    [[at("d/f"), "nobody:/x"], "No such container: nobody"],
  ] as const) {
    const { exitCode, stderr } = await product().run(["cp", ...words]);
    expect([words.join(" "), exitCode, stderr.includes(said)]).toEqual([words.join(" "), 1, true]);
  }
});

kernelTest("commit, save, load, export and import lead back to the same files", needs, async ({ directory, defer }) => {
  const at = (name: string): string => join(directory, name);
  execFileSync("tar", ["-C", makeBusyboxRoot(directory), "-cf", at("root.tar"), "."]);
  const first = await product().ok("import", "-c", 'CMD ["cat", "/new"]', "-m", "a root", at("root.tar"), "first:1");
  expect(first).toMatch(/^sha256:[0-9a-f]{64}$/);
  await product().ok("create", "--name", "work", "first:1");
  defer(async () => void (await product().ok("rm", "work")));
  writeFileSync(at("new"), "new");
  await product().ok("cp", at("new"), "work:/new");
  expect(await product().ok("commit", "-a", "me", "work", "second:1")).toMatch(/^sha256:/);
  expect(await product().ok("run", "--rm", "second:1")).toBe("new");
  await product().ok("save", "-o", at("saved.tar"), "second:1", "first:1");
  expect((await product().ok("load", "-i", at("saved.tar"))).split("\n").sort()).toEqual([
    "Loaded image: first:1",
    "Loaded image: second:1",
  ]);
  await product().ok("export", "-o", at("exported.tar"), "work");
  expect(execFileSync("tar", ["-tf", at("exported.tar")]).toString()).toContain("bin/busybox");
  await product().ok("import", "-c", "CMD cat /new", at("exported.tar"), "flat");
  expect(await product().ok("run", "--rm", "flat")).toBe("new");
  const cut = await product().run(["load"], {
    stdin: new Uint8Array(readFileSync(at("saved.tar")).subarray(0, 10_000)),
  });
  expect([cut.exitCode, cut.stderr.includes("it ends in the middle of an entry")]).toEqual([1, true]);
  expect(await product().run(["export", "-o", at("none/x"), "work"])).toMatchObject({ exitCode: 1 });
  expect(existsSync(at("none"))).toBe(false);
  const missing = await product().run(["import", at("missing.tar")]);
  expect([missing.exitCode, missing.stderr.includes("cannot read")]).toEqual([1, true]);
});

kernelTest("an image is for one platform: who asks for another is told", needs, async ({ directory }) => {
  const at = (name: string): string => join(directory, name);
  const ok = (...words: string[]) => product().ok(...words);
  execFileSync("tar", ["-C", makeBusyboxRoot(directory), "-cf", at("root.tar"), "."]);
  await ok("import", "--platform", "linux/s390x", at("root.tar"), "127.0.0.1:1/far:1");
  await ok("import", at("root.tar"), "near:1");
  const name = "127.0.0.1:1/far:1";
  for (const words of [["save"], ["history"], ["push"], ["image", "inspect"]]) {
    const { exitCode, stderr } = await product().run([...words, "--platform", "linux/arm64", name]);
    expect([words, exitCode]).toEqual([words, 1]);
    expect(stderr).toContain("does not provide the specified platform (linux/arm64): it is for linux/s390x");
  }
  expect(await ok("history", "-q", "--platform", "linux/s390x", name)).not.toBe("");
  expect(await ok("image", "inspect", "--platform", "linux/s390x", name)).toContain('"s390x"');
  await ok("save", "--platform", "s390x", "-o", at("far.tar"), name);
  await ok("save", "-o", at("both.tar"), name, "near:1");
  expect(await ok("load", "--platform", "linux/s390x", "-i", at("both.tar"))).toBe(`Loaded image: ${name}`);
  expect(await ok("load", "-i", at("far.tar"))).toBe(`Loaded image: ${name}`);
  const refused = await product().run(["load", "--platform", "linux/amd64", "-i", at("far.tar")]);
  expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining("it is for linux/s390x")]);
});

kernelTest(
  "a layer is unpacked while its archive comes, and is not there when it turns out damaged",
  needs,
  async ({ directory, defer }) => {
    const loading = new Product(join(directory, "loading"));
    defer(() => loading.stop());
    const root = makeBusyboxRoot(directory);
    writeFileSync(join(root, "large"), randomBytes(8 << 20));
    execFileSync("tar", ["-C", root, "-cf", join(directory, "root.tar"), "."]);
    await product().ok("import", "-c", "CMD ls /large", join(directory, "root.tar"), "large");
    await product().ok("save", "-o", join(directory, "saved.tar"), "large");
    const saved = readFileSync(join(directory, "saved.tar"));
    await loading.ok("info");
    const layers = join(loading.stateDir, "layers");
    const isUnpacking = (): boolean =>
      existsSync(join(layers, "new")) &&
      readdirSync(join(layers, "new")).some((name) => readdirSync(join(layers, "new", name)).length > 0);
    async function* haltingly(rest: Uint8Array): AsyncGenerator<Uint8Array> {
      const half = saved.length / 2;
      for (let at = 0; at < half; at += 65_536) yield saved.subarray(at, Math.min(at + 65_536, half));
      await waitUntil(isUnpacking, 10_000, "the layer is being unpacked");
      yield rest;
    }
    const load = async (rest: Uint8Array): Promise<string[]> => {
      const said: string[] = [];
      for await (const { stream, error } of loading.engine.images.load(haltingly(rest)))
        said.push(stream ?? error ?? "");
      return said;
    };
    const damaged = Buffer.from(saved.subarray(saved.length / 2));
    damaged.fill(1, 1000, 1100);
    await expect(load(damaged)).rejects.toThrow("does not match its digest");
    expect(readdirSync(layers).filter((name) => /^[0-9a-f]{64}/.test(name))).toEqual([]);
    expect(readdirSync(join(layers, "new"))).toEqual([]);
    expect(await load(saved.subarray(saved.length / 2))).toEqual(["Loaded image: large:latest\n"]);
    expect(await loading.ok("run", "--rm", "large")).toBe("/large");
  },
);

kernelTest(
  "with ORLOP_STORAGE=copies containers keep their changes, and are diffed and committed as on overlay",
  needs,
  async ({ directory, defer }) => {
    const copies = new Product(join(directory, "copies"), { env: { ORLOP_STORAGE: "copies" } });
    defer(() => copies.stop());
    execFileSync("tar", ["-C", makeBusyboxRoot(directory), "-cf", join(directory, "root.tar"), "."]);
    await copies.ok("import", join(directory, "root.tar"), "base");
    await copies.ok("run", "--name", "work", "base", "sh", "-c", "echo new > /new; rm /etc/group; mkdir /d");
    expect((await copies.ok("diff", "work")).split("\n").filter((line) => !line.includes("/etc/h"))).toEqual([
      "A /d",
      "C /etc",
      "D /etc/group",
      "A /new",
    ]);
    await copies.ok("cp", join(directory, "root.tar"), "work:/d");
    await copies.ok("commit", "work", "made");
    expect(await copies.ok("run", "--rm", "made", "sh", "-c", "cat /new; ls /d; ls /etc/group 2>&1 || true")).toBe(
      "new\nroot.tar\nls: /etc/group: No such file or directory",
    );
    await copies.ok("start", "work");
    await copies.ok("wait", "work");
    expect(await copies.ok("run", "--rm", "base", "ls", "/")).not.toContain("new");
  },
);
