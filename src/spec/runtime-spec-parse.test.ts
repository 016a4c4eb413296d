import { expect, test } from "bun:test";
import { OrlopError } from "../base/errors.ts";
import { parseRuntimeSpec } from "./runtime-spec-parse.ts";

const least = { ociVersion: "1.2.0", process: { user: { uid: 0, gid: 0 }, args: ["true"], cwd: "/" } };

function refusal(document: unknown): string {
  try {
    parseRuntimeSpec(document);
  } catch (error) {
    if (error instanceof OrlopError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "accepted";
}

test("the least specification is taken as it is", () => {
  expect(parseRuntimeSpec(least)).toEqual(least);
});

test("a null counts as absent, however deep", () => {
  const parsed = parseRuntimeSpec({ ...least, hostname: null, linux: { namespaces: [{ type: "pid", path: null }] } });
  expect(parsed).toEqual({ ...least, linux: { namespaces: [{ type: "pid" }] } });
});

test.each([
  ["a field of nobody's", { ...least, colour: "red" }, "unknown_field", "colour"],
  ["a part that is not carried out", { ...least, hooks: {} }, "unknown_field", "hooks"],
  [
    "one deep inside",
    { ...least, linux: { resources: { hugepageLimits: {} } } },
    "unknown_field",
    "linux.resources.hugepageLimits",
  ],
  [
    "one in a list",
    { ...least, mounts: [{ destination: "/x", uidMappings: [] }] },
    "unknown_field",
    "mounts[0].uidMappings",
  ],
  [
    "a text where a number belongs",
    { ...least, process: { ...least.process, user: { uid: "0", gid: 0 } } },
    "bad_value",
    "process.user.uid",
  ],
  [
    "the id that means no id",
    { ...least, process: { ...least.process, user: { uid: 2 ** 32 - 1, gid: 0 } } },
    "bad_value",
    "process.user.uid",
  ],
  ["no program", { ...least, process: { ...least.process, args: [] } }, "bad_value", "process.args"],
  ["a relative working directory", { ...least, process: { ...least.process, cwd: "tmp" } }, "bad_value", "process.cwd"],
  [
    "an environment entry without =",
    { ...least, process: { ...least.process, env: ["HOME"] } },
    "bad_value",
    "process.env[0]",
  ],
  ["NUL in an argument", { ...least, process: { ...least.process, args: ["a\0b"] } }, "bad_value", "process.args[0]"],
  [
    "a namespace that does not exist",
    { ...least, linux: { namespaces: [{ type: "net" }] } },
    "bad_value",
    "linux.namespaces[0].type",
  ],
  ["a missing part", { ociVersion: "1.2.0" }, "bad_value", "process"],
  ["another version", { ...least, ociVersion: "2.0.0" }, "bad_value", "ociVersion"],
  ["no object at all", [], "bad_value", "the document"],
])("%s is refused by name", (_name, document, code, field) => {
  const said = refusal(document);
  expect(said).toStartWith(code);
  expect(said).toContain(field);
});

test("a list without end is refused", () => {
  expect(refusal({ ...least, mounts: Array(10_001).fill({ destination: "/x" }) })).toContain("mounts");
});
