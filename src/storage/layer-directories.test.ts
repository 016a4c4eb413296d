import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { digestOfHex } from "../spec/digest.ts";
import { LayerDirectories } from "./layer-directories.ts";

const diffId = digestOfHex("a".repeat(64));
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "orlop-layers-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("layers lie apart on the disk: their place is spread before the first is filled, and none has the name of one before", async () => {
  const done: string[] = [];
  const work = {
    removeTree: async (path: string) => rmSync(path, { recursive: true }),
    spread: async (path: string) => void done.push(`spread ${basename(path)}`),
  };
  const layers = await LayerDirectories.open(root, work);
  const names: string[] = [];
  const fill = async (directory: string) => {
    done.push("fill");
    names.push(basename(directory));
    return { contentBytes: 0, hidesEtc: false };
  };
  await layers.ensure(diffId, fill);
  await layers.remove(diffId);
  await layers.ensure(diffId, fill);
  expect(done).toEqual(["spread new", "fill", "fill"]);
  expect(names[0]).not.toBe(names[1]);
});
