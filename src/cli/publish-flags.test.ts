import { describe, expect, test } from "bun:test";
import { parsePublished } from "./publish-flags.ts";

describe("-p", () => {
  test.each([
    ["80", { "80/tcp": [{ HostPort: "" }] }],
    ["8080:80", { "80/tcp": [{ HostPort: "8080" }] }],
    ["8080:53/UDP", { "53/udp": [{ HostPort: "8080" }] }],
    [":80", { "80/tcp": [{ HostPort: "" }] }],
    ["127.0.0.1:8080:80", { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }] }],
    ["127.0.0.1::80", { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] }],
    ["[::1]:8080:80/sctp", { "80/sctp": [{ HostIp: "::1", HostPort: "8080" }] }],
    ["9000-9001:80-81", { "80/tcp": [{ HostPort: "9000" }], "81/tcp": [{ HostPort: "9001" }] }],
    ["9000-9010:80", { "80/tcp": [{ HostPort: "9000-9010" }] }],
  ])("%s", (text, bindings) => {
    expect(parsePublished([text], []).bindings).toEqual(bindings);
  });

  test.each(["", "x", "80:", "1:2:3:4", "65536", "0", "80/ip", "90-80", "1-2:1-3", "localhost:1:2", "80/tcp/udp"])(
    "%p is refused",
    (text) => {
      expect(() => parsePublished([text], [])).toThrow("invalid --publish");
    },
  );

  test("what is published is exposed; --expose exposes more", () => {
    const { exposed, bindings } = parsePublished(["80", "8080:80"], ["70-71/udp"]);
    expect(Object.keys(exposed)).toEqual(["70/udp", "71/udp", "80/tcp"]);
    expect(bindings).toEqual({ "80/tcp": [{ HostPort: "" }, { HostPort: "8080" }] });
  });
});
