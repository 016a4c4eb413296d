/** The reader of DNS questions under the fuzzer: a small dose; ORLOP_FUZZ_SECONDS gives the full one. */

import { expect } from "bun:test";
import { fuzzNative } from "../../scripts/fuzz-native.ts";
import { kernelTest } from "../kernel/harness.ts";

const seconds = Number(process.env["ORLOP_FUZZ_SECONDS"] ?? 5);

kernelTest(
  "no datagram makes the reader of DNS questions read, or the writer of answers write, what is not there",
  ["libfuzzer"],
  async () => {
    const runs = /Done (\d+) runs/.exec(await fuzzNative(seconds, "dns"));
    expect(Number(runs?.[1])).toBeGreaterThan(1000);
  },
  (seconds + 120) * 1000,
);
