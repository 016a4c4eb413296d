/** A row as a test: every value is tried, and all that were not seen to act are told. */

import { kernelTest } from "../kernel/harness.ts";
import { seedText } from "./generate.ts";
import type { Row } from "./row.ts";
import { removeGroups, type Stage } from "./stage.ts";

export function rowTest(path: string, { needs = [], trials }: Row, stageOf: () => Stage): void {
  kernelTest(
    `${path} acts`,
    ["root", "product", "busybox", "overlay", ...needs],
    async ({ defer }) => {
      const stage = stageOf();
      defer(removeGroups);
      const faults: unknown[] = [];
      for (const { value, see } of trials) {
        const fault = (found: object) => faults.push({ value: JSON.stringify(value).slice(0, 200), ...found });
        try {
          const { seen, wanted } = await see(stage);
          if (seen !== wanted) fault({ seen, wanted });
        } catch (error) {
          fault({ error: (error as Error).message });
        }
      }
      stage.product.disconnect();
      if (faults.length > 0) throw new Error(`${seedText}: ${JSON.stringify(faults, null, 2)}`);
    },
    60_000,
  );
}
