import { expect } from "bun:test";
import { runContainer } from "./container.ts";
import { kernelTest } from "./harness.ts";

kernelTest("the default container runs", ["root", "executor", "busybox", "overlay"], async (scratch) => {
  const result = await runContainer(scratch, "echo out; echo err >&2; id; hostname; exit 7");
  expect(result).toEqual({ stdout: "out\nuid=0(root) gid=0 groups=0\nbox\n", stderr: "err\n", status: 7 << 8 });
});
