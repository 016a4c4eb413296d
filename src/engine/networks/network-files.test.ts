import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Resolvers } from "../../network/name-files.ts";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { writeNetworkFiles } from "./network-files.ts";

test("what is in a file already is not written again, and what is another by now is", () => {
  const directory = mkdtempSync(join(tmpdir(), "orlop-files-"));
  try {
    const input = {
      body: parseContainerCreate({ Image: "host" }),
      hostname: "web",
      directory,
      sandbox: { id: "0", endpoints: [], nextNumber: 0, ports: [] },
      others: [],
    };
    const asking = (server: string): Resolvers => ({ servers: [server], search: [], options: [] });
    const written = writeNetworkFiles({ ...input, resolvers: asking("192.0.2.1") });
    expect(readdirSync(directory).toSorted()).toEqual(["hostname", "hosts", "resolv.conf"]);
    expect(readFileSync(`${directory}/resolv.conf`, "utf8")).toBe(written["resolv.conf"]);
    for (const name of readdirSync(directory)) rmSync(`${directory}/${name}`);
    writeNetworkFiles({ ...input, resolvers: asking("192.0.2.2") }, written);
    expect(readdirSync(directory)).toEqual(["resolv.conf"]);
    expect(readFileSync(`${directory}/resolv.conf`, "utf8")).toContain("192.0.2.2");
  } finally {
    rmSync(directory, { recursive: true });
  }
});
