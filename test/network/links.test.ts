/** `--link`: what it says in the environment of a container, as dockerd does; and what it opens where containers may not talk to each other. */

import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { Docker } from "../docker-cli/docker.ts";
import { Dockerd } from "../dockerd.ts";
import { kernelTest, type Need, type Scratch } from "../kernel/harness.ts";
import { type Outcome, Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "product", "nft", "ip", "busybox"];
const timeoutMs = 120_000;
const readyMs = 10_000;

async function open(scratch: Scratch): Promise<Product> {
  const product = new Product(join(scratch.directory, "orlop"));
  scratch.defer(() => product.stop());
  await product.ok("ps");
  return product;
}

kernelTest(
  "a link in the default network says in the environment where its target is, in dockerd's words; one that does not run is refused in them",
  [...needs, "docker", "dockerd", "overlay"],
  async (scratch) => {
    const archive = join(scratch.directory, "root.tar");
    execFileSync("tar", ["-C", makeBusyboxRoot(scratch.directory), "-cf", archive, "."]);
    const product = await open(scratch);
    const apart = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"];
    const dockerd = await Dockerd.start(join(scratch.directory, "dockerd"), ["--iptables=true"], apart);
    scratch.defer(() => dockerd[Symbol.asyncDispose]());
    const docker = new Docker(product);
    const said: string[][] = [];
    for (const run of [(words: string[]) => dockerd.run(words), (words: string[]) => docker.run(words)])
      said.push(await linked(run, archive));
    const [theirs = [], ours = []] = said;
    expect(theirs.join("\n")).toContain("MY_DB_PORT_8000_TCP_PORT_END=8002");
    expect(ours).toEqual(theirs);
  },
  timeoutMs,
);

kernelTest(
  "the name of a link is removed, and the link with it, in dockerd's words; the container stays",
  [...needs, "docker", "dockerd", "overlay"],
  async (scratch) => {
    const archive = join(scratch.directory, "root.tar");
    execFileSync("tar", ["-C", makeBusyboxRoot(scratch.directory), "-cf", archive, "."]);
    const product = await open(scratch);
    const apart = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"];
    const dockerd = await Dockerd.start(join(scratch.directory, "dockerd"), ["--iptables=true"], apart);
    scratch.defer(() => dockerd[Symbol.asyncDispose]());
    const docker = new Docker(product);
    const [theirs, ours] = [
      await unlinked((words) => dockerd.run(words), archive),
      await unlinked((words) => docker.run(words), archive),
    ];
    expect(theirs).toContain("names db,web/data,web/db");
    expect(ours).toEqual(theirs);
  },
  timeoutMs,
);

/** What is said of two links to one container, while they go one by one. */
async function unlinked(run: (words: string[]) => Promise<Outcome>, archive: string): Promise<string[]> {
  const said: string[] = [];
  const note = async (what: string, words: readonly string[]): Promise<void> => {
    const { exitCode, stdout, stderr } = await run([...words]);
    // Ours go on with what to do.
    const error = stderr
      .replace(/^Error( response from daemon)?: /, "")
      .replace(/(link name of the container): .*/, "$1");
    said.push(`${what} ${exitCode === 0 ? stdout.trim() : `${exitCode}: ${error.trim()}`}`);
  };
  const look = async (): Promise<void> => {
    await note("names", ["ps", "--no-trunc", "--filter", "name=db", "--format", "{{.Names}}"]);
    await note("links", ["inspect", "-f", "{{len .HostConfig.Links}} {{.State.Status}}", "web"]);
    for (const alias of ["db", "data"])
      await note(alias, ["exec", "web", "sh", "-c", `grep -qw ${alias} /etc/hosts && echo known || echo unknown`]);
  };
  await run(["import", archive, "linked"]);
  await run(["run", "-d", "--name", "db", "linked", "sleep", "1000"]);
  await run(["run", "-d", "--name", "web", "--link", "db", "--link", "db:data", "linked", "sleep", "1000"]);
  await look();
  for (const name of ["db", "none", "web/none", "none/db"]) await note("refused", ["rm", "--link", name]);
  await note("removed", ["rm", "--link", "web/data"]);
  await note("again", ["rm", "--link", "web/data"]);
  await look();
  await run(["stop", "-t", "0", "web"]);
  await note("stopped", ["rm", "-l", "/web/db"]);
  await run(["start", "web"]);
  await look();
  for (const name of ["web", "db"]) await run(["rm", "-f", name]);
  return said;
}

