import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { socketGroup } from "./launch.ts";

test.each([
  // /etc/group                                    what the supervisor is told
  ["root:x:0:\norlop:x:991:ann,bob\n", { ORLOP_SOCKET_GID: "991" }],
  ["root:x:0:\ndocker:x:990:ann\n", {}],
  ["root:x:0:\norlop2:x:992:\n", {}],
])("the API's socket belongs to the group orlop, where there is one: %j", (content, expected) => {
  const directory = mkdtempSync(join(tmpdir(), "orlop-test-"));
  const file = join(directory, "group");
  writeFileSync(file, content);
  expect(socketGroup(file)).toEqual(expected);
  rmSync(directory, { recursive: true });
});

test("a machine without groups gives it to root's", () => {
  expect(socketGroup("/nonexistent/group")).toEqual({});
});
