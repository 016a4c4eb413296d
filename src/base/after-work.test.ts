import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { AfterWork } from "./after-work.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

function make() {
  const now = { cpuMs: 0, residentBytes: 100, acts: 0 };
  const meter = { cpuMs: () => now.cpuMs, residentBytes: () => now.residentBytes };
  const options = { meter, restMs: 1000, idleCpuMs: 10, growthBytes: 50 };
  const after = new AfterWork(options, async () => {
    now.acts++;
    await Promise.resolve(); // it takes effect later
    now.residentBytes = 110;
  });
  const pass = async (): Promise<void> => {
    jest.advanceTimersByTime(1000);
    for (let i = 0; i < 5; i++) await Promise.resolve();
  };
  return { now, after, pass };
}

test("it acts once it rests, once, and then has no timer until something happens again", async () => {
  const { now, after, pass } = make();
  after.note();
  now.residentBytes = 200;
  for (let second = 0; second < 3; second++) {
    now.cpuMs += 500; // works on, though nothing new was noted
    await pass();
    expect(now.acts).toBe(0);
  }
  now.cpuMs += 5;
  await pass();
  expect(now.acts).toBe(1);
  expect(jest.getTimerCount()).toBe(0);
  after.note();
  now.residentBytes = 200;
  await pass();
  expect(now.acts).toBe(2);
});

test("nothing is done for a little: growth counts from where it was at rest", async () => {
  const { now, after, pass } = make();
  for (const [residentBytes, acts] of [
    [140, 0],
    [151, 1],
    [155, 1],
    [161, 2],
  ] as const) {
    now.residentBytes = residentBytes;
    after.note();
    await pass();
    expect(now.acts).toBe(acts);
  }
});
