import { describe, expect, test } from "bun:test";
import { applyChanges } from "./image-change.ts";
import type { ContainerDefaults } from "./oci-image.ts";

const base: ContainerDefaults = { Env: ["PATH=/bin", "A=old"], Cmd: ["sh"], WorkingDir: "/srv", Labels: { a: "1" } };

test.each<[string, Partial<ContainerDefaults>]>([
  ['CMD ["a", "b"]', { Cmd: ["a", "b"] }],
  ["cmd a  b", { Cmd: ["/bin/sh", "-c", "a  b"] }],
  [`ENV A=new B='two words' C="$A-$${"{PATH}"}"`, { Env: ["PATH=/bin", "A=new", "B=two words", "C=old-/bin"] }],
  ["ENV A new value", { Env: ["PATH=/bin", "A=new value"] }],
  [`ENV B=$${"{NONE:-given}"} C=$${"{A:+set}"} D=\\$A`, { Env: ["PATH=/bin", "A=old", "B=given", "C=set", "D=$A"] }],
  ["EXPOSE 80 443/tcp 53/udp 8000-8001", { ExposedPorts: ["80/tcp", "443/tcp", "53/udp", "8000/tcp", "8001/tcp"] }],
  ['LABEL b=2 "c d"="3 4"', { Labels: { a: "1", b: "2", "c d": "3 4" } }],
  ["USER 1000:1000", { User: "1000:1000" }],
  ["WORKDIR sub/../dir", { WorkingDir: "/srv/dir" }],
  ["WORKDIR /other", { WorkingDir: "/other" }],
  ['VOLUME ["/a", "/b"]', { Volumes: ["/a", "/b"] }],
  ["VOLUME /a /b", { Volumes: ["/a", "/b"] }],
  ["STOPSIGNAL SIGINT", { StopSignal: "SIGINT" }],
  ["ONBUILD RUN true", { OnBuild: ["RUN true"] }],
  ["HEALTHCHECK NONE", { Healthcheck: { Test: ["NONE"] } }],
  [
    "HEALTHCHECK --interval=5s --retries=2 CMD true",
    { Healthcheck: { Test: ["CMD-SHELL", "true"], Interval: 5_000_000_000, Retries: 2 } },
  ],
])("%s", (change, expected) => {
  expect(applyChanges(base, [change])).toEqual({ ...base, ...expected });
});

describe("an entry point", () => {
  test("takes the image's command away", () => {
    expect(applyChanges(base, ['ENTRYPOINT ["e"]']).Cmd).toBeUndefined();
  });

  test("but not one that is given with it, before or behind", () => {
    for (const changes of [["CMD x", "ENTRYPOINT y"], ["ENTRYPOINT y\nCMD x"]])
      expect(applyChanges(base, changes).Cmd).toEqual(["/bin/sh", "-c", "x"]);
  });
});

test.each([
  ["RUN true", "RUN is not a valid change command"],
  ["FROM x", "FROM is not a valid change command"],
  ["USER", "USER needs a value"],
  ["ENV novalue", "is not NAME=VALUE"],
  ["ENV A='x", "a quote is not closed"],
  ["EXPOSE 0", "is not PORT"],
  ["EXPOSE 70000", "is not PORT"],
  ["WORKDIR a b", "exactly one value"],
  ["HEALTHCHECK sometimes", "expected NONE"],
  ["HEALTHCHECK --often=1s CMD true", "is not a flag"],
])("%s is refused: %s", (change, words) => {
  expect(() => applyChanges(base, [change])).toThrow(words);
});
