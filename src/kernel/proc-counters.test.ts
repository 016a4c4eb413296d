import { expect, test } from "bun:test";
import { parseInterfaces, parseMachineCpu } from "./proc-counters.ts";

test("the machine's CPU time is the sum of what CPUs did, idle too", () => {
  const text = "cpu  1 2 3 4 5 6 7 800 900 1000\ncpu0 1 1 1 1\ncpu1 1 1 1 1\nintr 5\n";
  expect(parseMachineCpu(text)).toEqual({ totalNs: 280_000_000, online: 2 });
});

test("each interface but loopback has its counters", () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:     648       8    1    2    0     0          0         0     1000       9    3    4    0     0       0          0
`;
  expect(parseInterfaces(text)).toEqual({
    eth0: {
      rxBytes: 648,
      rxPackets: 8,
      rxErrors: 1,
      rxDropped: 2,
      txBytes: 1000,
      txPackets: 9,
      txErrors: 3,
      txDropped: 4,
    },
  });
});
