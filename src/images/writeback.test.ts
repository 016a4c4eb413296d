/** When a large file is sent on its way to the disk, and who syncs it. */
import { describe, expect, test } from "bun:test";
import type { FileHandle } from "node:fs/promises";
import type { PlanStream } from "../kernel/plan-stream.ts";
import type { Step } from "../kernel/step.ts";
import { Writeback } from "./writeback.ts";

const mib = 1 << 20;

/** @param fault of the task, at the plan's end */
function rig(fault?: Error) {
  const told: string[] = [];
  const plan = {
    add: (step: Step) => {
      if (step.op === "write-back") told.push(step.sync === 1 ? "sync" : `${step.offset} + ${step.size}`);
    },
    send: () => undefined,
    end: async () => {
      if (fault !== undefined) throw fault;
    },
    abandon: async () => void told.push("abandoned"),
  };
  const file = { sync: async () => void told.push("synced here") } as FileHandle;
  const openPlan = async () => plan as unknown as PlanStream;
  return { told, file, writeback: new Writeback("/a", openPlan), without: new Writeback("/a", undefined) };
}

describe("a file's way to the disk", () => {
  test("a large one's begins while it is written; the task that waits for the disk syncs it", async () => {
    const { told, file, writeback } = rig();
    for (const size of [4, 9, 12, 18]) writeback.written(size * mib);
    await writeback.sync(file);
    await writeback[Symbol.asyncDispose]();
    expect(told).toEqual([`0 + ${9 * mib}`, `${9 * mib} + ${9 * mib}`, "sync"]);
  });

  test("a small one needs no task, nor does one where there is none", async () => {
    const { told, file, writeback, without } = rig();
    writeback.written(7 * mib);
    without.written(100 * mib);
    for (const one of [writeback, without]) {
      await one.sync(file);
      await one[Symbol.asyncDispose]();
    }
    expect(told).toEqual(["synced here", "synced here"]);
  });

  test("when the task fails, it is synced here", async () => {
    const { told, file, writeback } = rig(new Error("the task was killed"));
    writeback.written(8 * mib);
    await writeback.sync(file);
    expect(told).toEqual([`0 + ${8 * mib}`, "sync", "synced here"]);
  });

  test("one that is not finished leaves no task", async () => {
    const { told, writeback } = rig();
    writeback.written(8 * mib);
    await writeback[Symbol.asyncDispose]();
    expect(told).toEqual([`0 + ${8 * mib}`, "abandoned"]);
  });
});
