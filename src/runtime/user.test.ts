import { expect, test } from "bun:test";
import { needsAccounts, resolveUser } from "./user.ts";

const accounts = {
  passwd: `root:x:0:0:root:/root:/bin/sh
# a comment: not an entry
+::::::
www:x:33:33:web:/var/www:/bin/false
ann:x:1000:100::/home/ann:/bin/sh
1234:x:77:77:a name of digits:/nowhere:/bin/sh
half:x:12
big:x:4294967295:0::/:/bin/sh
nohome:x:8:8:::
nul:x:9:9::/home/n\0l:/bin/sh
`,
  group: `root:x:0:
wheel:x:10:root,ann
disk:x:6: root
users:x:100:
docker:x:999:ann
`,
};

test.each<[string, string[], number | undefined, number | undefined, number[] | string, string]>([
  // user         added              uid   gid  groups           home
  ["", [], 0, 0, [0, 10, 6], "/root"],
  ["0", [], 0, 0, [0, 10, 6], "/root"],
  ["root", [], 0, 0, [0, 10, 6], "/root"],
  ["ann", [], 1000, 100, [100, 10, 999], "/home/ann"],
  ["1000", [], 1000, 100, [100, 10, 999], "/home/ann"],
  ["ann:", [], 1000, 100, [100, 10, 999], "/home/ann"],
  ["ann:www", [], undefined, undefined, "group", ""],
  ["ann:wheel", [], 1000, 10, [10], "/home/ann"],
  ["ann:0", [], 1000, 0, [0], "/home/ann"],
  [":docker", [], 0, 999, [999], "/root"],
  ["5000", [], 5000, 0, [0], "/"],
  ["5000:6000", [], 5000, 6000, [6000], "/"],
  ["1234", [], 1234, 0, [0], "/"],
  ["nohome", [], 8, 8, [8], "/"],
  ["www", ["disk", "999", "33"], 33, 33, [33, 6, 999], "/var/www"],
  ["4294967294", [], 4294967294, 0, [0], "/"],
  ["4294967295", [], undefined, undefined, "user", ""],
  ["4294967296", [], undefined, undefined, "user", ""],
  ["-1", [], undefined, undefined, "user", ""],
  ["+7", [], undefined, undefined, "user", ""],
  ["nobody-here", [], undefined, undefined, "user", ""],
  ["half", [], undefined, undefined, "user", ""],
  ["big", [], undefined, undefined, "user", ""],
  ["nul", [], undefined, undefined, "user", ""],
  ["0:nogroup", [], undefined, undefined, "group", ""],
  ["0:4294967296", [], undefined, undefined, "group", ""],
  ["0", ["nogroup"], undefined, undefined, "group", ""],
])("user %p with groups %p", (user, added, uid, gid, groups, home) => {
  if (uid === undefined)
    expect(() => resolveUser(user, added, accounts)).toThrow(new RegExp(`^(invalid|unable to find) ${groups}`));
  else expect<unknown>(resolveUser(user, added, accounts)).toEqual({ uid, gid, additionalGids: groups, home });
});

test("without the files numbers still work, and root's home is /", () => {
  expect(resolveUser("", [], { passwd: "", group: "" })).toEqual({ uid: 0, gid: 0, additionalGids: [0], home: "/" });
});

test.each<[string, string[], boolean]>([
  ["", [], true],
  ["0", [], true],
  ["7:8", [], false],
  ["7:8", ["9"], false],
  ["7:8", ["wheel"], true],
])("%p with %p depends on the files: %p", (user, added, expected) => {
  expect(needsAccounts(user, added)).toBe(expected);
});
