import { describe, expect, test } from "bun:test";
import {
  allCapabilities,
  capabilityMask,
  capabilityNames,
  containerCapabilities,
  defaultCapabilities,
  parseCapability,
} from "./capabilities.ts";

describe("capabilities", () => {
  test.each([
    // name, bit (linux/capability.h)
    ["CAP_CHOWN", 0],
    ["CAP_SETPCAP", 8],
    ["CAP_NET_ADMIN", 12],
    ["CAP_SYS_ADMIN", 21],
    ["CAP_SYS_RESOURCE", 24],
    ["CAP_MKNOD", 27],
    ["CAP_SETFCAP", 31],
    ["CAP_SYSLOG", 34],
    ["CAP_AUDIT_READ", 37],
    ["CAP_PERFMON", 38],
    ["CAP_BPF", 39],
    ["CAP_CHECKPOINT_RESTORE", 40],
  ])("%s is bit %d", (name, bit) => {
    expect(capabilityMask([name])).toBe(1n << BigInt(bit));
    expect(capabilityNames(1n << BigInt(bit))).toEqual([name]);
  });

  test("there are 41, all of them in the full mask", () => {
    expect(allCapabilities().length).toBe(41);
    expect(capabilityMask(allCapabilities())).toBe((1n << 41n) - 1n);
    expect(allCapabilities(37).at(-1)).toBe("CAP_AUDIT_READ");
  });

  test("Docker's fourteen have Docker's mask", () => {
    expect(defaultCapabilities.length).toBe(14);
    expect(capabilityMask(defaultCapabilities)).toBe(0xa80425fbn);
  });

  test.each(["chown", "CHOWN", "cap_chown", "CAP_CHOWN", "Cap_Chown"])("%s is CAP_CHOWN", (written) => {
    expect(parseCapability(written)).toBe("CAP_CHOWN");
  });

  test.each(["", "CAP_", "CAP_FOO", "CAP_CAP_CHOWN", "ALL", "CHOWN "])("%j is no capability", (written) => {
    expect(() => parseCapability(written)).toThrow(`unknown capability: ${JSON.stringify(written)}`);
  });
});

describe("a container's capabilities", () => {
  const some = (...names: string[]): string[] => allCapabilities().filter((name) => names.includes(name));
  const without = (...names: string[]): string[] => allCapabilities().filter((name) => !names.includes(name));

  test.each([
    ["nothing asked", {}, [...defaultCapabilities]],
    ["one added", { add: ["sys_time"] }, some(...defaultCapabilities, "CAP_SYS_TIME")],
    ["one dropped", { drop: ["NET_RAW"] }, defaultCapabilities.filter((name) => name !== "CAP_NET_RAW")],
    ["added and dropped: added wins", { add: ["CHOWN"], drop: ["CHOWN"] }, [...defaultCapabilities]],
    ["all dropped", { drop: ["all"] }, []],
    ["all dropped but one", { add: ["KILL"], drop: ["ALL"] }, ["CAP_KILL"]],
    ["all added", { add: ["ALL"] }, allCapabilities()],
    ["all added but one", { add: ["ALL"], drop: ["SYS_ADMIN"] }, without("CAP_SYS_ADMIN")],
    ["all added and all dropped: added wins", { add: ["ALL"], drop: ["ALL"] }, allCapabilities()],
    ["privileged", { privileged: true, drop: ["ALL"] }, allCapabilities()],
    ["privileged on an older kernel", { privileged: true, last: 37 }, allCapabilities(37)],
  ])("%s", (_name, changes, expected) => {
    expect(containerCapabilities(changes)).toEqual(expected);
  });

  test("an unknown name is refused wherever it stands, privileged or not", () => {
    expect(() => containerCapabilities({ add: ["NOPE"] })).toThrow('unknown capability: "NOPE"');
    expect(() => containerCapabilities({ drop: ["NOPE"] })).toThrow('unknown capability: "NOPE"');
    expect(() => containerCapabilities({ drop: ["NOPE"], privileged: true })).toThrow('unknown capability: "NOPE"');
  });

  test("what the kernel does not have cannot be added, and may be dropped", () => {
    expect(() => containerCapabilities({ add: ["BPF"], last: 37 })).toThrow("CAP_BPF is newer than this kernel");
    expect(containerCapabilities({ drop: ["BPF"], last: 37 })).toEqual([...defaultCapabilities]);
  });
});
