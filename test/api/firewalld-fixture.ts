/**
 * The real firewalld, on a bus of its own, in a network namespace of its own, in which Orlop runs too. A neighbour is behind a link
 * of that namespace, which is in firewalld's default zone.
 */

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { linkNamesOf } from "../../src/network/link-names.ts";
import type { Scratch } from "../kernel/harness.ts";
import { Product, runProgram, testOrlopPath } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

/** It is a large Python program. */
const beginMs = 30_000;

export const host = "198.51.100.1";
export const neighbour = "198.51.100.2";

/** Runs a command in a network namespace. What it printed; throws when it fails. */
type Inside = (...words: string[]) => Promise<string>;

/** A process that keeps namespaces, and how a command enters its network. */
interface Place {
  readonly pid: number;
  readonly enter: readonly string[];
}

/** Another host: a network of its own. */
async function makeNeighbour(scratch: Scratch): Promise<Place> {
  const keeper = Bun.spawn(["unshare", "--net", ...keep], { stdout: "pipe" });
  await kept(scratch, keeper);
  return placeOf(keeper.pid);
}

/** A machine with a first process of its own: what Orlop has on the host it has in that one's network. */
async function makeMachine(scratch: Scratch): Promise<Place> {
  const flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const keeper = Bun.spawn(["unshare", ...flags, ...keep], { stdout: "pipe" });
  await kept(scratch, keeper);
  return placeOf(Number(readFileSync(`/proc/${keeper.pid}/task/${keeper.pid}/children`, "utf8")));
}

function placeOf(pid: number): Place {
  return { pid, enter: ["nsenter", `--net=/proc/${pid}/ns/net`, "--"] };
}

const keep = ["sh", "-c", "echo; exec sleep 100000"];

async function kept(scratch: Scratch, keeper: Bun.Subprocess<"ignore", "pipe">): Promise<void> {
  scratch.defer(async () => {
    keeper.kill("SIGKILL");
    await keeper.exited;
  });
  await keeper.stdout.getReader().read();
}

function inside(enter: readonly string[], env: Readonly<Record<string, string>> = {}): Inside {
  return async (...words) => {
    const { exitCode, stdout, stderr } = await runProgram([...enter, ...words], { env });
    if (exitCode !== 0) throw new Error(`${words.join(" ")}: ${stderr}`);
    return stdout.trim();
  };
}

/** A bus that nobody but this test knows, with the rules that firewalld's package has for it. */
async function startBus(scratch: Scratch): Promise<string> {
  const socket = join(scratch.directory, "bus");
  const config = join(scratch.directory, "bus.conf");
  writeFileSync(
    config,
    `<busconfig><type>system</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth>
     <policy context="default"><allow send_type="method_return"/><allow send_type="error"/><allow send_type="signal"/>
       <allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
       <allow receive_type="signal"/><allow send_destination="org.freedesktop.DBus"/></policy>
     <include>/usr/share/dbus-1/system.d/FirewallD.conf</include></busconfig>`,
  );
  const bus = Bun.spawn(["dbus-daemon", "--nofork", "--print-address", `--config-file=${config}`], {
    stdout: "pipe",
    stderr: Bun.file(join(scratch.directory, "bus.log")),
  });
  scratch.defer(async () => {
    bus.kill();
    await bus.exited;
  });
  await bus.stdout.getReader().read();
  return `unix:path=${socket}`;
}

export class Firewalld {
  readonly #command: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  readonly #log: string;
  readonly cmd: Inside;
  #process: Bun.Subprocess | undefined;

