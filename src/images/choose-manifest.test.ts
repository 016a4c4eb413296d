/** Platforms: which manifest of an index is taken. */
import { describe, expect, test } from "bun:test";
import { parseDigest } from "../spec/digest.ts";
import { type Index, mediaTypes } from "../spec/oci-image.ts";
import { hostPlatform, parsePlatform } from "../spec/platform.ts";
import { chooseManifest } from "./choose-manifest.ts";

const digest = parseDigest(`sha256:${"0".repeat(64)}`);

describe("platforms", () => {
  const offer = (...names: string[]): Index => ({
    kind: "index",
    raw: new Uint8Array(),
    digest,
    mediaType: mediaTypes.ociIndex,
    manifests: names.map((name, size) => {
      const [os = "", architecture = "", variant] = name.split("/");
      return {
        mediaType: mediaTypes.ociManifest,
        digest,
        size,
        platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
      };
    }),
  });

  test.each([
    ["linux/amd64", ["linux/arm64", "linux/amd64"], 1],
    ["x86_64", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"], 2],
    ["linux/amd64/v3", ["linux/amd64", "linux/amd64/v4", "linux/amd64/v2"], 2],
    ["aarch64", ["linux/arm/v7", "linux/arm64/v8"], 1],
    ["linux/arm/v7", ["linux/arm/v5", "linux/arm/v6"], 1],
    ["linux/arm", ["linux/arm/v6", "linux/arm/v7"], 1],
    ["linux/amd64", ["unknown/unknown", "linux/amd64"], 1],
  ])("%s takes from %p the one at %d", (wanted, offered, at) => {
    expect(chooseManifest(offer(...offered), parsePlatform(wanted), "x").size).toBe(at);
  });

  test("nothing that suits is said with what there is", () => {
    const choose = () =>
      chooseManifest(offer("linux/amd64", "windows/arm64", "unknown/unknown"), parsePlatform("arm64"), "x");
    expect(choose).toThrow(
      "no matching manifest for linux/arm64 in the manifest list entries of x: it has linux/amd64, windows/arm64",
    );
    expect(() => chooseManifest(offer("linux/arm/v7"), parsePlatform("linux/arm/v6"), "x")).toThrow(
      "it has linux/arm/v7",
    );
  });

  test("an index without anything for anybody says so", () => {
    expect(() => chooseManifest(offer(), hostPlatform("x64"), "x")).toThrow("it has none");
  });

  test.each(["", "linux/", "a/b/c/d", "linux/amd64;x", "../amd64"])("%j is no platform", (text) => {
    expect(() => parsePlatform(text)).toThrow("OS/ARCHITECTURE");
  });
});
