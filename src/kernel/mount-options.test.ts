import { describe, expect, test } from "bun:test";
import { type MountOptions, parseMountOptions } from "./mount-options.ts";

const none: MountOptions = {
  bind: false,
  recursiveBind: false,
  set: 0,
  clear: 0,
  recursiveAttributes: false,
  propagation: 0,
  data: [],
};
const parse = (text: string): MountOptions => parseMountOptions(text === "" ? [] : text.split(","));

describe("mount options", () => {
  test.each([
    ["", {}],
    ["defaults", {}],
    ["ro", { set: 0x1 }],
    ["rw", { clear: 0x1 }],
    ["nosuid,noexec,nodev", { set: 0x2 | 0x4 | 0x8 }],
    ["nosuid,suid", { clear: 0x2 }],
    ["suid,nosuid", { set: 0x2 }],
    ["ro,rw,ro", { set: 0x1 }],
    ["rro", { set: 0x1, recursiveAttributes: true }],
    ["ro,rnosuid,rexec", { set: 0x3, clear: 0x8, recursiveAttributes: true }],
    ["rw", { clear: 0x1 }],
    ["nodiratime,nosymfollow", { set: 0x80 | 0x200000 }],
    // access times are one field, cleared as a whole: mount_setattr(2)
    ["noatime", { set: 0x10, clear: 0x70 }],
    ["strictatime", { set: 0x20, clear: 0x70 }],
    ["relatime", { clear: 0x70 }],
    ["noatime,strictatime", { set: 0x20, clear: 0x70 }],
    ["strictatime,relatime", { clear: 0x70 }],
    ["noatime,ro", { set: 0x11, clear: 0x70 }],
    ["bind", { bind: true }],
    ["rbind", { bind: true, recursiveBind: true }],
    ["rbind,bind", { bind: true, recursiveBind: true }],
    ["private", { propagation: 0x40000 }],
    ["rprivate", { propagation: 0x44000 }],
    ["rslave", { propagation: 0x84000 }],
    ["shared", { propagation: 0x100000 }],
    ["runbindable", { propagation: 0x24000 }],
    ["rslave,rprivate", { propagation: 0x44000 }],
    ["size=64m,mode=1777,ro", { set: 0x1, data: ["size=64m", "mode=1777"] }],
    ["newinstance,ptmxmode=0666,sync", { data: ["newinstance", "ptmxmode=0666", "sync"] }],
  ])("%s", (written, expected) => {
    expect(parse(written)).toEqual({ ...none, ...expected });
  });

  test.each(["remount", "idmap", "ridmap", "tmpcopyup", "copy-symlink"])("%s is refused by name", (option) => {
    expect(() => parseMountOptions(["ro", option])).toThrow(`mount option ${option} is not supported`);
  });

  test.each(["", "a\0b"])("%j cannot be one", (option) => {
    expect(() => parseMountOptions([option])).toThrow(`invalid mount option ${JSON.stringify(option)}`);
  });
});
