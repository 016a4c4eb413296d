/** Volumes on a file server, by its name. Where the kernel has no NFS, that is said; where it serves some itself (test/vm), all of it is tried. */

import { expect } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { Product, testOrlopPath } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "overlay"];
const timeoutMs = 300_000;

/** What the virtual machine exports to itself, as `files` (test/vm/nfs.test.ts). */
const exported = "/srv/export";
const hasServer = existsSync("/proc/fs/nfsd/threads") && existsSync(exported);

kernelTest(
  "an NFS volume's server is looked up, mounted while it is used, and holds up nobody else when it is silent",
  needs,
  async (scratch) => {
    const product = new Product(scratch.directory, { program: testOrlopPath });
    scratch.defer(() => product.stop());
    const volume = (name: string, o: string) =>
      product.ok("volume", "create", "-o", "type=nfs", "-o", "device=:/", "-o", `o=${o}`, name);
    const run = (words: readonly string[], ...flags: string[]) =>
      product.run(["run", "--network", "none", ...flags, "host", "sh", "-c", ...words]);

    await volume("nobody", "addr=nobody.invalid");
    expect((await run(["true"], "--rm", "-v", "nobody:/d:nocopy")).stderr).toContain(
      "error resolving passed in network volume address: nobody.invalid: ",
    );
    const server = hasServer ? "files" : "localhost";
    await volume("data", `addr=${server},vers=4.2,rw`);
    const first = await run(["echo from the first >/d/file"], "--rm", "-v", "data:/d:nocopy");
    if (!hasServer) {
      expect(first.stderr).toMatch(/mount :\/:\S+, type nfs: (ENODEV: file system nfs|ECONNREFUSED|EINVAL)/);
      return;
    }
    expect(first).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect(readFileSync(`${exported}/file`, "utf8")).toBe("from the first\n");
    const mounts = () =>
      readFileSync("/proc/self/mountinfo", "utf8").includes(`${product.stateDir}/volumes/data/_data `);
    await waitUntil(() => !mounts(), 60_000, "it is unmounted behind the last container");

    const script = "cat /d/file; while [ ! -e /d/end ]; do sleep 0.2; done; echo more >>/d/file";
    const id = await product.ok("run", "-d", "--network", "none", "-v", "data:/d:nocopy", "host", "sh", "-c", script);
    await waitUntil(
      async () => (await product.ok("logs", id)) === "from the first",
      60_000,
      "another container has it",
    );
    expect(mounts()).toBe(true);
    writeFileSync(`${exported}/end`, "");
    expect(await product.ok("wait", id)).toBe("0");
    expect(readFileSync(`${exported}/file`, "utf8")).toBe("from the first\nmore\n");
    const copied = `${scratch.directory}/copied`; // of a container that does not run
    expect((await product.run(["cp", `${id}:/d/file`, copied])).stderr).toBe("");
    expect(readFileSync(copied, "utf8")).toBe("from the first\nmore\n");

    // The server falls silent: who waits for it waits alone.
    const writing = "while :; do echo x >>/d/file; sleep 0.1; done";
    const held = await product.ok(
      "run",
      "-d",
      "--network",
      "none",
      "-v",
      "data:/d:nocopy",
      "host",
      "sh",
      "-c",
      writing,
    );
    writeFileSync("/proc/fs/nfsd/threads", "0");
    try {
      await Bun.sleep(2000);
      expect(await product.ok("ps", "-q", "--no-trunc")).toBe(held);
      expect(await product.ok("volume", "ls", "-q")).toContain("data");
      expect((await run(["echo other"], "--rm")).stdout).toBe("other\n");
      expect((await product.run(["stop", "-t", "0", held])).exitCode).toBe(0);
    } finally {
      writeFileSync("/proc/fs/nfsd/threads", "2");
    }
    expect(await product.ok("rm", "-f", id, held)).toContain(id);
    await waitUntil(() => !mounts(), 120_000, "it is unmounted");
    await product.ok("volume", "rm", "data", "nobody");
    expect(existsSync(`${exported}/file`)).toBe(true); // a removed volume's server keeps what it has
  },
  timeoutMs,
);
