import { expect, test } from "bun:test";
import { parseMountInfo } from "../kernel/mountinfo.ts";
import { planHost } from "./host.ts";
import { planView } from "./view.ts";

// The state directory of Orlop is a directory of /data, where /data itself is seen once more.
const machine = `1 0 8:1 / / rw - ext4 /dev/a rw
2 1 8:2 / /data rw - ext4 /dev/b rw
3 1 8:2 /orlop /state rw - ext4 /dev/b rw
4 1 8:2 / /again rw - ext4 /dev/b rw
5 1 8:2 /other /other rw - ext4 /dev/b rw
`;

test("a layer that holds the container's changes under another name lies in an overlay of its own", () => {
  const mounts = parseMountInfo(machine);
  const root = planHost({
    view: { mounts, directoryAt: (path) => path },
    mountPoint: "/run/root",
    partPoint: "/run/part",
    upper: { kind: "directory", path: "/state/c1", volatile: false },
    hidden: ["/state"],
  });
  const overlays = planView(root, "read", "/run/view", mounts).flatMap((step) => (step.op === "overlay" ? [step] : []));
  const below = (place: string) => overlays.find(({ lowers }) => lowers[0] === place);
  // overlay refuses these beside an upper directory in them (ELOOP), and takes them alone
  for (const place of ["/data", "/again"]) expect(below(place)).toMatchObject({ upper: "" });
  for (const place of ["/", "/other"]) expect(below(place)).toBeUndefined();
});
