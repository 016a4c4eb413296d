/** Header fields of registries, as they are met in the wild. */
import { describe, expect, test } from "bun:test";
import {
  parseChallenges,
  parseContentRange,
  parseNextLink,
  parseRegistryError,
  parseRetryAfter,
  parseToken,
  parseUploadRange,
} from "./distribution.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("WWW-Authenticate", () => {
  test.each<[string, ReturnType<typeof parseChallenges>]>([
    ['Basic realm="x"', [{ scheme: "basic" }]],
    ["basic", [{ scheme: "basic" }]],
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/a:pull,push"',
      [
        {
          scheme: "bearer",
          realm: "https://auth.docker.io/token",
          service: "registry.docker.io",
          scope: "repository:library/a:pull,push",
        },
      ],
    ],
    ['Bearer Realm = "a\\"b" , error="invalid_token"', [{ scheme: "bearer", realm: 'a"b' }]],
    ['Basic realm="x", Bearer realm=y', [{ scheme: "basic" }, { scheme: "bearer", realm: "y" }]],
    ['Negotiate, Basic realm="x"', [{ scheme: "basic" }]],
    ["Bearer service=x", []],
    ["", []],
    ['"', []],
  ])("%s", (header, challenges) => {
    expect(parseChallenges(header)).toEqual(challenges);
  });
});

test.each([
  ["bytes 5-9/10", { first: 5, last: 9, size: 10 }],
  ["bytes 5-9/*", { first: 5, last: 9 }],
  ["bytes */10", undefined],
  ["5-9/10", undefined],
  [null, undefined],
])("Content-Range %p", (header, range) => {
  expect(parseContentRange(header)).toEqual(range);
});

test.each([
  ["0-9", 10],
  ["bytes=0-0", 1],
  ["0--1", 0],
  ["5-9", undefined],
  [null, undefined],
])("an upload's Range %p means %p bytes", (header, size) => {
  expect(parseUploadRange(header)).toBe(size);
});

test.each([
  ['</v2/a/tags/list?last=b&n=1>; rel="next"', "/v2/a/tags/list?last=b&n=1"],
  ["<x>; rel=prev, <y>; rel=next", "y"],
  ["<x>", undefined],
  [null, undefined],
])("Link %p leads to %p", (header, target) => {
  expect(parseNextLink(header)).toBe(target);
});

test.each([
  ["5", 5000],
  ["Thu, 01 Jan 1970 00:00:07 GMT", 6000],
  ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
  ["soon", undefined],
  [null, undefined],
])("Retry-After %p at second 1 means %p ms", (header, ms) => {
  expect(parseRetryAfter(header, 1000)).toBe(ms);
});

test("tokens live at least a minute, under either name", () => {
  expect(parseToken(bytes('{"token":"a","expires_in":300}'))).toEqual({ token: "a", lifetimeSeconds: 300 });
  expect(parseToken(bytes('{"access_token":"a","expires_in":1}'))).toEqual({ token: "a", lifetimeSeconds: 60 });
  expect(parseToken(bytes('{"token":"a","expires_in":"x"}')).lifetimeSeconds).toBe(60);
  expect(() => parseToken(bytes('{"token":"a b"}'))).toThrow("no header can carry");
});

test("a registry's words are one printable line, whatever it sends", () => {
  expect(parseRegistryError(bytes('{"errors":[{"code":"DENIED","message":"a\\nb\\u001b[1m"}]}'))).toEqual({
    code: "DENIED",
    message: "a b [1m",
  });
  expect(parseRegistryError(bytes("<html>gone</html>")).message).toBe("<html>gone</html>");
  expect(parseRegistryError(bytes(`{"errors":[{"code":"X","message":"${"y".repeat(1000)}"}]}`)).message.length).toBe(
    300,
  );
});
