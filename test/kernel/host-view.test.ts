/** The machine's mounts as plans see them: read once, and again when the kernel says that they are others. */

import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { readHostView } from "../../src/storage/host-view.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest } from "./harness.ts";

kernelTest(
  "a mount, its change and its end are seen at once, and what is the same is read once",
  ["root"],
  async ({ directory }) => {
    const place = join(directory, "place");
    mkdirSync(place);
    const optionsOf = (path: string) => readHostView().mounts.find(({ mountPoint }) => mountPoint === path)?.options;
    const mount = (...words: string[]) => execFileSync("mount", words);
    const isReadOnce = () => {
      const { mounts } = readHostView();
      return readHostView().mounts === mounts; // unless the machine mounts something just then
    };
    await waitUntil(isReadOnce, 5000, "what is the same is read once");

    mount("-t", "tmpfs", "none", place);
    expect(optionsOf(place)).toContain("rw");
    mount("-o", "remount,bind,ro", place);
    expect(optionsOf(place)).toContain("ro");
    mount("--bind", directory, place);
    expect(readHostView().mounts.filter(({ mountPoint }) => mountPoint === place)).toHaveLength(2);
    execFileSync("umount", [place]);
    execFileSync("umount", [place]);
    expect(optionsOf(place)).toBeUndefined();
  },
);
