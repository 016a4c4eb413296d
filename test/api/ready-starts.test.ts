/**
 * Starts that are begun before anybody asks for them: seen from outside as folders of containers that do not exist yet, of which
 * the next container has one's id.
 */

import { expect } from "bun:test";
import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need, type Scratch } from "../kernel/harness.ts";
import { Product } from "../product.ts";
import { waitUntil } from "../wait-until.ts";

const needs: readonly Need[] = ["root", "executor", "product", "nft", "ip", "busybox"];
const readyMs = 5000;
const timeoutMs = 120_000;

interface Life {
  /** The first 12 digits. */
  readonly id: string;
  readonly output: string;
}

class Fixture {
  readonly product: Product;
  readonly rootfs: string;
  readonly #folders: string;

  private constructor(scratch: Scratch) {
    this.product = new Product(scratch.directory);
    this.rootfs = makeBusyboxRoot(scratch.directory);
    this.#folders = join(this.product.runDir, "containers");
    scratch.defer(() => this.product.stop());
  }

  static async open(scratch: Scratch): Promise<Fixture> {
    const fixture = new Fixture(scratch);
    await fixture.product.ok("ps");
    return fixture;
  }

  /** A whole `--rm` container. */
  async live(script: string, ...flags: string[]): Promise<Life> {
    const words = ["run", "--rm", ...flags, "--rootfs", this.rootfs, "sh", "-c", `hostname; ${script}`];
    const [id = "", ...lines] = (await this.product.ok(...words)).split("\n");
    return { id, output: lines.join("\n") };
  }

