/** netd notices who changes the host's rules and addresses, and an engine is there to hear it. The host is a namespace here. */

import { expect } from "bun:test";
import { openExecutor } from "../../src/kernel/executor-socket.ts";
import type { HostChange } from "../../src/kernel/netd.ts";
import { NetdLink } from "../../src/kernel/netd-link.ts";
import { encodeDelete, linkNameBytes, NETLINK_NETFILTER } from "../../src/kernel/netlink/nftables.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest, type Need, type Scratch } from "./harness.ts";
import { startNetd, type TestNetd } from "./netd-fixture.ts";
import type { SupervisorOptions } from "./supervisor-fixture.ts";

const needs: readonly Need[] = ["root", "executor", "nft"];
const table = "orlop_watch_test";

interface Machine extends TestNetd {
  /** Runs this on the host. */
  run(words: readonly string[], input?: string): Promise<void>;
  nft(text: string): Promise<void>;
}

/** Our table is installed. */
async function open(scratch: Scratch, options: SupervisorOptions = {}): Promise<Machine> {
  const netd = await startNetd(scratch, { ...options, within: ["unshare", "--net"] });
  const enter = ["nsenter", "-t", String(netd.supervisor.pid), "--net", "--"];
  const run = async (words: readonly string[], input = ""): Promise<void> => {
    const program = Bun.spawn([...enter, ...words], { stdin: Buffer.from(input), stderr: "inherit" });
    expect(await program.exited).toBe(0);
  };
  const nft = (text: string): Promise<void> => run(["nft", "-f", "-"], text);
  await nft(`table inet ${table} {
    set s { type ifname; elements = { "a" } }
    chain c { type filter hook forward priority 0; policy accept; iifname @s accept; }
  }`);
  return { ...netd, run, nft };
}

function changesOf(link: { onChange: (change: HostChange) => void }): HostChange[] {
  const changes: HostChange[] = [];
  link.onChange = (change) => void changes.push(change);
  return changes;
}

for (const [what, text, told] of [
  ["the whole ruleset is flushed", "flush ruleset", "ownRules"],
  ["our table is deleted", `delete table inet ${table}`, "ownRules"],
  ["our rules are flushed", `flush chain inet ${table} c`, "ownRules"],
  ["a set of ours is emptied", `flush set inet ${table} s`, "ownElements"],
  ["an element of ours is taken out", `delete element inet ${table} s { "a" }`, "ownElements"],
] as const) {
  kernelTest(`${what}: told within a second`, needs, async (scratch) => {
    const { link, nft } = await open(scratch);
    await link.watchRules(table);
    const changes = changesOf(link);
    await nft(text);
    await waitUntil(() => changes.some((change) => change[told]), 1000, "it is told");
    await link.watchRules(undefined);
  });
}

kernelTest(
  "a chain of somebody else is told as such; elements that the engine takes out are not told",
  needs,
  async (scratch) => {
    const { link, nft, supervisor } = await open(scratch);
    const executor = openExecutor(supervisor.runDirectory);
    await link.watchRules(table);
    const changes = changesOf(link);
    await nft(`add element inet ${table} s { "b" }`);
    const messages = encodeDelete(table, [{ set: "s", elements: [{ key: [linkNameBytes("a")] }] }]);
    await executor.run([{ op: "netlink", protocol: NETLINK_NETFILTER, messages, why: "" }]);
    await nft("table inet foreign {\n chain c { type filter hook forward priority 0; policy drop; }\n }");
    await waitUntil(() => changes.length > 0, 1000, "it is told");
    expect(changes).toEqual([{ ownRules: false, ownElements: false, otherRules: true, addresses: false }]);
    await link.watchRules(undefined);
  },
);

kernelTest(
  "a passage of ours that somebody takes out of a chain of others is told; another rule of theirs is not",
  needs,
  async (scratch) => {
    const { link, run, nft } = await open(scratch);
    const passage = `accept comment "${table} forwards what its own rules allow (1)"`;
    await nft(`table inet foreign {\n chain c {\n ${passage}\n }\n chain d {\n accept\n }\n }`);
    await link.watchRules(table);
    const changes = changesOf(link);
    await nft("flush chain inet foreign d");
    await run(["ip", "address", "add", "127.0.0.77/32", "dev", "lo"]);
    await waitUntil(() => changes.some(({ addresses }) => addresses), 1000, "what came later is told");
    expect(changes.some(({ otherRules }) => otherRules)).toBe(false);
    await nft("flush chain inet foreign c");
    await waitUntil(() => changes.some(({ otherRules }) => otherRules), 1000, "it is told");
    await link.watchRules(undefined);
  },
);

kernelTest("an address of the host is told", needs, async (scratch) => {
  const { link, run } = await open(scratch);
  await link.watchRules(table);
  const changes = changesOf(link);
  await run(["ip", "address", "add", "127.0.0.77/32", "dev", "lo"]);
  await waitUntil(() => changes.some(({ addresses }) => addresses), 1000, "it is told");
  await link.watchRules(undefined);
});

kernelTest("without an engine one is started for it, and hears what happened before", needs, async (scratch) => {
  const { link, supervisor, nft } = await open(scratch, { idleSeconds: 0 });
  await link.watchRules(table);
  link[Symbol.dispose]();
  expect(await enginePid(supervisor.pid)).toBeUndefined();
  await nft("flush ruleset");
  await waitUntil(async () => (await enginePid(supervisor.pid)) !== undefined, 3000, "an engine was started");
  const next = new NetdLink(supervisor.runDirectory);
  const changes = changesOf(next);
  await nft(`table inet ${table} {}\ndelete table inet ${table}`); // the stand-in does not listen: this is still to be told
  const watching = next.watchRules(table);
  await next.sync();
  await watching;
  await waitUntil(() => changes.some(({ ownRules }) => ownRules), 1000, "it is told");
  await next.watchRules(undefined);
  next[Symbol.dispose]();
});

/** The supervisor's child that is a program of its own. */
async function enginePid(supervisor: number): Promise<number | undefined> {
  const children = (await Bun.file(`/proc/${supervisor}/task/${supervisor}/children`).text()).trim().split(" ");
  const names = await Promise.all(children.filter(Boolean).map(async (pid) => [pid, await commandOf(pid)] as const));
  const [found] = names.filter(([, name]) => name !== "" && !name.startsWith("orlop-"));
  return found === undefined ? undefined : Number(found[0]);
}

async function commandOf(pid: string): Promise<string> {
  return Bun.file(`/proc/${pid}/comm`)
    .text()
    .catch(() => ""); // gone
}
