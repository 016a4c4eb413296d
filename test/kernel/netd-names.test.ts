/** netd answers names inside containers' network namespaces, whoever lives. */

import { expect } from "bun:test";
import { statSync } from "node:fs";
import type { Resolver } from "../../src/kernel/netd.ts";
import { waitUntil } from "../wait-until.ts";
import { kernelTest, type Need } from "./harness.ts";
import { loopback4, netdPid, startNetd } from "./netd-fixture.ts";
import { answerTo, named, openNamespace, serveDns } from "./netd-names-fixture.ts";

const needs: readonly Need[] = ["root", "executor"];
const ula = Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5);

const resolver = (namespace: string, more: Partial<Resolver> = {}): Resolver => ({
  namespace,
  port: 0,
  scopes: ["net"],
  upstream: [],
  ...more,
});

kernelTest("A, AAAA, PTR and SRV, over UDP and TCP; one port for both", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const container = await openNamespace(scratch);
  const port = await link.resolve("asker", resolver(container.path));
  const services = [{ name: "_http._tcp.web", port: 80, target: "web" }];
  await link.name("net", "web-id", { ...named(["web", "web.net", "0123456789ab"], "10.0.0.5", ula), services });
  for (const protocol of ["udp", "tcp"] as const) {
    const asked = [
      ["web", "A"],
      ["WEB.Net", "AAAA"],
      ["5.0.0.10.in-addr.arpa", "PTR"],
      [`5.${"0.".repeat(29)}d.f.ip6.arpa`, "PTR"],
      ["_http._tcp.web", "SRV"],
      ["0123456789ab", "A"],
      ["web", "MX"],
    ];
    const replies = await container.ask(port, protocol, ...asked.flat());
    expect(replies.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(replies.map(({ answers }) => answers)).toEqual([
      ["10.0.0.5"],
      ["fd00:0:0:0:0:0:0:5"],
      ["web.net"],
      ["web.net"],
      ["0 0 80 web", "+web 10.0.0.5", "+web fd00:0:0:0:0:0:0:5"],
      ["10.0.0.5"],
      [],
    ]);
  }
});

kernelTest(
  "a container hears the names of its own networks only; the first that has one answers",
  needs,
  async (scratch) => {
    const { link } = await startNetd(scratch);
    const [one, other] = [await openNamespace(scratch), await openNamespace(scratch)];
    await link.name("front", "a", named(["db"], "10.1.0.1"));
    await link.name("back", "b", named(["db", "cache"], "10.2.0.1"));
    const both = await link.resolve("one", resolver(one.path, { scopes: ["front", "back"] }));
    const front = await link.resolve("other", resolver(other.path, { scopes: ["front"] }));
    const [db, cache] = await one.ask(both, "udp", "db", "A", "cache", "A");
    expect([db?.answers, cache?.answers]).toEqual([["10.1.0.1"], ["10.2.0.1"]]);
    const [foreign] = await other.ask(front, "udp", "cache", "A");
    expect(foreign).toMatchObject({ code: 2, answers: [] }); // SERVFAIL: nobody upstream to ask
    await link.resolve("other", resolver(other.path, { scopes: ["front", "back"] }));
    expect((await other.ask(front, "udp", "cache", "A"))[0]?.answers).toEqual(["10.2.0.1"]);
  },
);

kernelTest("several that share a name take turns at being first", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const container = await openNamespace(scratch);
  const port = await link.resolve("asker", resolver(container.path));
  for (const n of [1, 2, 3]) await link.name("net", `web-${n}`, named(["web"], `10.0.0.${n}`));
  const replies = await container.ask(port, "udp", ...Array.from({ length: 6 }, () => ["web", "A"]).flat());
  for (const { answers } of replies) expect(answers.toSorted()).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  expect(new Set(replies.map(({ answers }) => answers[0])).size).toBe(3);
  await link.name("net", "web-2", undefined);
  expect((await container.ask(port, "udp", "web", "A"))[0]?.answers).toHaveLength(2);
});