/** What containers with links say, addresses and ids left out. */
async function linked(run: (words: string[]) => Promise<Outcome>, archive: string): Promise<string[]> {
  const ok = async (...words: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(words);
    if (exitCode !== 0) throw new Error(`${words.join(" ")}: ${stderr}`);
    return stdout.trim();
  };
  await ok("import", archive, "linked");
  const ports = ["5432", "53/udp", "53", "8000", "8001", "8002", "9000", "9001"].flatMap((port) => ["--expose", port]);
  const variables = ["A=1", "B=two words", "HOME=/x", "EMPTY="].flatMap((entry) => ["-e", entry]);
  await ok("run", "-d", "--name", "db", ...ports, ...variables, "linked", "sleep", "1000");
  await ok("run", "-d", "--name", "plain", "linked", "sleep", "1000");
  const links = ["--link", "db:my-db", "--link", "db", "--link", "plain:other"];
  await ok("run", "-d", "--name", "web", ...links, "-e", "MY_DB_NAME=own", "linked", "sleep", "1000");
  const environment = ["sh", "-c", "tr '\\0' '\\n' </proc/1/environ; echo; echo in an exec; env"];
  const said = await ok("exec", "web", ...environment);
  await ok("kill", "plain");
  const { exitCode, stderr } = await run(["run", "--link", "plain:other", "--name", "late", "linked", "true"]);
  await ok("network", "create", "own");
  await ok("run", "-d", "--name", "away", "--network", "own", "linked", "sleep", "1000");
  const elsewhere = await run(["run", "--link", "away", "--name", "far", "linked", "true"]);
  for (const name of ["db", "plain", "web", "late", "away", "far"]) await run(["rm", "-f", name]);
  await ok("network", "rm", "own");
  const address = /^DB_PORT_53_TCP_ADDR=(.*)$/m.exec(said)?.[1] ?? "none";
  const lines = said.replaceAll(address, "ADDRESS").split("\n");
  const masked = lines.filter((line) => !/^(HOSTNAME|SHLVL|PWD|_)=/.test(line)).sort();
  // Ours go on with what to do.
  const refusal = /Cannot link to .*?(AS \/late\/other|to the default network)/;
  const refusals = [stderr, elsewhere.stderr].map((text) => refusal.exec(text)?.[0]);
  return [...masked, String(exitCode), String(elsewhere.exitCode), ...refusals.map(String)];
}

kernelTest(
  "where containers may not talk to each other a link opens what its target exposes, to the one who has it, while both are there",
  needs,
  async (scratch) => {
    const product = await open(scratch);
    const closed = ["-o", "com.docker.network.bridge.enable_icc=false", "--subnet", "10.213.242.0/24", "--ipv6"];
    await product.ok("network", "create", ...closed, "closed");
    const server = "for port in 80 81; do busybox nc -ll -p $port -e echo hello & done; wait";
    const serve = (name: string) =>
      product.ok(
        ...["run", "-d", "--name", name, "--network", "closed", "--ip", "10.213.242.7", "--expose", "80"],
        ...["--cap-add", "NET_ADMIN", "host", "sh", "-c", server],
      );
    const client = (name: string, ...flags: string[]) =>
      product.ok(
        ...["run", "-d", "--name", name, "--network", "closed", "--cap-add", "NET_ADMIN", ...flags],
        ...["host", "sh", "-c", "busybox nc -ll -p 80 -e echo mine"],
      );
    await serve("web");
    await client("linked", "--link", "web:db");
    await client("stranger");
    const says = async (from: string, target: string, port: number): Promise<string> => {
      const script = `timeout 2 busybox nc ${target} ${port} </dev/null`;
      return (await product.run(["exec", from, "sh", "-c", script])).stdout.trim();
    };
    /** Sooner or later. */
    const hears = async (from: string, target: string, port: number): Promise<string> => {
      let said = "";
      const isHeard = async (): Promise<boolean> => {
        said = await says(from, target, port);
        return said !== "";
      };
      await waitUntil(isHeard, readyMs, `${from} hears ${target}`);
      return said;
    };
    const serves = async (name: string): Promise<void> => {
      for (const port of [80, 81]) expect(await hears(name, "127.0.0.1", port)).toBe("hello");
    };
    await serves("web");
    const addressOf = async (name: string): Promise<string> =>
      JSON.parse(await product.ok("inspect", name))[0].NetworkSettings.Networks.closed.IPAddress;
    const own = await addressOf("linked");
    const opened = async () => [
      await hears("linked", "db", 80),
      await says("linked", "db", 81),
      await says("stranger", "10.213.242.7", 80),
      await says("web", own, 80),
    ];
    expect(await opened()).toEqual(["hello", "", "", ""]);
    // By the host's address on the bridge, as if the other were far away: the rules still know where it came from.
    await product.ok("exec", "stranger", "ip", "route", "add", "10.213.242.7/32", "via", "10.213.242.1");
    await product.ok("exec", "web", "ip", "route", "add", await addressOf("stranger"), "via", "10.213.242.1");
    expect(await says("stranger", "10.213.242.7", 80)).toBe("");
    // The next engine knows it too, and so do the rules when somebody has flushed them.
    product.killEngine();
    await product.ok("ps");
    expect(await opened()).toEqual(["hello", "", "", ""]);
    // Whoever gets its address later is not meant.
    await product.ok("rm", "-f", "web");
    await serve("later");
    await serves("later");
    expect(await says("linked", "10.213.242.7", 80)).toBe("");
    await product.ok("rm", "-f", "later");
    await serve("web");
    await serves("web");
  },
  timeoutMs,
);

