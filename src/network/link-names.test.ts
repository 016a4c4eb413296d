import { expect, test } from "bun:test";
import { bridgeNameOf, isBridgeName, linkNamesOf, newSandboxId, portNameOf, sandboxOfPort } from "./link-names.ts";

test.each(["/run/orlop", "/tmp/other/run"])(
  "what an engine in %s names fits an interface, and is known again",
  (runDirectory) => {
    const names = linkNamesOf(runDirectory);
    const id = newSandboxId();
    const port = portNameOf(names, id, 35);
    expect(sandboxOfPort(names, port)).toBe(id);
    expect(isBridgeName(names, bridgeNameOf(names, "0123456789abcdef"))).toBe(true);
    for (const name of [port, names.defaultBridge, bridgeNameOf(names, "0123456789abcdef")])
      expect(name.length).toBeLessThan(16);
  },
);

test("links of another engine, or of nobody, are not taken for one's own", () => {
  const [usual, other] = [linkNamesOf("/run/orlop"), linkNamesOf("/tmp/other/run")];
  expect(other.table).not.toBe(usual.table);
  expect(sandboxOfPort(usual, portNameOf(other, "0123456", 0))).toBeUndefined();
  expect(sandboxOfPort(other, portNameOf(usual, "0123456", 0))).toBeUndefined();
  expect(sandboxOfPort(usual, "eth0")).toBeUndefined();
  expect(isBridgeName(usual, bridgeNameOf(other, "0123456789abcdef"))).toBe(false);
  expect(isBridgeName(other, other.defaultBridge)).toBe(false);
});
