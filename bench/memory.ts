/** What stays resident: supervisor, idle engine, and one monitor per running container. */

import { readFileSync } from "node:fs";
import type { Product } from "../test/product.ts";

export interface Resident {
  readonly what: string;
  readonly rssKib: number;
  /** Shared pages counted in shares. */
  readonly pssKib: number;
}

const containers = 10;

/** Of a product whose engine is up. The monitor's figures are the mean of several. */
export async function measureMemory(product: Product, rootfs: string): Promise<Resident[]> {
  await product.engine.system.ping(); // it may have left meanwhile, being idle
  const supervisor = product.supervisorPid();
  const engine = product.enginePid();
  if (supervisor === undefined || engine === undefined) throw new Error("neither supervisor nor engine may be missing");
  const idle = [residentOf("supervisor", [supervisor]), residentOf("engine, just after all that", [engine])];
  const config = { Cmd: ["/bin/sleep", "1000"], HostConfig: { NetworkMode: "none", Rootfs: rootfs, AutoRemove: true } };
  const ids: string[] = [];
  for (let index = 0; index < containers; index++) {
    const { Id } = await product.engine.containers.create(config);
    await product.engine.containers.start(Id);
    ids.push(Id);
  }
  const monitors = residentOf(`monitor, one of ${containers}`, product.monitorPids());
  for (const id of ids) await product.engine.containers.remove(id, { force: true });
  return [...idle, monitors];
}

function residentOf(what: string, pids: readonly number[]): Resident {
  const texts = pids.map((pid) => readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
  const mean = (field: string): number =>
    texts.reduce((sum, text) => sum + Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1]), 0) /
    texts.length;
  return { what, rssKib: mean("Rss"), pssKib: mean("Pss") };
}
