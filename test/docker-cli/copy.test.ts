/** `docker cp`, `docker diff` and `docker export` on Orlop, beside the same commands on dockerd. */

import { afterAll, describe, expect } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { describeEntries, readTar } from "../conformance/tar/read.ts";
import { describeTree } from "../conformance/tar/tree.ts";
import { Dockerd } from "../dockerd.ts";
import { beforeAllWhere, kernelTest, type Need } from "../kernel/harness.ts";
import { Product, runProgram } from "../product.ts";
import { dockerPath } from "./docker.ts";

const needs: readonly Need[] = ["root", "product", "docker", "dockerd", "overlay", "busybox"];
const directory = mkdtempSync(join(tmpdir(), "orlop-copy-"));
const product = new Product(join(directory, "orlop"));
let dockerd: Dockerd | undefined;

/** What the container does to its root before anything is copied. */
const script = `
  mkdir -p "/dir/sub dir" /opaque; echo content > "/dir/sub dir/file"; echo x > /dir/x; ln /dir/x /dir/hard
  ln -s /dir /link; ln -s nowhere /dangling; ln -s ../dir/x /bin/relative; mkfifo /dir/pipe; chmod 4711 /dir/x
  chown 1000:1001 "/dir/sub dir"; rm /etc/group; chmod 600 /etc/passwd; rm -r /opaque /replaced; mkdir /replaced; echo n > /replaced/new
  echo ready; sleep 1000`;

async function onBoth(...words: string[]): Promise<{ ours: string; theirs: string }> {
  const [ours, theirs] = [await run(product.dockerHost, words), await run(dockerd?.host ?? "", words)];
  return { ours, theirs };
}

/** Standard output, or the last line of the error. Ids differ. */
async function run(host: string, words: readonly string[]): Promise<string> {
  const command = words.map((word) => word.replace("HOST", host === product.dockerHost ? "ours" : "theirs"));
  const { exitCode, stdout, stderr } = await runProgram([dockerPath ?? "docker", ...command], {
    env: { DOCKER_HOST: host, DOCKER_CONFIG: directory },
  });
  const said = exitCode === 0 ? stdout : `${exitCode} ${stderr.trim().split("\n").at(-1)}`;
  return said.replace(/[0-9a-f]{64}/g, "ID").replace(/container:?\S+/, "container");
}

/** An archive without what differs by nature: times, order, the size that a directory takes on its file system. */
async function archived(host: string, path: string): Promise<string[]> {
  const file = join(directory, "archive.tar");
  const shell = `${dockerPath} cp box:"$1" - > ${file}`;
  execFileSync("sh", ["-c", shell, "sh", path], {
    env: { ...process.env, DOCKER_HOST: host, DOCKER_CONFIG: directory },
  });
  return describeEntries(readTar(readFileSync(file)))
    .map((line) => line.replace(/ (\d+:\d+) \d+ /, " $1 ").replace(/ = .*$/, ""))
    .sort();
}

beforeAllWhere(
  needs,
  async () => {
    const root = makeBusyboxRoot(directory);
    mkdirSync(join(root, "opaque"));
    mkdirSync(join(root, "replaced"));
    writeFileSync(join(root, "opaque/old"), "old");
    writeFileSync(join(root, "replaced/old"), "old");
    const started = await Dockerd.start(join(directory, "dockerd"));
    dockerd = started;
    const tar = join(directory, "root.tar");
    execFileSync("tar", ["-C", root, "-cf", tar, "."]);
    await run(started.host, ["import", tar, "box"]);
    await run(started.host, ["run", "-d", "--name", "box", "--network", "none", "box", "sh", "-c", script]);
    await product.ok("run", "-d", "--name", "box", "--network", "none", "--rootfs", root, "sh", "-c", script);
    for (const host of [product.dockerHost, started.host])
      while (!(await run(host, ["logs", "box"])).includes("ready")) await Bun.sleep(50);
    for (const host of [product.dockerHost, started.host]) putThrough(host, tar, "/tmp"); // dockerd keeps a pipe from its first
  },
  60_000,
);

