/** What the hour of chaos takes for a broken promise of a container: a check that lets everything pass would be none. */

import { expect, test } from "bun:test";
import { type Known, type State, whatIsWrong } from "./kept-containers.ts";

const state = (Status: string, more: Partial<State> = {}): State => ({
  ...{ Status, Running: Status === "running", Paused: Status === "paused", Error: "", StartedAt: "T1" },
  ...{ Pid: Status === "running" || Status === "paused" ? 7 : 0, ExitCode: 0 },
  ...more,
});
const exited = (ExitCode: number, why = ""): State => state("exited", { ExitCode, Error: why });
const runs: Known = { kind: "runs", startedAt: "T1", pid: 7 };
const lost = "its monitor was lost (the connection is closed): every process of it was killed";

test.each<[Known | undefined, State, number | undefined, string | undefined]>([
  [undefined, state("running"), undefined, undefined],
  [undefined, state("dead"), undefined, "is in no such state"],
  [undefined, state("running", { Pid: 0 }), undefined, "runs without a process"],
  [{ kind: "never" }, state("created"), 3, undefined],
  [{ kind: "never" }, state("running"), undefined, "was never started"],
  [{ kind: "started" }, state("running"), undefined, undefined],
  [{ kind: "started" }, state("created"), 3, "was started"],
  [{ kind: "started" }, exited(3), 3, undefined],
  [{ kind: "started" }, exited(3), undefined, "was started"],
  [{ kind: "started" }, exited(137), undefined, "was started"],
  [{ kind: "started" }, exited(137, lost), undefined, undefined],
  [runs, state("running"), undefined, undefined],
  [runs, state("paused"), undefined, "is in no such state"],
  [runs, state("running", { Pid: 8 }), undefined, "is another run"],
  [runs, state("running", { StartedAt: "T2" }), undefined, "is another run"],
  [runs, exited(137), undefined, "ran"],
  [runs, exited(0, lost), undefined, "ran"],
  [{ kind: "ended" }, exited(137), undefined, undefined],
  [{ kind: "ended" }, exited(4), 3, "has an exit code that nobody gave"],
  [{ kind: "ended" }, state("running"), 3, "had ended"],
  [{ kind: "ended", exitCode: 3 }, exited(137), 3, "had ended otherwise"],
  [{ kind: "rests" }, state("created"), 3, undefined],
  [{ kind: "rests" }, exited(3), 3, undefined],
  [{ kind: "rests" }, exited(4), 3, "has an exit code that nobody gave"],
  [{ kind: "rests" }, state("running"), 3, "had ended"],
])("known as %j, it is %j: %s ends by itself, %p", (known, now, own, wrong) => {
  expect(whatIsWrong(known, now, own, false)).toBe(wrong);
});

test("one that was asked to pause may stand still", () => {
  expect(whatIsWrong(runs, state("paused"), undefined, true)).toBeUndefined();
});
