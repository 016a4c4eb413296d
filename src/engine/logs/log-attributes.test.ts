import { expect, test } from "bun:test";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { logAttributesOf } from "./log-attributes.ts";

const id = "0123456789abcdef".repeat(4);

function attributes(Config: Record<string, string>) {
  const body = parseContainerCreate({
    Image: "alpine:3",
    Labels: { tier: "front", "app.name": "web", other: "x" },
    Env: ["A=1", "B=two=2", "C"],
    HostConfig: { LogConfig: { Type: "json-file", Config } },
  });
  return logAttributesOf({ id, name: "web", body, imageId: `sha256:${"e".repeat(64)}` });
}

test.each([
  [{}, {}],
  [{ labels: "tier,missing" }, { tier: "front" }],
  [{ "labels-regex": "^app\\." }, { "app.name": "web" }],
  [{ env: "A,B,C" }, { A: "1", B: "two=2" }],
  [{ "env-regex": "^B" }, { B: "two=2" }],
  [{ tag: "{{.Name}}/{{ .ID }}" }, { tag: "web/0123456789ab" }],
  [{ tag: "{{.ImageName}}@{{.ImageID}}" }, { tag: "alpine:3@eeeeeeeeeeee" }],
])("%j gives %j", (options, expected) => {
  expect(attributes(options)).toEqual(expected as Record<string, string>);
});

test.each([
  [{ tag: "{{.Secret}}" }, "invalid log option tag"],
  [{ tag: "{{json .}}" }, "invalid log option tag"],
  [{ "env-regex": "(" }, "a regular expression"],
  [{ labels: "tier", tag: "x".repeat(20_000) }, "at most 16384"],
])("%j is refused", (options, message) => {
  expect(() => attributes(options as Record<string, string>)).toThrow(message);
});
