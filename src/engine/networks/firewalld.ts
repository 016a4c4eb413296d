/** firewalld, asked over D-Bus: our bridges are bound to a zone of its as long as it runs, and let go again. */

import { settlesWithin } from "../../base/in-time.ts";
import { log } from "../../base/log.ts";
import { Serial } from "../../base/serial.ts";
import { type BusObject, SystemBus } from "../../kernel/dbus/system-bus.ts";
import {
  type Binding,
  boundBy,
  describeBindings,
  describeUnbound,
  unboundOf,
  zoneAmong,
} from "../../network/firewalld.ts";

const destination = "org.fedoraproject.FirewallD1";
/** Its configuration as it runs. */
const runtime: BusObject = { destination, path: "/org/fedoraproject/FirewallD1", interface: `${destination}.zone` };
/** The permanent one: the administrator's. */
const permanent: BusObject = {
  destination,
  path: "/org/fedoraproject/FirewallD1/config",
  interface: `${destination}.config`,
};

/** A start waits for it so long. It answers nothing while it reloads, for seconds. */
const WAIT_MS = 3000;
/** What it has not answered then it never will. */
const GIVE_UP_MS = 60_000;

/** What is asked of it for a start, for people. */
export interface ForeseenBinding {
  readonly calls: readonly string[];
  readonly zone: string;
  /** Of bridges that nothing is asked for. */
  readonly report: string | undefined;
}

/** Where our bridges are, and belong. */
interface Zoned {
  readonly zone: string;
  readonly bindings: readonly Binding[];
}

export class Firewalld {
  /** Opt-out: why nothing is bound. */
  readonly #refusal: () => string | undefined;
  readonly #asking = new Serial();
  #report: string | undefined;
  /** Which look at the machine it is that the report is of. */
  #turn = 0;

  constructor(refusal: () => string | undefined) {
    this.#refusal = refusal;
  }

  /** How it is, in words; undefined where there is none. */
  get report(): string | undefined {
    return this.#report;
  }

  isGone(): void {
    this.#turn++;
    this.#report = undefined;
  }

  /** Binds those of which nobody else has said where they belong. What takes longer than a start can wait goes on behind it. */
  async bind(bridges: readonly string[]): Promise<void> {
    const turn = ++this.#turn;
    const say = (report: string): void => {
      if (turn === this.#turn) this.#report = report;
    };
    const bound = this.#act(bridges, async (bus, { zone, bindings }) => {
      for (const bridge of unboundOf(bindings)) await bus.call(runtime, "addInterface", zone, bridge);
      return describeBindings(zone, bindings);
    });
    const settled = bound.catch((error: Error) => describeUnbound(error.message, bridges)).then(say);
    if (!(await settlesWithin(settled, WAIT_MS))) say(describeUnbound("it has not answered yet", bridges));
  }

  /** What `bind` would ask for, or has. */
  async foresee(bridges: readonly string[]): Promise<ForeseenBinding> {
    try {
      return await this.#ask(WAIT_MS, bridges, async (_bus, { zone, bindings }) => {
        const ours = [...unboundOf(bindings), ...boundBy(zone, bindings)];
        const calls = ours.map((bridge) => `${runtime.interface}.addInterface("${zone}", "${bridge}")`);
        return { calls, zone, report: ours.length === 0 ? describeBindings(zone, bindings) : undefined };
      });
    } catch (error) {
      return { calls: [], zone: "", report: describeUnbound((error as Error).message, bridges) };
    }
  }

  async release(bridges: readonly string[]): Promise<void> {
    if (this.#refusal() !== undefined) return;
    const released = this.#act(bridges, async (bus, { zone, bindings }) => {
      for (const bridge of boundBy(zone, bindings)) await bus.call(runtime, "removeInterface", zone, bridge);
    });
    const settled = released.catch((error: unknown) => log("warn", `firewalld keeps ${bridges.join(", ")}`, error));
    if (!(await settlesWithin(settled, WAIT_MS))) log("warn", `firewalld has not let go of ${bridges.join(", ")} yet`);
  }

  /** One change after the other: what was wanted last holds. */
  #act<T>(bridges: readonly string[], act: (bus: SystemBus, zoned: Zoned) => Promise<T>): Promise<T> {
    return this.#asking.run(() => this.#ask(GIVE_UP_MS, bridges, act));
  }

  /** @throws {Error} it is not there, does not answer, or says no */
  async #ask<T>(
    limitMs: number,
    bridges: readonly string[],
    act: (bus: SystemBus, zoned: Zoned) => Promise<T>,
  ): Promise<T> {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw new Error(refusal);
    const bus = await SystemBus.open(AbortSignal.timeout(limitMs));
    try {
      if (!(await bus.hasOwner(destination))) throw new Error("nobody answers for it on D-Bus");
      return await act(bus, await zonedBy(bus, bridges));
    } finally {
      bus.close();
    }
  }
}

async function zonedBy(bus: SystemBus, bridges: readonly string[]): Promise<Zoned> {
  const [zones] = await bus.call(runtime, "getZones");
  const bindings: Binding[] = [];
  for (const bridge of bridges) {
    const [configured = ""] = await bus.call(permanent, "getZoneOfInterface", bridge);
    const [zone = ""] = await bus.call(runtime, "getZoneOfInterface", bridge);
    bindings.push({ bridge, configured: String(configured), zone: String(zone) });
  }
  return { zone: zoneAmong(Array.isArray(zones) ? zones : []), bindings };
}
