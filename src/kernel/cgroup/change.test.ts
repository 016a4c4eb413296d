/** What is written to a running group, and in which order. */

import { expect, test } from "bun:test";
import { planLimitChange } from "./change.ts";
import type { CgroupLayout } from "./layout.ts";
import type { CgroupLimits } from "./limits.ts";

const controllers = ["memory", "cpu", "cpuset", "pids"];
const v1: CgroupLayout = {
  v1: controllers.map((name) => ({ mountPoint: `/cg/${name}`, controllers: [name], name: undefined })),
  v2: undefined,
};
const v2: CgroupLayout = { v1: [], v2: { mountPoint: "/cg", controllers } };
const MiB = 1024 * 1024;

function written(layout: CgroupLayout, before: CgroupLimits, after: CgroupLimits): string[] {
  return planLimitChange(layout, "/a", before, after).map((step) =>
    step.op === "write" || step.op === "try-write"
      ? `${step.path.replace("/cg/", "")}=${new TextDecoder().decode(step.data)}`
      : step.op,
  );
}

const small = { memory: { limit: 64 * MiB, swap: 128 * MiB } };
const large = { memory: { limit: 256 * MiB, swap: 512 * MiB } };

test("v1: memory and swap together grow before memory, and shrink behind it", () => {
  expect(written(v1, small, large)).toEqual([
    "memory/a/memory.memsw.limit_in_bytes=536870912",
    "memory/a/memory.limit_in_bytes=268435456",
  ]);
  expect(written(v1, large, small)).toEqual([
    "memory/a/memory.limit_in_bytes=67108864",
    "memory/a/memory.memsw.limit_in_bytes=134217728",
  ]);
  expect(written(v1, {}, small)[0]).toBe("memory/a/memory.limit_in_bytes=67108864");
  expect(written(v1, small, { memory: { limit: 64 * MiB, swap: -1 } })).toEqual([
    "memory/a/memory.memsw.limit_in_bytes=-1",
  ]);
});

test("v2: swap alone", () => {
  expect(written(v2, small, large)).toEqual(["a/memory.max=268435456", "a/memory.swap.max=268435456"]);
});

test.each([
  [v1, "pids/a/pids.max"],
  [v2, "a/pids.max"],
])("only what changes is written; a limit of processes can be taken back", (layout, file) => {
  expect(written(layout, { pids: { limit: 5 } }, { pids: { limit: 5 } })).toEqual([]);
  expect(written(layout, { pids: { limit: 5 } }, { pids: { limit: 6 } })).toEqual([`${file}=6`]);
  expect(written(layout, { pids: { limit: 5 } }, {})).toEqual([`${file}=max`]);
});
