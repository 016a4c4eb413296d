import { expect, test } from "bun:test";
import { findWeightFile, ioFiles } from "./io-limits.ts";
import type { CgroupLayout } from "./layout.ts";

const v1: CgroupLayout = {
  v1: [{ mountPoint: "/cg/blkio", controllers: ["blkio"], name: undefined }],
  v2: undefined,
  ioWeightFile: "blkio.bfq.weight",
};
const v2: CgroupLayout = { v1: [], v2: { mountPoint: "/cg", controllers: ["io"] }, ioWeightFile: "io.weight" };
const disk = { major: 254, minor: 0 };
const limits = {
  weight: 300,
  weightDevice: [{ ...disk, weight: 10 }],
  throttleReadBpsDevice: [{ ...disk, rate: 1000 }],
  throttleWriteIOPSDevice: [{ ...disk, rate: 20 }],
};

test.each([
  [
    v1,
    [
      "blkio.bfq.weight=300",
      "blkio.bfq.weight_device=254:0 10",
      "blkio.throttle.read_bps_device=254:0 1000",
      "blkio.throttle.write_iops_device=254:0 20",
    ],
  ],
  [v2, ["io.weight=2930", "io.weight=254:0 1", "io.max=254:0 rbps=1000", "io.max=254:0 wiops=20"]],
])("weights and throttles (%#)", (layout, written) => {
  expect(ioFiles(layout, limits).map(({ file, value }) => `${file}=${value}`)).toEqual(written);
});

test("a weight is refused where no scheduler knows one; a throttle needs none", () => {
  const { ioWeightFile: _, ...without } = v1;
  expect(() => ioFiles(without, limits)).toThrow("a block I/O weight needs a kernel with the disk scheduler BFQ");
  expect(ioFiles(without, { throttleReadBpsDevice: [{ ...disk, rate: 1 }] })).toHaveLength(1);
});

test("the weight's file is found where it is", () => {
  const files = new Set(["/cg/blkio/orlop/blkio.weight", "/cg/orlop/io.bfq.weight"]);
  const read = (path: string) => (files.has(path) ? "100" : undefined);
  expect(findWeightFile(v1, "/orlop", read)).toBe("blkio.weight");
  expect(findWeightFile(v2, "/orlop", read)).toBe("io.bfq.weight");
  expect(findWeightFile(v2, "/other", read)).toBeUndefined();
});
