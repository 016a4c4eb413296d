/** What a file of tests in this folder needs: a built Orlop and a small root, with probes in it. */

import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { beforeAllWhere, type Need } from "../kernel/harness.ts";
import { nothingReady, Product } from "../product.ts";
import { compileProbe } from "./probe.ts";

export interface RootedProduct {
  readonly product: Product;
  /** A busybox root, for `--rootfs`. */
  readonly rootfs: string;
}

const setUpMs = 60_000;

/**
 * Made before the file's first test, if its needs are met, and removed after its last one.
 *
 * @param probes programs of this folder, compiled into the root: "escape-probe" becomes /escape-probe
 */
export function rootedProduct(needs: readonly Need[], probes: readonly string[] = []): RootedProduct {
  const directory = mkdtempSync(join(tmpdir(), "orlop-posture-"));
  const product = new Product(directory, { env: nothingReady });
  const rootfs = join(directory, "rootfs");
  let isBegun = false;
  beforeAllWhere(
    needs,
    async () => {
      makeBusyboxRoot(directory);
      for (const probe of probes) compileProbe(probe, rootfs);
      isBegun = true;
      await product.ok("info");
    },
    setUpMs,
  );
  afterAll(async () => {
    if (isBegun) await product.stop();
    rmSync(directory, { recursive: true, force: true });
  }, setUpMs);
  return { product, rootfs };
}