kernelTest(
  "each of two links to one container gives it a name",
  needs,
  async (scratch) => {
    const product = await open(scratch);
    await product.ok("network", "create", "own");
    const run = (...words: string[]) => product.ok("run", "-d", "--network", "own", ...words, "host", "sleep", "1000");
    await run("--name", "db");
    await run("--name", "web", "--link", "db:one", "--link", "db:other");
    for (const name of ["one", "other"]) await product.ok("exec", "web", "busybox", "ping", "-c1", "-W5", name);
  },
  timeoutMs,
);

kernelTest(
  "link-local addresses are beside the network's own, and neighbours find each other by them",
  needs,
  async (scratch) => {
    const product = await open(scratch);
    await product.ok("network", "create", "lan");
    const run = (name: string, ...addresses: string[]) =>
      product.ok(
        ...["run", "-d", "--name", name, "--network", "lan"],
        ...addresses.flatMap((address) => ["--link-local-ip", address]),
        ...["host", "sleep", "1000"],
      );
    await run("one", "169.254.7.1", "fe80::7:1");
    await run("other", "169.254.7.2", "fe80::7:2");
    const reaches = async (target: string): Promise<boolean> =>
      (await product.run(["exec", "one", "busybox", "ping", "-c1", "-W1", target])).exitCode === 0;
    for (const target of ["169.254.7.2", "fe80::7:2%eth0"])
      await waitUntil(() => reaches(target), readyMs, `${target} is reached`);
    expect(await reaches("169.254.7.3")).toBe(false);
    const [{ NetworkSettings }] = JSON.parse(await product.ok("inspect", "one"));
    expect(NetworkSettings.Networks.lan.IPAMConfig).toEqual({ LinkLocalIPs: ["169.254.7.1", "fe80::7:1"] });
  },
  timeoutMs,
);

kernelTest(
  "one that comes back by its policy brings those with it that it has links to, and that wait for their own time",
  needs,
  async (scratch) => {
    const product = await open(scratch);
    const run = (name: string, ...flags: string[]) =>
      product.ok("run", "-d", "--name", name, "--restart", "always", ...flags, "host", "sleep", "1000");
    await run("db");
    await run("web", "--link", "db");
    const state = async (name: string) => JSON.parse(await product.ok("inspect", name))[0].State;
    const runs = ({ Running, Restarting }: { Running: boolean; Restarting: boolean }) => Running && !Restarting;
    const isBack = (name: string) => waitUntil(async () => runs(await state(name)), readyMs, `${name} is back`);
    const die = async (name: string): Promise<void> => {
      const before = await state(name);
      expect(before.Pid).toBeGreaterThan(1);
      process.kill(before.Pid, "SIGKILL");
      const isOver = async () => (await state(name)).Restarting || (await state(name)).StartedAt !== before.StartedAt;
      await waitUntil(isOver, readyMs, `${name} ends`);
    };
    // Each time it waits twice as long: in the end for seconds.
    for (let times = 0; times < 6; times++) {
      await die("db");
      await isBack("db");
    }
    await die("db");
    expect(await state("db")).toMatchObject({ Restarting: true });
    await die("web");
    await waitUntil(async () => !(await state("web")).Restarting, readyMs, "its time has come");
    expect(await state("web")).toMatchObject({ Running: true, Restarting: false, Error: "" });
    expect(await state("db")).toMatchObject({ Running: true, Restarting: false });
  },
  timeoutMs,
);
