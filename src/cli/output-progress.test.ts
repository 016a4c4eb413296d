/** Replays add nothing twice and leave nothing out. */
import { expect, test } from "bun:test";
import { OutputProgress } from "./output-progress.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (taken: Uint8Array) => new TextDecoder().decode(taken);

test("after a replay, each stream goes on where it was, however the replay is cut", () => {
  const progress = new OutputProgress();
  expect(text(progress.take("stdout", bytes("abc")))).toBe("abc");
  expect(text(progress.take("stderr", bytes("X")))).toBe("X");
  progress.replay();
  expect(text(progress.take("stdout", bytes("a")))).toBe("");
  expect(text(progress.take("stderr", bytes("XYZ")))).toBe("YZ");
  expect(text(progress.take("stdout", bytes("bcd")))).toBe("d");
  expect(text(progress.take("stdout", bytes("e")))).toBe("e");
  progress.replay();
  expect(text(progress.take("stdout", bytes("abcdef")))).toBe("f");
});

test("a second loss in the middle of a replay begins again from the same place", () => {
  const progress = new OutputProgress();
  progress.take("stdout", bytes("abcd"));
  progress.replay();
  expect(text(progress.take("stdout", bytes("ab")))).toBe("");
  progress.replay();
  expect(text(progress.take("stdout", bytes("abcdef")))).toBe("ef");
});
