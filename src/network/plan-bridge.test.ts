import { expect, test } from "bun:test";
import { planForwarding } from "./plan-bridge.ts";

test("links that follow their router go on doing so when the host forwards", () => {
  const writes = planForwarding(["eth0"]).map((step) =>
    step.op === "try-write" ? [step.path, new TextDecoder().decode(step.data)] : expect.unreachable(step.op),
  );
  expect(writes).toEqual([
    ["/proc/sys/net/ipv6/conf/eth0/accept_ra", "2"],
    ["/proc/sys/net/ipv4/ip_forward", "1"],
    ["/proc/sys/net/ipv6/conf/all/forwarding", "1"],
  ]);
});
