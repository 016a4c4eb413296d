/** commit, import, save and load with the docker command line, and archives to and from dockerd, podman, skopeo and umoci. */

import { afterAll, expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { readTar } from "../conformance/tar/read.ts";
import { Dockerd } from "../dockerd.ts";
import { beforeAllWhere, kernelTest, type Need } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { Docker } from "./docker.ts";

const needs: readonly Need[] = ["root", "product", "docker", "dockerd", "overlay", "busybox"];
const directory = mkdtempSync(join(tmpdir(), "orlop-archives-"));
const product = new Product(join(directory, "orlop"));
const docker = new Docker(product);
const at = (name: string): string => join(directory, name);
let dockerd: Dockerd | undefined;

/** What the image holds, told by a container of it. */
const look = 'cat /etc/new; ls /etc/group /opaque /gone 2>&1; stat -c "%a %u:%g" /etc/new; echo $A $PWD';
const told =
  "new\nls: /etc/group: No such file or directory\nls: /gone: No such file or directory\n/opaque:\nnew\n640 7:8\nb c /tmp";
const normal = (text: string): string => text.trim().split("\n").sort().join("\n");

beforeAllWhere(
  needs,
  async () => {
    const root = makeBusyboxRoot(directory);
    for (const name of ["opaque", "gone"]) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, "old"), "old");
    }
    execFileSync("tar", ["-C", root, "-cf", at("root.tar"), "."]);
    await product.run(["info"]);
    dockerd = await Dockerd.start(at("dockerd"));
  },
  60_000,
);