kernelTest(
  "an answer that does not fit a datagram is cut, and whole over TCP; EDNS makes room",
  needs,
  async (scratch) => {
    const { link } = await startNetd(scratch);
    const container = await openNamespace(scratch);
    const port = await link.resolve("asker", resolver(container.path));
    for (let n = 1; n <= 60; n++) await link.name("net", `web-${n}`, named(["web"], `10.0.0.${n}`));
    const [plain, larger] = await container.ask(port, "udp", "web", "A", "web", "A/4096");
    expect(plain).toMatchObject({ isTruncated: true, hasEdns: false });
    expect(plain?.bytes).toBeLessThanOrEqual(512);
    expect(larger).toMatchObject({ isTruncated: false, hasEdns: true });
    expect(larger?.answers).toHaveLength(60);
    const [whole] = await container.ask(port, "tcp", "web", "A");
    expect(whole?.answers).toHaveLength(60);
  },
);

kernelTest(
  "other names are asked upstream, with another id and port each time; its codes come through",
  needs,
  async (scratch) => {
    const { link } = await startNetd(scratch);
    const container = await openNamespace(scratch);
    const upstream = await serveDns(scratch, (query) =>
      query.includes("missing") ? answerTo(query, 3) : answerTo(query, 0, "192.0.2.7"),
    );
    const servers = [{ address: loopback4, port: upstream.port }];
    const port = await link.resolve("asker", resolver(container.path, { upstream: servers }));
    for (const protocol of ["udp", "tcp"] as const) {
      const [found, missing] = await container.ask(port, protocol, "example.org", "A/1232", "missing.example.org", "A");
      expect(found).toMatchObject({ code: 0, answers: ["192.0.2.7"] });
      expect(missing).toMatchObject({ code: 3, answers: [] });
    }
    expect(upstream.asked).toHaveLength(4);
    // They are random: two may be the same once in ten thousand times.
    expect(new Set(upstream.asked.map((query) => query.readUInt16BE())).size).toBeGreaterThanOrEqual(3);
    // the client's EDNS was passed on: additional count 1
    expect(upstream.asked[0]?.readUInt16BE(10)).toBe(1);
  },
);

kernelTest("a server that is silent, gone, or unable is passed over", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const container = await openNamespace(scratch);
  const silent = await serveDns(scratch, () => undefined);
  const unable = await serveDns(scratch, (query) => answerTo(query, 2));
  const good = await serveDns(scratch, (query) => answerTo(query, 0, "192.0.2.8"));
  const upstream = [1, unable.port, silent.port, good.port].map((port) => ({ address: loopback4, port }));
  const port = await link.resolve("asker", resolver(container.path, { upstream }));
  expect((await container.ask(port, "udp", "example.org", "A"))[0]?.answers).toEqual(["192.0.2.8"]);
  expect([unable.asked.length, silent.asked.length, good.asked.length]).toEqual([1, 1, 1]);
  await link.resolve("asker", resolver(container.path, { upstream: upstream.slice(0, 2) }));
  expect((await container.ask(port, "udp", "example.org", "A"))[0]?.code).toBe(2);
  expect((await container.ask(port, "tcp", "example.org", "A"))[0]?.code).toBe(2);
});

kernelTest(
  "an engine that asks for thousands of things at once, and reads no answer meanwhile, is answered all",
  needs,
  async (scratch) => {
    const { link } = await startNetd(scratch);
    const count = 3000; // a thousand containers are told by three or four each
    await link.name("net", "first", named(["first"], "10.0.0.5"));
    const asked = Array.from({ length: count }, (_, index) =>
      link.name("net", `id-${index}`, named([`name-${index}`], "10.0.0.5")),
    );
    Bun.sleepSync(300);
    await Promise.all(asked);
    expect((await link.state()).named).toBe(count + 1);
  },
);

kernelTest("answers that were not asked for are not believed", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const container = await openNamespace(scratch);
  const upstream = await serveDns(scratch, (query) => {
    const wrongId = Buffer.from(answerTo(query, 0, "203.0.113.1"));
    wrongId.writeUInt16BE(query.readUInt16BE() ^ 1);
    return wrongId;
  });
  const other = await serveDns(scratch, (query) => {
    const otherName = Buffer.from(query);
    otherName[13] = "x".charCodeAt(0);
    return answerTo(otherName, 0, "203.0.113.2");
  });
  const servers = [upstream.port, other.port].map((port) => ({ address: loopback4, port }));
  const port = await link.resolve("asker", resolver(container.path, { upstream: servers }));
  expect((await container.ask(port, "udp", "example.org", "A"))[0]).toMatchObject({ code: 2, answers: [] });
});

