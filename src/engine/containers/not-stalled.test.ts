import { expect, test } from "bun:test";
import { notStalled } from "./not-stalled.ts";

const patience = { idleMs: 5, stalled: () => new Error("stalled") };
const never = new Promise<never>(() => undefined);

async function* thenNothing(): AsyncGenerator<number> {
  yield 1;
  await never;
}

test("pieces come through, and end", async () => {
  const pieces = notStalled(
    (async function* () {
      yield 1;
      yield 2;
    })(),
    { ...patience, isAwaited: () => true },
  );
  expect(await Array.fromAsync(pieces)).toEqual([1, 2]);
});

test("a client that stops while somebody waits is left", async () => {
  const pieces = notStalled(thenNothing(), { ...patience, isAwaited: () => true });
  expect((await pieces.next()).value).toBe(1);
  await expect(pieces.next()).rejects.toThrow("stalled");
});

test("nobody is left whom nobody waits for: only when somebody does", async () => {
  let looks = 0;
  const pieces = notStalled(thenNothing(), { ...patience, isAwaited: () => ++looks > 3 });
  await pieces.next();
  await expect(pieces.next()).rejects.toThrow("stalled");
  expect(looks).toBe(4);
});