afterAll(async () => {
  await product.stop();
  await dockerd?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

kernelTest("import makes an image of an archive, with changes, compressed or not", needs, async () => {
  const tar = readFileSync(at("root.tar"));
  for (const [name, blob] of Object.entries({ none: tar, gzip: gzipSync(tar), zstd: zstdCompressSync(tar) })) {
    writeFileSync(at("import"), blob);
    const words = [
      "import",
      "-c",
      'CMD ["echo", "imported"]',
      "-c",
      "ENV A=b",
      "-m",
      "by hand",
      at("import"),
      `base:${name}`,
    ];
    expect(await docker.ok(...words)).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await docker.ok("run", "--rm", `base:${name}`)).toBe("imported");
  }
  const inspected = JSON.parse(await docker.ok("inspect", "base:gzip"))[0];
  expect([inspected.Comment, inspected.Config.Env]).toEqual(["by hand", ["A=b"]]);
});

kernelTest("import refuses by name what it does not do", needs, async () => {
  for (const [words, said] of [
    [["import", "http://127.0.0.1:1/x.tar"], "127.0.0.1:1/x.tar"],
    [["import", "-c", "RUN true", at("root.tar")], "RUN is not a valid change command"],
  ] as const)
    expect((await docker.run(words)).stderr).toContain(said);
  const xz = await docker.run(["import", "-"], { stdin: new Uint8Array(Buffer.from("fd377a585a000004", "hex")) });
  expect(xz.stderr).toContain("xz compression is not supported");
});

kernelTest("commit keeps what changed, and what was changed back is not in it", needs, async () => {
  const script =
    "echo new > /etc/new; chmod 640 /etc/new; chown 7:8 /etc/new; rm -r /etc/group /opaque /gone; mkdir /opaque; echo n > /opaque/new; chmod 600 /etc/passwd; chmod 644 /etc/passwd; echo ready; sleep 1000";
  await docker.ok("run", "-d", "--name", "work", "base:gzip", "sh", "-c", script);
  while (!(await docker.ok("logs", "work")).includes("ready")) await Bun.sleep(20);
  const words = ["-m", "message", "-a", "author", "-c", "ENV A='b c'", "-c", "WORKDIR /tmp", "-c", 'CMD ["true"]'];
  const id = await docker.ok("commit", ...words, "work", "made:1");
  expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(await docker.ok("ps", "--format", "{{.Status}}")).not.toContain("Paused");
  expect(normal(await docker.ok("run", "--rm", "made:1", "sh", "-c", look))).toBe(normal(told));
  const inspected = JSON.parse(await docker.ok("inspect", "made:1"))[0];
  expect([inspected.Author, inspected.Comment, inspected.RootFS.Layers.length]).toEqual(["author", "message", 2]);
  await docker.ok("save", "-o", at("made.tar"), "made:1");
  const [, , layer] = blobsOf(at("made.tar"));
  expect(layer).toEqual(
    ["etc/", "etc/new", "etc/.wh.group", ".wh.gone", "opaque/", "opaque/.wh..wh..opq", "opaque/new"].sort(),
  );
  await docker.ok("rm", "-f", "work");
});

/** The names of the files in the top layer, behind the other blobs. */
function blobsOf(archive: string): unknown[] {
  const entries = readTar(readFileSync(archive));
  const manifest = JSON.parse(
    entries.find(({ entry }) => entry.path === "manifest.json")?.content.toString() ?? "[]",
  )[0];
  const blob = entries.find(({ entry }) => entry.path === manifest.Layers.at(-1))?.content ?? Buffer.alloc(0);
  return [
    manifest.Config,
    manifest.RepoTags,
    readTar(Bun.gunzipSync(new Uint8Array(blob)))
      .map(({ entry }) => String(entry.path))
      .sort(),
  ];
}

kernelTest("a commit without changes has no new layer", needs, async () => {
  await docker.ok("create", "--name", "same", "base:gzip");
  await docker.ok("commit", "same", "same:1");
  const inspected = JSON.parse(await docker.ok("inspect", "same:1", "base:gzip"));
  expect(inspected[0].RootFS).toEqual(inspected[1].RootFS);
  await docker.ok("rm", "same");
});

kernelTest("a container over a directory becomes an image of one layer", needs, async () => {
  await product.ok("create", "--name", "over", "--rootfs", join(directory, "rootfs"), "sh");
  await docker.ok("commit", "over", "over:1");
  expect(await docker.ok("run", "--rm", "over:1", "cat", "/opaque/old")).toBe("old");
  await docker.ok("rm", "over");
});

kernelTest(
  "what save writes is read by dockerd, podman and skopeo, the same inside",
  [...needs, "podman", "umoci"],
  async () => {
    await docker.ok("save", "-o", at("saved.tar"), "made:1", "base:zstd", "base:gzip");
    await docker.ok("save", "-o", at("made.tar"), "made:1");
    expect(await dockerd?.ok("load", "-i", at("made.tar"))).toContain("made:1");
    expect(normal((await dockerd?.ok("run", "--rm", "--network", "none", "made:1", "sh", "-c", look)) ?? "")).toBe(
      normal(told),
    );
    const podman = ["podman", "--root", at("podman"), "--runroot", at("podman-run"), "--storage-driver", "vfs"];
    expect(execFileSync(podman[0] ?? "", [...podman.slice(1), "load", "-i", at("made.tar")]).toString()).toContain(
      "made:1",
    );
    for (const source of [`docker-archive:${at("made.tar")}`, `oci-archive:${at("made.tar")}:1`])
      expect(JSON.parse(execFileSync("skopeo", ["inspect", source]).toString()).Layers).toHaveLength(2);
  },
  60_000,
);

kernelTest(
  "what dockerd, podman, skopeo and umoci write is loaded, the same inside",
  [...needs, "podman", "umoci"],
  async () => {
    await dockerd?.ok("save", "-o", at("by-docker.tar"), "made:1");
    const podman = ["--root", at("podman"), "--runroot", at("podman-run"), "--storage-driver", "vfs"];
    execFileSync("podman", [...podman, "tag", "made:1", "by-podman:1"], { stdio: "pipe" });
    execFileSync("podman", [...podman, "save", "-o", at("by-podman.tar"), "by-podman:1"], { stdio: "pipe" });
    execFileSync(
      "podman",
      [...podman, "save", "--format", "oci-archive", "-o", at("by-podman-oci.tar"), "by-podman:1"],
      { stdio: "pipe" },
    );
    execFileSync("skopeo", [
      "copy",
      `docker-archive:${at("made.tar")}`,
      `docker-archive:${at("by-skopeo.tar")}:by-skopeo:1`,
    ]);
    execFileSync("skopeo", ["copy", `docker-archive:${at("made.tar")}`, `oci:${at("layout")}:one`]);
    execFileSync("umoci", ["config", "--image", `${at("layout")}:one`, "--tag", "two", "--author", "umoci"], {
      stdio: "pipe",
    });
    execFileSync("tar", ["-C", at("layout"), "-cf", at("by-umoci.tar"), "."]);
    for (const name of ["by-docker", "by-podman", "by-podman-oci", "by-skopeo", "by-umoci"]) {
      const said = await docker.ok("load", "-i", at(`${name}.tar`));
      const image = /Loaded image(?: ID)?: (\S+)/.exec(said)?.[1] ?? "";
      expect([name, normal(await docker.ok("run", "--rm", image, "sh", "-c", look))]).toEqual([name, normal(told)]);
    }
  },
  120_000,
);

kernelTest("load takes gzip and zstd, refuses the others, and leaves nothing of a damaged archive", needs, async () => {
  const tar = readFileSync(at("made.tar"));
  for (const [name, bytes] of [["gzip", gzipSync(tar)] as const, ["zstd", zstdCompressSync(tar)] as const]) {
    writeFileSync(at(name), bytes);
    expect(await docker.ok("load", "-i", at(name))).toBe("Loaded image: made:1");
  }
  const list = async (): Promise<string> =>
    normal(await docker.ok("images", "-a", "--no-trunc", "--format", "{{.ID}} {{.Repository}}"));
  const before = await list();
  const damaged = Buffer.from(tar);
  damaged.fill(1, tar.length / 2, tar.length / 2 + 100); // in a layer
  for (const [bytes, said] of [
    [Buffer.from("fd377a585a000004", "hex"), "xz compression is not supported"],
    [Buffer.from("425a683931", "hex"), "bzip2 compression is not supported"],
    [tar.subarray(0, 100_000), "it ends in the middle of an entry"],
    [damaged, "does not match its digest"],
    [Buffer.alloc(1024), "neither index.json nor manifest.json is in it"],
    [Buffer.from("junk".repeat(500)), "is damaged at byte"],
  ] as const) {
    writeFileSync(at("bad"), bytes);
    expect((await docker.run(["load", "-i", at("bad")])).stderr).toContain(said);
  }
  expect(await list()).toBe(before);
});
