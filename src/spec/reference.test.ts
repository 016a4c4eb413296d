/** The table of references: what is written, what Docker takes it for. */
import { describe, expect, test } from "bun:test";
import { OrlopError } from "../base/errors.ts";
import { parseDigest } from "./digest.ts";
import { familiarReference, formatReference, parseReference } from "./reference.ts";

const hex = "0123456789abcdef".repeat(4);
const digest = parseDigest(`sha256:${hex}`);

describe("references", () => {
  test.each([
    // written                       host                  repository             tag
    ["alpine", "docker.io", "library/alpine", "latest"],
    ["alpine:3.20", "docker.io", "library/alpine", "3.20"],
    ["docker.io/alpine", "docker.io", "library/alpine", "latest"],
    ["index.docker.io/alpine", "docker.io", "library/alpine", "latest"],
    ["docker.io/library/alpine", "docker.io", "library/alpine", "latest"],
    ["bitnami/redis", "docker.io", "bitnami/redis", "latest"],
    ["localhost/a", "localhost", "a", "latest"],
    ["localhost:5000/a", "localhost:5000", "a", "latest"],
    ["localhost:5000/a:1", "localhost:5000", "a", "1"],
    ["localhost:5000", "docker.io", "library/localhost", "5000"],
    ["Foo/bar", "Foo", "bar", "latest"],
    ["ghcr.io/a/b/c/d:x_Y.z-1", "ghcr.io", "a/b/c/d", "x_Y.z-1"],
    ["[::1]:5000/a", "[::1]:5000", "a", "latest"],
    ["[2001:db8::1]/a:t", "[2001:db8::1]", "a", "t"],
    ["a__b/c--d/e.f", "docker.io", "a__b/c--d/e.f", "latest"],
    ["127.0.0.1:5000/x", "127.0.0.1:5000", "x", "latest"],
    [`a:${"t".repeat(128)}`, "docker.io", "library/a", "t".repeat(128)],
    [`x.io/${"a".repeat(255)}`, "x.io", "a".repeat(255), "latest"],
    [`${hex.slice(1)}`, "docker.io", `library/${hex.slice(1)}`, "latest"],
    [`x.io/${hex}`, "x.io", hex, "latest"],
  ])("%s means %s, %s, tag %s", (written, host, repository, tag) => {
    expect(parseReference(written)).toEqual({ host, repository, tag });
  });

  test("a digest needs no tag and keeps the one it has", () => {
    expect(parseReference(`alpine@${digest}`)).toEqual({ host: "docker.io", repository: "library/alpine", digest });
    expect(parseReference(`x.io/a:1@${digest}`)).toEqual({ host: "x.io", repository: "a", tag: "1", digest });
  });

  test.each([
    ["", "the name is empty"],
    [":tag", "the name is empty"],
    ["Alpine", "must be lowercase"],
    ["docker.io/Alpine", "must be lowercase"],
    ["a//b", "a name's parts"],
    ["/a", "a name's parts"],
    ["a/", "a name's parts"],
    ["-a", "a name's parts"],
    ["a..b", "a name's parts"],
    ["a___b", "a name's parts"],
    ["a/../b", "a name's parts"],
    ["a b", "a name's parts"],
    ["a\0", "a name's parts"],
    ["a:", "a tag is"],
    ["a:-t", "a tag is"],
    ["a:b:c", "a tag is"],
    ["a:t/x", "is not a host"],
    [`a:${"t".repeat(129)}`, "a tag is"],
    [`x.io/${"a".repeat(256)}`, "over 255"],
    [`${"a".repeat(248)}`, "over 255"],
    ["-x.io/a", "is not a host"],
    ["x..io/a", "is not a host"],
    ["x.io:99999/a", "is not a host"],
    [hex, "image's id"],
    [`a@${hex}`, "not a digest"],
    ["a@sha256:abc", "not a digest"],
    [`a@sha256:${hex.toUpperCase()}`, "not a digest"],
    [`a@${digest}@${digest}`, "not a digest"],
    [`a@sha512:${hex}${hex}`, "sha512"],
  ])("%j is refused: %s", (written, reason) => {
    expect(() => parseReference(written)).toThrow(OrlopError);
    expect(() => parseReference(written)).toThrow(reason);
  });

  test.each([
    ["alpine", "alpine:latest"],
    ["docker.io/library/alpine:1", "alpine:1"],
    ["bitnami/redis", "bitnami/redis:latest"],
    ["docker.io/library/a/b", "library/a/b:latest"],
    ["x.io/library/alpine", "x.io/library/alpine:latest"],
    [`alpine@${digest}`, `alpine@${digest}`],
  ])("%s is shown as %s, and read back the same", (written, shown) => {
    const reference = parseReference(written);
    expect(familiarReference(reference)).toBe(shown);
    expect(parseReference(shown)).toEqual(reference);
    expect(parseReference(formatReference(reference))).toEqual(reference);
  });
});
