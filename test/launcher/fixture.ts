/** An engine, and a launcher whose full program says when it was needed. */

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { orlopPath, Product } from "../product.ts";

export interface Stage extends AsyncDisposable {
  readonly directory: string;
  readonly rootfs: string;
  readonly product: Product;
  /** How often the launcher became the full program since the last time that this was asked. */
  needed(): number;
  /** Words of a container that lives as long as the command. */
  container(...words: string[]): string[];
}

/** Its engine runs. */
export async function openStage(): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), "orlop-launcher-"));
  const bin = join(directory, "bin");
  const note = join(directory, "needed");
  mkdirSync(bin);
  copyFileSync(orlopPath, join(bin, "orlop"));
  writeFileSync(
    join(bin, "orlop-program"),
    `#!/bin/sh\necho >>${note}\nexec ${join(dirname(orlopPath), "orlop-program")} "$@"\n`,
  );
  chmodSync(join(bin, "orlop-program"), 0o755);
  const product = new Product(directory, { program: join(bin, "orlop") });
  const rootfs = makeBusyboxRoot(directory);
  await product.ok("info"); // starts the engine, and so needs the full program
  rmSync(note, { force: true });
  return {
    directory,
    rootfs,
    product,
    needed() {
      const count = existsSync(note) ? readFileSync(note).length : 0;
      rmSync(note, { force: true });
      return count;
    },
    container: (...words) => ["run", "--rm", "--network", "none", "--rootfs", rootfs, ...words],
    async [Symbol.asyncDispose]() {
      await product.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
