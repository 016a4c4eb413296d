/** Makes and removes sandboxes (a network namespace with its links), for a container that starts or for the pool. */

import { mkdirSync, readdirSync } from "node:fs";
import { OrlopError } from "../../base/errors.ts";
import { log } from "../../base/log.ts";
import type { Executor } from "../../kernel/executor.ts";
import type { Step } from "../../kernel/step.ts";
import { type LinkNames, newSandboxId, sandboxOfPort } from "../../network/link-names.ts";
import { removeLinks } from "../../network/plan-bridge.ts";
import { enterNamespace, planLink, planNamespace, planSandboxRemoval } from "../../network/plan-sandbox.ts";
import { endpointOptionsOf, nameLinks } from "./endpoint-options.ts";
import { type Endpoints, explainRefusal, planLeading } from "./endpoints.ts";
import type { Survey } from "./host-network.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import type { EndpointWish } from "./sandbox-wish.ts";

export interface SandboxMakerParts {
  readonly executor: Executor;
  readonly endpoints: Endpoints;
  readonly names: LinkNames;
  readonly runDir: string;
}

export class SandboxMaker {
  readonly #parts: SandboxMakerParts;

  constructor(parts: SandboxMakerParts) {
    this.#parts = parts;
    mkdirSync(`${parts.runDir}/netns`, { recursive: true, mode: 0o711 });
  }

  pathOf(sandboxId: string): string {
    return `${this.#parts.runDir}/netns/${sandboxId}`;
  }

  /** @param releases releases under way: if no address is free, they are awaited, and it is tried once more */
  async makeOnceFree(endpoints: readonly EndpointWish[], releases: readonly Promise<void>[]): Promise<SandboxRecord> {
    try {
      return await this.make(endpoints);
    } catch (error) {
      const isTaken = error instanceof OrlopError && ["addresses_exhausted", "address_in_use"].includes(error.code);
      if (!isTaken || releases.length === 0) throw error;
      await Promise.allSettled(releases);
      return this.make(endpoints);
    }
  }

  async make(wishes: readonly EndpointWish[]): Promise<SandboxRecord> {
    let record: SandboxRecord = { id: newSandboxId(), endpoints: [], nextNumber: 0, ports: [] };
    const linkNames = nameLinks(wishes.map(({ settings }) => endpointOptionsOf(settings).linkName));
    try {
      const steps = [...planNamespace(this.pathOf(record.id))];
      for (const [index, wish] of wishes.entries()) {
        if (index > 0) steps.push(enterNamespace(this.pathOf(record.id)));
        const { endpoint, link } = await this.#parts.endpoints.make(record, wish, linkNames[index] ?? "");
        record = { ...record, endpoints: [...record.endpoints, endpoint], nextNumber: record.nextNumber + 1 };
        steps.push(...planLink(link));
      }
      await this.#parts.executor.run([...steps, ...planLeading(this.pathOf(record.id), record)]);
      return record;
    } catch (error) {
      await this.remove(record).catch((reason: unknown) => log("warn", `sandbox ${record.id} is left`, reason));
      throw explainRefusal(error, wishes);
    }
  }

  /** What `make` would do. Makes nothing and reserves nothing. @throws {OrlopError} something cannot be provided */
  foresee(wishes: readonly EndpointWish[]): { readonly record: SandboxRecord; readonly steps: readonly Step[] } {
    const { endpoints } = this.#parts;
    let record: SandboxRecord = { id: "SANDBOX", endpoints: [], nextNumber: 0, ports: [] };
    const linkNames = nameLinks(wishes.map(({ settings }) => endpointOptionsOf(settings).linkName));
    const path = this.pathOf(record.id);
    const steps = [...planNamespace(path)];
    try {
      for (const [index, wish] of wishes.entries()) {
        const { endpoint, link } = endpoints.foresee(record, wish, linkNames[index] ?? "");
        record = { ...record, endpoints: [...record.endpoints, endpoint], nextNumber: record.nextNumber + 1 };
        steps.push(...(index === 0 ? [] : [enterNamespace(path)]), ...planLink(link));
      }
    } finally {
      for (const endpoint of record.endpoints) endpoints.releaseAddresses(endpoint);
    }
    return { record, steps: [...steps, ...planLeading(path, record)] };
  }

  /** Removes the namespace with its links, then releases the addresses. */
  async remove(record: SandboxRecord): Promise<void> {
    const portNames = record.endpoints.map(({ portName }) => portName).filter((name) => name !== "");
    const steps = planSandboxRemoval(this.pathOf(record.id), portNames);
    // Tried again if its task is killed: the steps take what is left.
    await this.#parts.executor.run(steps).catch(() => this.#parts.executor.run(steps));
    for (const endpoint of record.endpoints) this.#parts.endpoints.releaseAddresses(endpoint);
  }

  /** Removes sandboxes that an earlier engine made and no container has. @param known ids of sandboxes that are in use */
  async removeStrays({ links }: Survey, known: ReadonlySet<string>): Promise<void> {
    const paths = readdirSync(`${this.#parts.runDir}/netns`).filter((id) => !known.has(id));
    const ports = links.flatMap(({ name }) => {
      const owner = sandboxOfPort(this.#parts.names, name);
      return owner === undefined || known.has(owner) ? [] : [name];
    });
    if (paths.length === 0 && ports.length === 0) return;
    await this.#parts.executor.run([
      ...(ports.length === 0 ? [] : [removeLinks(ports, "links of sandboxes that no container has")]),
      ...paths.flatMap((id) => planSandboxRemoval(this.pathOf(id), [])),
    ]);
  }
}
