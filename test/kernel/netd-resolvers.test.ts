/** Real resolvers ask netd through the rules inside a namespace, as a container's programs do. */

import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CLONE_NEWNET } from "../../src/kernel/linux.ts";
import { planResolverRedirect } from "../../src/kernel/netlink/resolver-redirect.ts";
import { runSteps } from "./child.ts";
import { kernelTest, type Need, type Scratch } from "./harness.ts";
import { loopback4, startNetd } from "./netd-fixture.ts";
import { answerTo, named, openNamespace, serveDns, type TestNamespace } from "./netd-names-fixture.ts";

const needs: readonly Need[] = ["root", "executor", "busybox"];

interface Machine {
  readonly container: TestNamespace;
  /** What a shell says that has 127.0.0.11 in its resolv.conf. */
  shell(script: string): Promise<string>;
}

async function open(scratch: Scratch): Promise<Machine> {
  const { link } = await startNetd(scratch);
  const container = await openNamespace(scratch);
  await container.run("ip", "address", "add", "10.99.0.2/32", "dev", "lo"); // for AI_ADDRCONFIG loopback is none
  const upstream = await serveDns(scratch, (query) => {
    const isFirst = query.includes(Buffer.from("\x00\x00\x01\x00\x01", "latin1")); // type A
    return isFirst ? answerTo(query, 0, "192.0.2.9") : answerTo(query, 0);
  });
  const servers = [{ address: loopback4, port: upstream.port }];
  const port = await link.resolve("asker", { namespace: container.path, port: 0, scopes: ["net"], upstream: servers });
  await link.name("net", "web-id", { ...named(["web", "web.net"], "127.0.0.5"), pointer: "web.net" });
  await runSteps([{ op: "setns", path: container.path, flags: CLONE_NEWNET }, planResolverRedirect(port)]);
  const file = join(scratch.directory, "resolv.conf");
  writeFileSync(file, "nameserver 127.0.0.11\noptions ndots:0\n");
  const bind = `mount --make-rprivate / && mount --bind ${file} /etc/resolv.conf`;
  return {
    container,
    shell: (script) => container.run("unshare", "--mount", "sh", "-c", `${bind} && ${script} 2>&1`),
  };
}

kernelTest("the C library's resolver finds a container by name, by address, and the world", needs, async (scratch) => {
  const { shell } = await open(scratch);
  expect(await shell("getent ahostsv4 web")).toContain("127.0.0.5");
  expect(await shell("getent hosts 127.0.0.5")).toMatch(/127\.0\.0\.5\s+web\.net/);
  expect(await shell("getent ahostsv4 example.org")).toContain("192.0.2.9");
  expect(await shell("RES_OPTIONS=use-vc getent ahostsv4 web")).toContain("127.0.0.5");
});

kernelTest("nft reads the rules as they are meant", needs, async (scratch) => {
  const { container } = await open(scratch);
  const rules = (await container.run("nft", "list", "table", "ip", "orlop")).replace(/:\d+/g, ":PORT");
  expect(rules).toContain("type nat hook output priority -100; policy accept;");
  for (const protocol of ["udp", "tcp"])
    expect(rules).toContain(`ip daddr 127.0.0.11 ${protocol} dport 53 dnat to 127.0.0.11:PORT`);
});

kernelTest("busybox nslookup asks it too", needs, async (scratch) => {
  const { shell } = await open(scratch);
  const said = await shell("busybox nslookup -type=a web.net");
  expect(said).toContain("127.0.0.11");
  expect(said).toMatch(/Name:\s+web\.net\s+Address: 127\.0\.0\.5/);
});

kernelTest("curl reaches a container by its name", needs, async (scratch) => {
  const { shell } = await open(scratch);
  const serve = "mkdir -p www && echo found > www/index.html && busybox httpd -p 127.0.0.5:8000 -h www";
  const said = await shell(
    `cd ${scratch.directory} && ${serve} && curl -s http://web:8000/index.html; pkill -n -f 'httpd -p 127.0.0.5:8000'`,
  );
  expect(said).toBe("found\n");
});

kernelTest("a server of the container's own keeps port 53, on every address", needs, async (scratch) => {
  const { container, shell } = await open(scratch);
  const own = `
    const s = require("dgram").createSocket("udp4");
    s.on("message", (q, from) => {
      if (String(q) === "leave") process.exit();
      const a = Buffer.from(q); a[2] |= 0x80; a[3] = 5; s.send(a, from.port, from.address);
    });
    s.bind(53, "0.0.0.0", () => console.log("up"));`;
  const server = container.run(process.execPath, "-e", own);
  const asked = `
    const { encodeQuery, decodeReply } = await import(${JSON.stringify(join(import.meta.dir, "dns-client.ts"))});
    const s = require("dgram").createSocket("udp4");
    const ask = (host) => new Promise((resolve) => {
      const again = setInterval(() => s.send(encodeQuery(1, "web", "A"), 53, host), 50);
      s.on("message", (m, from) => { if (from.address === host) { clearInterval(again); resolve(decodeReply(m)); } });
    });
    const own = await ask("127.0.0.1");
    const ours = await ask("127.0.0.11");
    console.log(JSON.stringify([own.code, ours.code, ours.answers]));
    s.send("leave", 53, "127.0.0.1", () => process.exit());`;
  expect(JSON.parse(await shell(`${process.execPath} -e '${asked}'`))).toEqual([5, 0, ["127.0.0.5"]]);
  expect(await server).toBe("up\n");
});
