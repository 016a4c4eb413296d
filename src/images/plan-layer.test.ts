/** What the planner refuses in a layer, with which words, and which steps come of what it accepts. */
import { describe, expect, test } from "bun:test";
import type { Step } from "../kernel/step.ts";
import { type ByteString, byteStringOfText, plainEntry, type TarEntry } from "../spec/tar-entry.ts";
import { defaultLayerLimits, type LayerLimits, LayerPlanner } from "./plan-layer.ts";

const text = byteStringOfText;
const plain: TarEntry = { ...plainEntry, path: text("a"), mode: 0o644, mtimeNs: 5n };
const dir = (path: string): Partial<TarEntry> => ({ path: text(path), kind: "directory" });
const file = (path: string): Partial<TarEntry> => ({ path: text(path) });

function plan(entries: readonly Partial<TarEntry>[], limits: LayerLimits = defaultLayerLimits): Step[] {
  const steps: Step[] = [];
  const planner = new LayerPlanner((step) => steps.push(step), limits);
  planner.begin("/layer");
  for (const entry of entries) {
    planner.entry({ ...plain, ...entry });
    planner.finish();
  }
  planner.end(false);
  return steps;
}

const brief = (steps: readonly Step[]): string[] =>
  steps.map((step) => ("path" in step ? `${step.op} ${Buffer.from(step.path as Uint8Array)}` : step.op));

describe("a layer's plan", () => {
  test.each<[string, readonly Partial<TarEntry>[], string]>([
    ["a name with ..", [file("../etc/passwd")], "a name with .."],
    ["a .. in the middle", [file("a/../../b")], "a name with .."],
    ["an absolute name", [file("/etc/passwd")], "an absolute name"],
    ["a hard link to a host file", [{ kind: "hardlink", link: text("/etc/shadow") }], "an absolute name"],
    ["a hard link out", [{ kind: "hardlink", link: text("../../etc/shadow") }], "a name with .."],
    ["a hard link to what is not here", [{ kind: "hardlink", link: text("x") }], "is not in this layer"],
    ["a hard link to a directory", [dir("d"), { kind: "hardlink", link: text("d") }], "is not in this layer"],
    ["a hard link to itself", [file("a"), { kind: "hardlink", link: text("./a") }], "a hard link to itself"],
    ["a file below a link", [{ kind: "symlink", link: text("/") }, file("a/b")], "is not a directory"],
    ["a file below a file", [file("a"), file("a/b/c")], '"a", which it lies in, is not a directory'],
    ["overlayfs's own device", [{ kind: "character" }], "device 0:0 is overlayfs's own mark"],
    ["overlayfs's attribute", [{ xattrs: [[text("trusted.overlay.redirect"), Buffer.from("/")]] }], "overlayfs's own"],
    ["the unprivileged one", [{ xattrs: [[text("user.overlay.metacopy"), Buffer.from("")]] }], "overlayfs's own"],
    ["a root that is a file", [file("./")], "it would replace the root directory"],
    ["a root that is a link", [{ ...file("."), kind: "symlink", link: text("/x") }], "replace the root directory"],
    ["a link to nothing", [{ kind: "symlink", link: text("") }], "its target is empty"],
    ["a whiteout of nothing", [file(".wh.")], "it hides nothing that has a name"],
    ["a whiteout of ..", [file("d/.wh...")], "it hides nothing that has a name"],
    ["a name of 256 bytes", [file(`d/${"n".repeat(256)}`)], "a part of its name is over 255 bytes"],
  ])("%s is refused", (_, entries, words) => {
    expect(() => plan(entries)).toThrow(words);
    expect(() => plan(entries)).toThrow(/the layer's entry ".*" is refused/);
  });

  test("more entries or bytes than the limits are refused", () => {
    const limits = { entriesMax: 3, bytesMax: 100 };
    expect(() => plan([file("a"), file("b"), file("c"), file("d")], limits)).toThrow(
      'entry "d" is refused: over 3 entries',
    );
    expect(() => plan([{ size: 60 }, { size: 60 }], limits)).toThrow("over 100 bytes");
    expect(() => plan([{ size: 2 ** 50, extents: [] }], limits)).toThrow("over 100 bytes");
  });

  test("names are cleaned, missing directories are made once, times come last", () => {
    const steps = plan([dir("./"), file(".//x/./y//z"), file("x/w"), dir("x/")]);
    expect(brief(steps)).toEqual([
      "layer /layer",
      "layer-directory ",
      "layer-directory x",
      "layer-directory x/y",
      "layer-file x/y/z",
      "layer-file x/w",
      "layer-directory x",
      "layer-time ",
      "layer-time x",
      "layer-end",
    ]);
  });

  test("a marker's content and attributes are not given to the entry before it", () => {
    const steps: Step[] = [];
    const planner = new LayerPlanner((step) => steps.push(step), defaultLayerLimits);
    planner.entry({ ...plain, path: text(".wh.x"), size: 3, xattrs: [[text("user.a"), Buffer.from("1")]] });
    planner.data(Buffer.from("abc"), 0);
    planner.finish();
    expect(brief(steps)).toEqual(["layer-whiteout x"]);
  });

  test("content goes in pieces that fit into frames, with its offset", () => {
    const steps: Step[] = [];
    const planner = new LayerPlanner((step) => steps.push(step), defaultLayerLimits);
    planner.entry({ ...plain, size: 200_000 });
    planner.data(Buffer.alloc(100_000), 100_000);
    const pieces = steps.flatMap((step) => (step.op === "layer-data" ? [[step.offset, step.data.length]] : []));
    expect(pieces).toEqual([
      [100_000, 65_536],
      [165_536, 34_464],
    ]);
  });

  test("times that the kernel cannot hold become the nearest that it can", () => {
    const time = (mtimeNs: bigint) => {
      const step = plan([{ mtimeNs }])[1] as Extract<Step, { op: "layer-file" }>;
      return BigInt.asIntN(64, BigInt(step.mtimeNs));
    };
    expect(time(-1n)).toBe(-1n);
    expect(time(2n ** 70n)).toBe(2n ** 63n - 1n);
    expect(time(-(2n ** 70n))).toBe(-(2n ** 63n));
  });

  test("a name that is not UTF-8 stays the bytes it was", () => {
    const step = plan([{ path: "\xff\xfe" as ByteString }])[1] as Extract<Step, { op: "layer-file" }>;
    expect([...step.path]).toEqual([0xff, 0xfe]);
  });
});
