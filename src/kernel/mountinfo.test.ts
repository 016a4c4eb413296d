import { expect, test } from "bun:test";
import { parseMountInfo, visibleMounts } from "./mountinfo.ts";

test("a line has its fields, with or without propagation, and \\040 is a space", () => {
  const [mount] = parseMountInfo(
    "71 30 8:33 /sub /srv/a\\040b rw,nosuid shared:41 master:2 - ext4 /dev/sd\\134c1 rw,mode=755\n",
  );
  expect(mount).toEqual({
    id: 71,
    parent: 30,
    device: "8:33",
    root: "/sub",
    mountPoint: "/srv/a b",
    options: ["rw", "nosuid"],
    propagation: ["shared:41", "master:2"],
    fstype: "ext4",
    source: "/dev/sd\\c1",
    superOptions: ["rw", "mode=755"],
  });
  expect(parseMountInfo("1 0 0:1 / / rw - rootfs rootfs rw\n")[0]?.propagation).toEqual([]);
});

test("a line that is not one is a fault", () => {
  expect(() => parseMountInfo("1 0 0:1 / / rw ext4\n")).toThrow("not a line");
});

/** "id parent path" lines as mounts. */
function mounts(...lines: string[]) {
  return parseMountInfo(lines.map((line) => `${line.replace(/ (\S+)$/, " 0:1 / $1")} rw - ext4 d rw\n`).join(""));
}

test.each([
  ["parents come first, whatever the order of lines", ["3 2 /a/b", "2 1 /a", "1 0 /"], [1, 2, 3]],
  [
    "the last of two in one place is seen, with what is on it",
    ["1 0 /", "2 1 /a", "4 2 /a/x", "3 2 /a", "5 3 /a/y"],
    [1, 3, 5],
  ],
  ["one that was mounted above hides what was below", ["1 0 /", "2 1 /a/b", "3 1 /a"], [1, 3]],
  ["a second root on top of the first", ["1 0 /", "2 1 /", "3 1 /old", "4 2 /new"], [2, 4]],
  ["a root that is its own parent", ["1 1 /", "2 1 /a"], [1, 2]],
  ["names that only begin alike do not hide each other", ["1 0 /", "2 1 /a", "3 1 /ab"], [1, 2, 3]],
])("%s", (_name, lines, seen) => {
  expect(visibleMounts(mounts(...lines)).map((mount) => mount.id)).toEqual(seen);
});
