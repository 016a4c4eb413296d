import { expect, test } from "bun:test";
import { constants } from "node:os";
import { StepFailure } from "../kernel/executor.ts";
import { tryAgain } from "./try-again.ts";

const failure = (errno: number): StepFailure => new StepFailure([], -1, errno, "");

/** Work that fails so often with this. */
function failing(times: number, error: Error) {
  let tries = 0;
  const work = async (): Promise<void> => {
    if (tries++ < times) throw error;
  };
  return { work, tries: () => tries };
}

test("what fails once is done at the second try", async () => {
  const { work, tries } = failing(1, new Error("killed"));
  await tryAgain("work", work, () => true);
  expect(tries()).toBe(2);
});

test("what fails twice is given up", async () => {
  const { work, tries } = failing(9, new Error("refused"));
  await expect(tryAgain("work", work, () => false)).rejects.toThrow("refused");
  expect(tries()).toBe(2);
});

test("a group that does not empty is tried until it does", async () => {
  const { work, tries } = failing(3, failure(constants.errno.ETIMEDOUT));
  await tryAgain("work", work, () => false);
  expect(tries()).toBe(4);
});

test("unless nobody is there any more", async () => {
  const { work, tries } = failing(9, failure(constants.errno.EBUSY));
  await expect(tryAgain("work", work, () => true)).rejects.toThrow("EBUSY");
  expect(tries()).toBe(2);
});
