/** A child whose steps come in two halves: `spawn`'s up to its `ready`, and `continue`'s. */

import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runOneShot } from "../../src/kernel/executor-one-shot.ts";
import { encodeBeginning, encodeRest } from "../../src/kernel/plan.ts";
import type { Step } from "../../src/kernel/step.ts";
import { waitUntil } from "../wait-until.ts";
import { type Bare, because, runSteps } from "./child.ts";
import { executorPath, kernelTest } from "./harness.ts";

/** A plan whose child waits for the second half of its steps. */
function inTwo(first: readonly Bare[], between: readonly Bare[], script: string): readonly [Step[], number] {
  const beginning: Bare[] = [{ op: "spawn", flags: 0, group: "", steps: first.length + 1 }, ...first, { op: "ready" }];
  const then: Bare[] = [
    { op: "umask", mask: 0o77 },
    { op: "exec", argv: ["/bin/sh", "-c", script], env: ["PATH=/bin:/usr/bin"] },
  ];
  return [because([...beginning, ...between, { op: "continue", steps: then.length }, ...then]), beginning.length];
}

const running = (plan: Uint8Array) => {
  const child = Bun.spawn([executorPath, "plan"], { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.write(plan);
  child.stdin.flush();
  return child;
};

kernelTest(
  "the child goes as far as ready, and on with what continue brings, however late that is",
  ["root", "executor"],
  async ({ directory }) => {
    const made = join(directory, "made");
    const first: Bare[] = [{ op: "mkdir", path: made, mode: 0o700 }];
    const between: Bare[] = [{ op: "mkdir", path: join(directory, "between"), mode: 0o700 }];
    const [plan, done] = inTwo(first, between, `ls ${directory} >&2; umask >&2`);
    const child = running(encodeBeginning(plan.slice(0, done)));
    await waitUntil(() => existsSync(made), 5000, "the child has done its first half");
    child.stdin.write(encodeRest(plan, done));
    child.stdin.end();
    expect(await new Response(child.stderr).text()).toBe("between\nmade\n0077\n");
    expect(await child.exited).toBe(0);
    const whole = await runOneShot(plan, { executable: executorPath });
    expect([whole.stderr, whole.exited?.status]).toEqual(["between\nmade\n0077\n", 0]);
  },
);

kernelTest("a child whose second half never comes ends with its plan", ["root", "executor"], async ({ directory }) => {
  const made = join(directory, "made");
  const [plan, done] = inTwo([{ op: "mkdir", path: made, mode: 0o700 }], [], "exit 0");
  const child = running(encodeBeginning(plan.slice(0, done)));
  await waitUntil(() => existsSync(made), 5000, "the child has done its first half");
  const inner = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"));
  expect(inner).toBeGreaterThan(0);
  child.stdin.end();
  await child.exited;
  expect(existsSync(`/proc/${inner}`)).toBe(false);
});

kernelTest(
  "a step of either half, or between them, that fails is the one that is told",
  ["root", "executor"],
  async ({ directory }) => {
    const bad: Bare = { op: "write", path: join(directory, "no/such"), data: new Uint8Array(1) };
    const failing = (first: Bare[], between: Bare[], script: string) =>
      runOneShot(inTwo(first, between, script)[0], { executable: executorPath });
    await expect(failing([bad], [], "")).rejects.toMatchObject({ errno: "ENOENT", index: 1 });
    await expect(failing([], [bad], "")).rejects.toMatchObject({ errno: "ENOENT", index: 2 });
    const [plan] = inTwo([], [], "");
    const last = because([{ op: "exec", argv: ["/no/such"], env: [] }]);
    await expect(runOneShot([...plan.slice(0, -1), ...last], { executable: executorPath })).rejects.toMatchObject({
      detail: "/no/such",
      index: 4,
    });
  },
);

kernelTest(
  "continue without a child, and a second one in the middle of the first, are refused",
  ["root", "executor"],
  async () => {
    const one: Bare = { op: "continue", steps: 1 };
    const inner: Bare = { op: "umask", mask: 0 };
    const refused = (steps: readonly Bare[]) => runSteps(steps).catch((error: unknown) => error);
    expect(await refused([one, inner])).toMatchObject({ errno: "EINVAL", index: 0 });
    const spawn: Bare = { op: "spawn", flags: 0, group: "", steps: 1 };
    expect(await refused([spawn, { op: "ready" }, one, one])).toMatchObject({ errno: "EINVAL", index: 3 });
  },
);
