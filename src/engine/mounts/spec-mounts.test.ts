/** Binds, Mounts, Tmpfs, Volumes and VolumesFrom of a create body. */

import { expect, test } from "bun:test";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { testPlaces } from "../fixture-machine.ts";
import { type MountPoint, mountOf } from "./mount-point.ts";
import { mountsOf, withMounts } from "./spec-mounts.ts";

const lent: readonly MountPoint[] = [
  {
    type: "volume",
    name: "kept",
    anonymous: false,
    destination: "/lent",
    readonly: false,
    mode: "z",
    copyUp: true,
    subpath: "",
  },
];
const asked = (fields: Record<string, unknown>, Volumes: Record<string, object> = {}) =>
  mountsOf(parseContainerCreate({ HostConfig: fields }).HostConfig, Object.keys(Volumes), () => lent);
const mounts = (fields: Record<string, unknown>) =>
  asked(fields).map((point) => mountOf(point as MountPoint, testPlaces));

test.each([
  ["/a:/b", { source: "/a", destination: "/b", options: ["rbind", "rprivate"] }],
  ["/a/:/b:ro", { source: "/a", destination: "/b", options: ["rbind", "rprivate", "rro"] }],
  ["/a:/b/./c/:rslave,rw", { source: "/a", destination: "/b/c", options: ["rbind", "rslave"] }],
  ["/a:/../b:rshared", { source: "/a", destination: "/b", options: ["rbind", "rshared"] }],
  ["data:/b", { source: "/volumes/data", destination: "/b", options: ["rbind", "rprivate"] }],
  ["data:/b:ro,nocopy,z", { source: "/volumes/data", destination: "/b", options: ["rbind", "rprivate", "rro"] }],
])("-v %s", (text, expected) => {
  expect(mounts({ Binds: [text] })).toEqual([{ type: "bind", ...expected }]);
});

test("-v makes a missing source, --mount refuses it unless it may be made", () => {
  const sources = asked({
    Binds: ["/a:/a"],
    Mounts: [
      { Type: "bind", Source: "/a", Target: "/b" },
      { Type: "bind", Source: "/a", Target: "/c", BindOptions: { CreateMountpoint: true } },
    ],
  });
  expect(sources.map((point) => point.type === "bind" && point.missingSource)).toEqual(["make", "refuse", "make"]);
});

test.each([
  [{}, ["rbind", "rprivate", "rro"]],
  [{ NonRecursive: true }, ["bind", "rprivate", "ro"]],
  [{ ReadOnlyNonRecursive: true }, ["rbind", "rprivate", "ro"]],
  [{ ReadOnlyForceRecursive: true }, ["rbind", "rprivate", "rro"]],
  [{ Propagation: "slave" }, ["rbind", "slave", "rro"]],
])("a read-only bind with %j", (BindOptions, options) => {
  expect(mounts({ Mounts: [{ Type: "bind", Source: "/a", Target: "/b", ReadOnly: true, BindOptions }] })).toMatchObject(
    [{ options }],
  );
});

test("a volume has a name or none, is copied up unless it says no, and may be one of its directories", () => {
  const points = asked(
    {
      VolumeDriver: "local",
      Binds: ["/one", "two:/two:nocopy"],
      Mounts: [
        {
          Target: "/three",
          VolumeOptions: { NoCopy: true, Labels: { a: "b" }, DriverConfig: { Options: { o: "ro" } } },
        },
        { Type: "volume", Source: "four", Target: "/four", VolumeOptions: { Subpath: "a/b" } },
      ],
    },
    { "/five": {}, "six/": {}, "/one": {} },
  );
  const shown = points.map((point) =>
    point.type === "volume"
      ? [point.destination, point.name, point.anonymous, point.copyUp, point.subpath, point.mode]
      : point.type,
  );
  expect(shown).toEqual([
    ["/one", "", true, true, "", "z"],
    ["/two", "two", false, false, "", "nocopy"],
    ["/three", "", true, false, "", "z"],
    ["/four", "four", false, false, "a/b", "z"],
    ["/five", "", true, true, "", ""],
    ["/six", "", true, true, "", ""],
  ]);
  expect(points[2]?.making).toEqual({ driver: "local", options: { o: "ro" }, labels: { a: "b" } });
});

test("what another container has comes too, read-only if asked, behind what is asked for itself", () => {
  const from = (VolumesFrom: string[], more: Record<string, unknown> = {}) =>
    asked({ VolumesFrom, ...more }).map(({ destination, readonly, type }) => [type, destination, readonly]);
  expect(from(["other"])).toEqual([["volume", "/lent", false]]);
  expect(from(["other:ro"], { Tmpfs: { "/x": "" } })).toEqual([
    ["tmpfs", "/x", false],
    ["volume", "/lent", true],
  ]);
  expect(from(["other:z"], { Binds: ["/a:/lent"] })).toEqual([["bind", "/lent", false]]);
});

