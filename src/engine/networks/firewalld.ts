/** firewalld over D-Bus: binds Orlop's bridges to a zone while firewalld runs, and unbinds them. */

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
/** The runtime configuration. */
const runtime: BusObject = { destination, path: "/org/fedoraproject/FirewallD1", interface: `${destination}.zone` };
/** The permanent configuration, which belongs to the administrator. */
const permanent: BusObject = {
  destination,
  path: "/org/fedoraproject/FirewallD1/config",
  interface: `${destination}.config`,
};

/** How long a start waits for firewalld, which does not answer for seconds while it reloads. */
const WAIT_MS = 3000;
/** After this, a call is given up. */
const GIVE_UP_MS = 60_000;

/** What a start asks of firewalld, for `explain`. */
export interface ForeseenBinding {
  readonly calls: readonly string[];
  readonly zone: string;
  /** Messages about bridges for which nothing is asked. */
  readonly report: string | undefined;
}

/** The zones of Orlop's bridges, in both configurations. */
interface Zoned {
  readonly zone: string;
  readonly bindings: readonly Binding[];
}

export class Firewalld {
  /** Why nothing is bound, if the user has opted out. */
  readonly #refusal: () => string | undefined;
  readonly #asking = new Serial();
  #report: string | undefined;
  /** Counts the calls of `bind`: only the last one sets the report. */
  #turn = 0;

  constructor(refusal: () => string | undefined) {
    this.#refusal = refusal;
  }

  /** A message about its state; undefined without firewalld. */
  get report(): string | undefined {
    return this.#report;
  }

  isGone(): void {
    this.#turn++;
    this.#report = undefined;
  }

  /** Binds bridges that the administrator has not assigned to a zone. If it takes longer than a start can wait, it continues in the background. */
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

  /** What `bind` would ask for, or has asked for. */
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

  /** Serialises changes, so that the last request decides. */
  #act<T>(bridges: readonly string[], act: (bus: SystemBus, zoned: Zoned) => Promise<T>): Promise<T> {
    return this.#asking.run(() => this.#ask(GIVE_UP_MS, bridges, act));
  }

  /** @throws {Error} firewalld is not running, does not answer, or refuses */
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
