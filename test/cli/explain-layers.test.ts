/** The newcomer's explanation leaves no step out. */

import { expect, test } from "bun:test";
import { renderLayers } from "../../src/cli/explain-layers.ts";
import { styleFor } from "../../src/cli/explain-plan.ts";
import { type StepName, stepTable } from "../../src/kernel/step.ts";

/** Steps of images' layers and of `cp`, which no container's start has. */
const elsewhere =
  /^layer|^write-back$|^tree|^copy-tree$|^kill-group$|^rmdir$|^remove$|^chown$|^read$|^shared-memory$|^taken$/;

test.each((Object.keys(stepTable) as StepName[]).filter((op) => !elsewhere.test(op)))("%s belongs to a layer", (op) => {
  const step = { side: "container", op, why: "", calls: [`this-very-call(${op})`] } as const;
  expect(renderLayers([step], "orlop run host", styleFor(false))).toContain(`· this-very-call(${op})`);
});
