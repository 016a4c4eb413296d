/** step.socket-option: what the kernel says of a socket and by it, where no netlink message asks for it. */

import { expect } from "bun:test";
import { runOneShot } from "../../src/kernel/executor-one-shot.ts";
import type { Step } from "../../src/kernel/step.ts";
import { executorPath, kernelTest } from "./harness.ts";

const [AF_INET, IPPROTO_RAW, SOL_SOCKET, SO_TYPE, SOCK_RAW] = [2, 255, 1, 3, 3];

async function ask(option: number, bytes: number): Promise<Uint8Array | undefined> {
  const data = new Uint8Array(bytes);
  const of = { family: AF_INET, protocol: IPPROTO_RAW, level: SOL_SOCKET, option };
  const step: Step = { op: "socket-option", ...of, data, why: "" };
  return (await runOneShot([step], { executable: executorPath })).values.get(0);
}

kernelTest("socket-option: a raw socket says what it is", ["root", "executor"], async () => {
  expect(await ask(SO_TYPE, 4)).toEqual(Uint8Array.of(SOCK_RAW, 0, 0, 0));
  expect((await ask(SO_TYPE, 4000))?.length).toBe(4);
});

kernelTest("socket-option: one that there is not is an error", ["root", "executor"], async () => {
  const failure = await ask(9999, 4).catch((error: unknown) => String(error));
  expect(failure).toContain("ENOPROTOOPT");
});
