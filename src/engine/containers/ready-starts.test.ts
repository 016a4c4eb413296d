import { expect, test } from "bun:test";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { kindOf } from "./ready-starts.ts";

const kind = (HostConfig: Record<string, unknown>): string | undefined =>
  kindOf(parseContainerCreate({ Image: "host", Cmd: ["true"], HostConfig: { AutoRemove: true, ...HostConfig } }));

test.each(["", "default", "bridge", "none", "host"])("network %j: a start can be begun ahead", (NetworkMode) => {
  expect(kind({ NetworkMode })).toBeString();
});

test.each([
  { NetworkMode: "lan" },
  { NetworkMode: "container:web" },
  { NetworkMode: "ns:/run/netns/x" },
  { NetworkMode: "none", IpcMode: "container:web" },
  { Links: ["db:db"] },
  { AutoRemove: false },
  { CgroupParent: "/of-its-own" },
])("%j: none is", (HostConfig) => {
  expect(kind(HostConfig)).toBeUndefined();
});