  /** Folders that have a monitor's socket: nothing runs here otherwise. */
  ready(): string[] {
    return readdirSync(this.#folders)
      .filter((id) => existsSync(join(this.#folders, id, "monitor.sock")))
      .map((id) => id.slice(0, 12));
  }

  /** The first three of a kind, which have gone, have made two ready. */
  async untilReady(script: string, ...flags: string[]): Promise<string[]> {
    for (let time = 0; time < 3; time++) await this.live(script, ...flags);
    let looks = 0;
    const areReady = async (): Promise<boolean> => {
      if (this.ready().length >= 2) return true;
      // They are kept for seconds: on a busy machine they may have gone before this looked.
      if (++looks % 100 === 0) await this.live(script, ...flags);
      return false;
    };
    await waitUntil(areReady, readyMs, "two are ready");
    return this.ready();
  }

  /**
   * What `live` finds out with starts that were ready. What is not taken in time is taken back, which a busy machine may be too
   * late for: then nothing of them is left, and it is tried again.
   */
  async withReady<T extends { readonly ids: readonly string[] }>(
    kind: readonly [script: string, ...flags: string[]],
    live: () => Promise<T>,
  ): Promise<T> {
    for (let time = 1; ; time++) {
      const ready = await this.untilReady(...kind);
      const lived = await live();
      if (lived.ids.every((id) => ready.includes(id))) return lived;
      const left = this.ready().filter((id) => ready.includes(id));
      if (left.length > 0 || time === 5) expect(ready).toEqual(expect.arrayContaining([...lived.ids]));
    }
  }
}

/** What a container has of its own must be right although it was begun for nobody. */
const own = {
  none: { flags: ["--network", "none"], script: "ls /sys/class/net; cat /etc/hosts" },
  bridge: { flags: [], script: "ls /sys/class/net; ip -4 addr show eth0; cat /etc/hosts" },
};

for (const [network, { flags, script }] of Object.entries(own))
  kernelTest(
    `the third of a kind makes the next ones ready, and each becomes one container: network ${network}`,
    needs,
    async (scratch) => {
      const fixture = await Fixture.open(scratch);
      const { lives } = await fixture.withReady([script, ...flags], async () => {
        const two = [await fixture.live(script, ...flags), await fixture.live(script, ...flags)];
        return { lives: two, ids: two.map(({ id }) => id) };
      });
      expect(lives[0]?.id).not.toBe(lives[1]?.id);
      for (const { id, output } of lives) {
        const address = network === "none" ? "127.0.0.1" : /inet ([\d.]+)/.exec(output)?.[1];
        expect(output).toContain(`${address}\t${id}`);
        expect(output.split("\n").slice(0, 2)).toEqual(
          network === "none" ? ["lo", "127.0.0.1\tlocalhost"] : ["eth0", "lo"],
        );
      }
      const addresses = lives.map(({ output }) => /inet ([\d.]+)/.exec(output)?.[1]);
      expect(new Set(addresses).size).toBe(network === "none" ? 1 : 2);
    },
    timeoutMs,
  );

kernelTest(
  "what is asked of the container alone is not what was asked of the one before: command, environment, user, name",
  needs,
  async (scratch) => {
    const fixture = await Fixture.open(scratch);
    const flags = ["--network", "none", "-e", "A=1", "-u", "worker", "-w", "/tmp", "--name", "named"];
    const { output } = await fixture.withReady(["true", "--network", "none"], async () => {
      const one = await fixture.live("echo $A $(id -u) $(pwd)", ...flags);
      return { ...one, ids: [one.id] };
    });
    expect(output).toBe("1 1000 /tmp");
  },
  timeoutMs,
);

kernelTest(
  "ports that are published are those of the container that got the network",
  needs,
  async (scratch) => {
    const fixture = await Fixture.open(scratch);
    const flags = ["-p", "127.0.0.1:0:80"];
    const { text } = await fixture.withReady(["true", ...flags], async () => {
      const serving = fixture.live("echo served | nc -l -p 80", ...flags);
      const port = async () => {
        const [container] = await fixture.product.engine.containers.list({});
        return container?.Ports.find(({ PublicPort }) => PublicPort !== undefined)?.PublicPort;
      };
      await waitUntil(async () => (await port()) !== undefined, readyMs, "it is published");
      const number = await port();
      let said = "";
      await waitUntil(
        async () => {
          const client = Bun.spawn(["busybox", "nc", "127.0.0.1", String(number)], { stdin: "ignore", stdout: "pipe" });
          said = await new Response(client.stdout).text();
          return said !== "";
        },
        readyMs,
        "it answers",
      );
      return { text: said, ids: [(await serving).id] };
    });
    expect(text).toBe("served\n");
  },
  timeoutMs,
);

kernelTest(
  "what was made ready on a root that is another by now is not used",
  needs,
  async (scratch) => {
    const fixture = await Fixture.open(scratch);
    const ready = await fixture.untilReady("true", "--network", "none");
    renameSync(fixture.rootfs, `${fixture.rootfs}.old`);
    makeBusyboxRoot(scratch.directory);
    writeFileSync(join(fixture.rootfs, "mark"), "the new one");
    const { id, output } = await fixture.live("cat /mark", "--network", "none");
    expect(output).toBe("the new one");
    expect(ready).not.toContain(id);
  },
  timeoutMs,
);

kernelTest(
  "what nobody wants goes, and so does what a killed engine had ready",
  needs,
  async (scratch) => {
    const fixture = await Fixture.open(scratch);
    await fixture.untilReady("true");
    await waitUntil(() => fixture.ready().length === 0, readyMs, "nothing is ready any more");
    const ready = await fixture.untilReady("true", "--hostname", "of-another-kind");
    const engine = fixture.product.enginePid() ?? 0;
    process.kill(engine, "SIGKILL");
    await waitUntil(() => !existsSync(`/proc/${engine}`), readyMs, "the engine is dead");
    fixture.product.disconnect();
    await fixture.product.ok("ps");
    expect(fixture.ready()).toEqual([]);
    const next = await fixture.product.ok("run", "-d", "--rm", "--rootfs", fixture.rootfs, "true");
    expect(ready).not.toContain(next.slice(0, 12));
  },
  timeoutMs,
);