afterAll(async () => {
  await product.stop();
  await dockerd?.run(["rm", "-f", "box"]);
  await dockerd?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

/** `docker cp -`: an archive through standard input. */
function putThrough(host: string, tar: string, path: string): void {
  execFileSync("sh", ["-c", `${dockerPath} cp - box:"$1" < "$2"`, "sh", path, tar], {
    env: { ...process.env, DOCKER_HOST: host, DOCKER_CONFIG: directory },
  });
}

function bothStates(): void {
  for (const path of [
    "/dir",
    "/dir/",
    "/dir/.",
    "dir/sub dir",
    "/dir/sub dir/file",
    "/link",
    "/link/",
    "/link/x",
    "/link/sub dir/..",
    "/dangling",
    "/bin/relative",
    "/dir/pipe",
    "/../../dir",
  ])
    kernelTest(`cp of ${path} is the archive that dockerd makes`, needs, async () => {
      expect(await archived(product.dockerHost, path)).toEqual(await archived(dockerd?.host ?? "", path));
    });

  for (const path of ["/missing", "/dir/missing", "/missing/deep"])
    kernelTest(`cp of ${path} fails in dockerd's words`, needs, async () => {
      const { ours, theirs } = await onBoth("cp", `box:${path}`, "-");
      expect(ours.split(":").slice(0, 2)).toEqual(theirs.split(":").slice(0, 2));
      expect(ours).toStartWith("1 ");
    });

  kernelTest("cp of a file with a slash behind it fails", needs, async () => {
    const { ours, theirs } = await onBoth("cp", "box:/dangling/", "-");
    expect([ours, theirs].map((said) => said.slice(0, 2))).toEqual(["1 ", "1 "]);
  });

  kernelTest("the header tells what dockerd's does", needs, async () => {
    for (const path of ["/dir", "/dir/x", "/link", "/link/", "/dangling", "/bin/relative", "/dir/pipe", "/"]) {
      const [ours, theirs] = await Promise.all(
        [product.dockerHost, dockerd?.host ?? ""].map((host) => header(host, path)),
      );
      expect(ours).toEqual(theirs);
    }
  });

  kernelTest("diff tells what dockerd's does", needs, async () => {
    const { ours, theirs } = await onBoth("diff", "box");
    const sorted = (text: string): string[] => text.split("\n").sort();
    expect(sorted(ours)).toEqual(sorted(theirs));
  });

  kernelTest("export has the files that dockerd's has", needs, async () => {
    const names = async (host: string): Promise<string[]> => {
      const file = join(directory, "export.tar");
      await run(host, ["export", "-o", file, "box"]);
      const lines = execFileSync("tar", ["-tf", file]).toString().split("\n");
      // dockerd's own places, which its mounts are made on
      return lines
        .filter((name) => !/^(\.dockerenv|(dev|proc|sys)\/.*|etc\/(hosts|hostname|resolv.conf|mtab))$/.test(name))
        .sort();
    };
    expect(await names(product.dockerHost)).toEqual(await names(dockerd?.host ?? ""));
  });
}

/** The header of a HEAD, without what differs by nature. */
async function header(host: string, path: string): Promise<unknown> {
  const socket = host.replace("unix://", "");
  const url = `http://x/containers/box/archive?path=${encodeURIComponent(path)}`;
  const text = execFileSync("curl", ["-sI", "--unix-socket", socket, url]).toString();
  const encoded = /X-Docker-Container-Path-Stat: (\S+)/i.exec(text)?.[1] ?? "";
  const { mtime, size, ...rest } = JSON.parse(Buffer.from(encoded, "base64").toString());
  return { ...rest, hasTime: /^\d{4}-\d\d-\d\dT/.test(mtime), size: rest.mode >= 2 ** 31 ? 0 : size };
}

describe("of a running container", bothStates);

describe("into a running container", () => {
  kernelTest(
    "files, directories and archives land where dockerd puts them, with its owners and errors",
    needs,
    async () => {
      const local = join(directory, "local");
      mkdirSync(join(local, "tree/below"), { recursive: true });
      writeFileSync(join(local, "tree/below/file"), "below");
      writeFileSync(join(local, "file"), "file");
      symlinkSync("file", join(local, "link"));
      execFileSync("chown", ["-R", "77:88", local]);
      writeFileSync(join(local, "plain.tar"), execFileSync("tar", ["-C", local, "-c", "tree", "link"]));
      const steps = [
        ["cp", `${local}/file`, "box:/into-root"],
        ["cp", `${local}/file`, "box:/link/through-link"],
        ["cp", `${local}/file`, "box:/dir/x"],
        ["cp", `${local}/tree`, "box:/copied"],
        ["cp", `${local}/tree`, "box:/dir"],
        ["cp", `${local}/tree/.`, "box:/dir/sub dir"],
        ["cp", "-a", `${local}/tree`, "box:/archived"],
        ["cp", `${local}/link`, "box:/a-link"],
        ["cp", "-L", `${local}/link`, "box:/a-file"],
        ["cp", `${local}/file`, "box:/bin/relative"],
        ["cp", `${local}/file`, "box:/missing/name"],
        ["cp", `${local}/file`, "box:/missing/"],
        ["cp", `${local}/tree`, "box:/dir/x"],
        ["cp", `${local}/file`, "box:/dangling"],
      ];
      for (const words of steps) {
        const { ours, theirs } = await onBoth(...words);
        expect([words.join(" "), ours.split(":").slice(0, 2)]).toEqual([
          words.join(" "),
          theirs.split(":").slice(0, 2),
        ]);
      }
      for (const host of [product.dockerHost, dockerd?.host ?? ""]) putThrough(host, `${local}/plain.tar`, "/dir");
      for (const path of [
        "/dir",
        "/copied",
        "/archived",
        "/into-root",
        "/a-link",
        "/a-file",
        "/bin/relative",
        "/nowhere",
      ])
        expect(await archived(product.dockerHost, path).catch(() => "none")).toEqual(
          await archived(dockerd?.host ?? "", path).catch(() => "none"),
        );
    },
    60_000,
  );

  kernelTest("and out again to the same files", needs, async () => {
    const { ours, theirs } = await onBoth("cp", "box:/dir/.", join(directory, "HOST-dir"));
    expect(ours).toBe(theirs);
    const trees = ["ours", "theirs"].map((host) => describeTree(join(directory, `${host}-dir`)));
    const timeless = (lines: string[] | undefined): string[] =>
      (lines ?? []).map((line) => line.replace(/ \d{19} /, " "));
    expect(timeless(trees[0])).toEqual(timeless(trees[1]));
  });

  for (const [name, compress] of [["gzip", gzipSync] as const, ["zstd", zstdCompressSync] as const])
    kernelTest(`an archive in ${name}`, needs, async () => {
      const tar = execFileSync("tar", ["-C", directory, "-c", "local"]);
      const file = join(directory, `local.${name}`);
      writeFileSync(file, compress(tar));
      putThrough(product.dockerHost, file, "/tmp");
      if (name === "gzip") putThrough(dockerd?.host ?? "", file, "/tmp"); // so that both have it
      expect(await archived(product.dockerHost, "/tmp/local/file")).toHaveLength(1);
    });

  kernelTest("an archive in xz is refused by name", needs, async () => {
    const url = `http://x/containers/box/archive?path=/tmp`;
    const put = ["curl", "-s", "-X", "PUT", "--data-binary", "@-", "--unix-socket", product.dockerHost.slice(7), url];
    const { stdout } = await runProgram(put, { stdin: new Uint8Array(Buffer.from("fd377a585a000004", "hex")) });
    expect(JSON.parse(stdout).message).toContain("xz compression is not supported");
  });
});

describe("of a stopped container", () => {
  kernelTest("both are stopped", needs, async () => {
    const { ours, theirs } = await onBoth("stop", "-t", "0", "box");
    expect(ours).toBe(theirs);
  });
  bothStates();

  kernelTest("cp puts a file into it, and it starts with it", needs, async () => {
    const file = join(directory, "late");
    writeFileSync(file, "late");
    expect(await run(product.dockerHost, ["cp", file, "box:/link/"])).toBe("");
    expect(await archived(product.dockerHost, "/dir/late")).toHaveLength(1);
    await product.ok("start", "box");
    expect(await archived(product.dockerHost, "/dir/late")).toHaveLength(1);
    expect(existsSync(join(directory, "rootfs/dir"))).toBe(false);
    expect(lstatSync(join(directory, "rootfs/etc/group")).isFile()).toBe(true);
  });
});