test("a tmpfs is closed to programs, set-user-ID and devices unless opened", () => {
  expect(mounts({ Tmpfs: { "/run": "size=64m,exec" } })[0]).toMatchObject({
    type: "tmpfs",
    options: ["noexec", "nosuid", "nodev", "size=64m", "exec"],
  });
  const TmpfsOptions = { SizeBytes: 4096, Mode: 0o700, Options: [["uid", "7"], ["exec"]] };
  const [mount] = mounts({ Mounts: [{ Type: "tmpfs", Target: "/x", ReadOnly: true, TmpfsOptions }] });
  expect(mount?.options).toEqual(["noexec", "nosuid", "nodev", "ro", "size=4096", "mode=700", "uid=7", "exec"]);
});

test("a directory is mounted before what lies below it", () => {
  expect(mounts({ Binds: ["/x:/a/b/c", "/y:/a"] }).map((mount) => mount.destination)).toEqual(["/a", "/a/b/c"]);
});

test("what was asked for takes the place of a default", () => {
  const merged = withMounts(
    [{ destination: "/dev/shm", type: "tmpfs" }, { destination: "/sys" }],
    mounts({ Tmpfs: { "/dev/shm": "" } }),
  );
  expect(merged.map((mount) => mount.destination)).toEqual(["/sys", "/dev/shm"]);
});

const bind = (BindOptions: object, more: object = {}) => ({
  Mounts: [{ Type: "bind", Source: "/a", Target: "/b", BindOptions, ...more }],
});

// Docker's words (dockerd 20.10), but for what it lets through.
test.each([
  [{ Binds: [""] }, "invalid volume specification: ''"],
  [{ Binds: ["/a:/b:ro:x"] }, "invalid volume specification: '/a:/b:ro:x'"],
  [{ Binds: ["ab:/b:sticky"] }, "invalid mode: sticky: expected ro or rw"],
  [{ Binds: ["ab:/b:ro,rw"] }, "invalid mode: ro,rw"],
  [
    { Binds: ["a:b"] },
    `invalid volume specification: 'a:b': invalid mount config for type "volume": invalid mount path: 'b' mount path must be absolute`,
  ],
  [
    { Binds: ["ab:/b:rshared"] },
    `invalid volume specification: 'ab:/b:rshared': invalid mount config for type "volume": field BindOptions must not be specified`,
  ],
  [{ Binds: ["/x:/x:nocopy"] }, `invalid mount config for type "bind": field VolumeOptions must not be specified`],
  [{ Binds: ["ab:/"] }, "invalid specification: destination can't be '/'"],
  [{ Binds: ["/a:/x"], Tmpfs: { "/x/": "" } }, "Duplicate mount point: /x"],
  [{ Binds: ["/a:/x"], Mounts: [{ Target: "/x" }] }, "Duplicate mount point: /x"],
  [{ Tmpfs: { "/x": "uid=me" } }, 'invalid option of the tmpfs on /x "uid=me"'],
  [{ Tmpfs: { x: "" } }, "invalid mount path: 'x' mount path must be absolute"],
  [{ Binds: ["/a:/b:rshared", "data:/b/c"] }, 'invalid mount config for type "volume": /b/c lies below /b'],
  [{ VolumesFrom: ["other:foo"] }, "invalid mode: foo"],
  [{ VolumesFrom: [":ro"] }, "invalid mode: :ro"],
  [{ Mounts: [{ Type: "npipe", Target: "/b" }] }, 'invalid mount config for type "npipe": mount type unknown'],
  [{ Mounts: [{ Type: "cluster", Target: "/b" }] }, "a mount of type cluster is not supported"],
  [
    { Mounts: [{ Type: "bind", Target: "/b" }] },
    'invalid mount config for type "bind": field Source must not be empty',
  ],
  [{ Mounts: [{ Type: "bind", Source: "a", Target: "/b" }] }, "invalid mount path: 'a' mount path must be absolute"],
  [{ Mounts: [{ Type: "volume" }] }, 'invalid mount config for type "volume": field Target must not be empty'],
  [{ Mounts: [{ Target: "/x", BindOptions: {} }] }, "field BindOptions must not be specified"],
  [{ Mounts: [{ Type: "tmpfs", Source: "x", Target: "/x" }] }, "field Source must not be specified"],
  [
    { Mounts: [{ Source: "ab", Target: "/x", VolumeOptions: { Subpath: "../b" } }] },
    "a relative path within the volume",
  ],
  [{ Mounts: [{ Target: "/x", VolumeOptions: { Subpath: "b" } }] }, "needs a volume with a name"],
  [bind({ ReadOnlyNonRecursive: true }), "ReadOnlyNonRecursive needs ReadOnly"],
  [bind({ ReadOnlyForceRecursive: true, NonRecursive: true }, { ReadOnly: true }), "contradicts NonRecursive"],
])("%j is refused", (fields, message) => {
  expect(() => mounts(fields)).toThrow(message);
});