  constructor(scratch: Scratch, enter: readonly string[], env: Readonly<Record<string, string>>) {
    const config = join(scratch.directory, "firewalld");
    for (const folder of ["zones", "policies", "services", "icmptypes", "ipsets", "helpers"])
      mkdirSync(join(config, folder), { recursive: true });
    this.#log = join(scratch.directory, "firewalld.log");
    const flags = ["--nofork", "--nopid", "--system-config", config, "--log-target", "console"];
    this.#command = [...enter, "/usr/sbin/firewalld", ...flags];
    this.#env = { ...env, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
    this.cmd = inside([...enter, "/usr/bin/firewall-cmd"], this.#env);
    scratch.defer(() => this.kill("SIGTERM"));
  }

  async start(): Promise<void> {
    this.#process = Bun.spawn([...this.#command], {
      env: { ...process.env, ...this.#env },
      stdout: Bun.file(this.#log),
      stderr: Bun.file(this.#log),
    });
    const answers = async (): Promise<boolean> => (await this.cmd("--state").catch(() => "")) === "running";
    await waitUntil(answers, beginMs, "firewalld runs");
  }

  /** SIGSTOP, SIGCONT */
  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.signal(signal);
    await this.#process?.exited;
    this.#process = undefined;
  }

  /** What it has bound to a zone as it runs. */
  interfaces(zone: string): Promise<string> {
    return this.cmd(`--zone=${zone}`, "--list-interfaces");
  }
}

export interface Fixture {
  readonly firewalld: Firewalld;
  readonly product: Product;
  readonly bridge: string;
  readonly at: { readonly host: Inside; readonly neighbour: Inside };
  /** Whether a container of this name reaches a server there; a server answers until the test's end. */
  reaches(container: string, address: string): Promise<boolean>;
  /** What `network inspect bridge` says. */
  reports(): Promise<readonly string[] | undefined>;
}

/** Where the host and the neighbour answer, not of the ports that firewalld lets through. */
export const serverPort = "8053";

export async function openBesideFirewalld(
  scratch: Scratch,
  env: Readonly<Record<string, string>> = {},
): Promise<Fixture> {
  const busEnv = { DBUS_SYSTEM_BUS_ADDRESS: await startBus(scratch) };
  const machine = await makeMachine(scratch);
  const other = await makeNeighbour(scratch);
  const at = { host: inside(machine.enter), neighbour: inside(other.enter) };
  await at.host("ip", "link", "set", "lo", "up");
  await Bun.$`ip link add wire netns ${machine.pid} type veth peer name eth0 netns ${other.pid}`;
  await at.host("ip", "address", "add", `${host}/24`, "dev", "wire");
  await at.host("ip", "link", "set", "wire", "up");
  await at.host("ip", "route", "add", "default", "via", neighbour);
  await at.neighbour("ip", "address", "add", `${neighbour}/24`, "dev", "eth0");
  await at.neighbour("ip", "link", "set", "eth0", "up");
  for (const { enter } of [machine, other]) {
    const server = Bun.spawn([...enter, "busybox", "nc", "-ll", "-p", serverPort, "-e", "echo", "hi"]);
    scratch.defer(async () => {
      server.kill("SIGKILL");
      await server.exited;
    });
  }
  const firewalld = new Firewalld(scratch, machine.enter, busEnv);
  const program = join(scratch.directory, "orlop-inside");
  const enter = `nsenter --net --mount --pid --target ${machine.pid} --`;
  writeFileSync(program, `#!/bin/sh\nexec ${enter} ${testOrlopPath} "$@"\n`);
  chmodSync(program, 0o755);
  const product = new Product(scratch.directory, {
    program,
    env: { ...busEnv, ...env },
  });
  scratch.defer(() => product.stop());
  const reaches = async (container: string, address: string): Promise<boolean> => {
    const words = ["exec", container, "busybox", "nc", "-w", "1", address, serverPort];
    return (await product.run(words)).stdout === "hi\n";
  };
  return {
    firewalld,
    product,
    bridge: linkNamesOf(product.runDir).defaultBridge,
    at,
    reaches,
    reports: async () => JSON.parse(await product.ok("network", "inspect", "bridge"))[0].OtherFirewalls,
  };
}
