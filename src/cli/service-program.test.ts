import { expect, test } from "bun:test";
import { unsafeBecause } from "./service-program.ts";

test.each([
  // uid   gid  mode      unsafe because
  [0, 0, 0o100755, undefined],
  [0, 0, 0o040775, undefined],
  [0, 50, 0o040775, "group 50 can write /x"],
  [0, 50, 0o040755, undefined],
  [0, 0, 0o041777, "everybody can write /x"],
  [1000, 0, 0o100755, "/x belongs to user 1000"],
])("owner %i:%i, mode %o: %p", (uid, gid, mode, reason) => {
  expect(unsafeBecause("/x", { uid, gid, mode })).toBe(reason as string);
});