kernelTest("with ndots set, names without a dot stay here", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const container = await openNamespace(scratch);
  const upstream = await serveDns(scratch, (query) => answerTo(query, 0, "192.0.2.7"));
  const servers = [{ address: loopback4, port: upstream.port }];
  const port = await link.resolve("asker", resolver(container.path, { upstream: servers, keepsSingleLabels: true }));
  const [single, dotted] = await container.ask(port, "udp", "nobody", "A", "nobody.example", "A");
  expect(single).toMatchObject({ code: 0, answers: [] });
  expect(dotted?.answers).toEqual(["192.0.2.7"]);
});

kernelTest("it answers while no engine lives", needs, async (scratch) => {
  const { link, supervisor } = await startNetd(scratch);
  const container = await openNamespace(scratch);
  const port = await link.resolve("asker", resolver(container.path));
  await link.name("net", "web-id", named(["web"], "10.0.0.5"));
  link[Symbol.dispose]();
  expect((await container.ask(port, "udp", "web", "A"))[0]?.answers).toEqual(["10.0.0.5"]);
  expect(netdPid(supervisor.runDirectory)).toBeGreaterThan(0);
});

kernelTest("netd is killed: the next one answers at the same port", needs, async (scratch) => {
  const { link, supervisor } = await startNetd(scratch);
  const container = await openNamespace(scratch);
  const port = await link.resolve("asker", resolver(container.path));
  await link.name("net", "web-id", named(["web"], "10.0.0.5"));
  const pid = netdPid(supervisor.runDirectory);
  process.kill(pid, "SIGKILL");
  await waitUntil(() => netdPid(supervisor.runDirectory) !== pid, 5000, "another netd");
  expect(await link.state()).toMatchObject({ resolvers: 1, named: 1 });
  expect((await container.ask(port, "tcp", "web", "A"))[0]?.answers).toEqual(["10.0.0.5"]);
});

kernelTest("a path that leads to another namespace than was meant is refused", needs, async (scratch) => {
  const { link } = await startNetd(scratch);
  const container = await openNamespace(scratch);
  const inode = statSync(container.path, { bigint: true }).ino;
  const refused = { code: "resolver_refused" };
  await expect(link.resolve("a", resolver(container.path, { inode: inode + 1n }))).rejects.toMatchObject(refused);
  await expect(link.resolve("b", resolver("/proc/self/ns/mnt"))).rejects.toMatchObject(refused);
  await expect(link.resolve("c", resolver("/no/such/path"))).rejects.toMatchObject(refused);
  await link.resolve("d", resolver(container.path, { inode }));
  expect(await link.state()).toMatchObject({ resolvers: 1 });
});

kernelTest(
  "a container that asks without end gets no more than its share, and others are answered",
  needs,
  async (scratch) => {
    const { link } = await startNetd(scratch);
    const [loud, quiet] = [await openNamespace(scratch), await openNamespace(scratch)];
    const silent = await serveDns(scratch, () => undefined);
    const upstream = [{ address: loopback4, port: silent.port }];
    const loudPort = await link.resolve("loud", resolver(loud.path, { upstream }));
    const quietPort = await link.resolve("quiet", resolver(quiet.path, { upstream: [] }));
    await link.name("net", "web-id", named(["web"], "10.0.0.5"));
    const flood = `for (let i = 0; i < 2000; i++) s.send(Buffer.from([i >> 8, i & 255, 1,0,0,1,0,0,0,0,0,0, 3,97,98,99,0,0,1,0,1]), ${loudPort}, "127.0.0.11")`;
    await loud.run(
      process.execPath,
      "-e",
      `const s = require("dgram").createSocket("udp4"); ${flood}; setTimeout(() => s.close(), 300)`,
    );
    expect(silent.asked.length).toBeLessThanOrEqual(256);
    expect((await quiet.ask(quietPort, "udp", "web", "A"))[0]?.answers).toEqual(["10.0.0.5"]);
    // What still comes of the flood may take the place of a datagram: who asks asks again.
    const isAnswered = async (): Promise<boolean> => {
      const [reply] = await loud.ask(loudPort, "udp", "web", "A").catch(() => []);
      return reply?.answers[0] === "10.0.0.5";
    };
    await waitUntil(isAnswered, 30_000, "the loud one is answered too");
  },
);
