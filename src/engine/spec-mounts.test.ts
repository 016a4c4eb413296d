/** Binds, mounts and tmpfs. */

import { expect, test } from "bun:test";
import { hostConfig } from "../spec/engine-api-host-config.ts";
import { mountsOf, withMounts } from "./spec-mounts.ts";

const mounts = (fields: Record<string, unknown>) => mountsOf(hostConfig(fields, "HostConfig"));

test.each([
  ["/a:/b", { source: "/a", destination: "/b", options: ["rbind", "rprivate"] }],
  ["/a:/b:ro", { source: "/a", destination: "/b", options: ["rbind", "rprivate", "ro"] }],
  ["/a:/b/./c/:rslave,rw", { source: "/a", destination: "/b/c", options: ["rbind", "rslave"] }],
])("-v %s", (text, expected) => {
  expect(mounts({ Binds: [text] })).toEqual([{ type: "bind", missingSource: "make", ...expected }]);
});

test("a mount of type bind refuses a missing source, unless it may be made", () => {
  const [plain, made] = mounts({
    Mounts: [
      { Type: "bind", Source: "/a", Target: "/b", ReadOnly: true, BindOptions: { NonRecursive: true } },
      { Type: "bind", Source: "/a", Target: "/c", BindOptions: { CreateMountpoint: true } },
    ],
  });
  expect(plain).toMatchObject({ options: ["bind", "rprivate", "ro"], missingSource: "refuse" });
  expect(made?.missingSource).toBe("make");
});

test("a tmpfs is closed to programs, set-user-ID and devices unless opened", () => {
  expect(mounts({ Tmpfs: { "/run": "size=64m,exec" } })[0]).toMatchObject({
    type: "tmpfs",
    options: ["noexec", "nosuid", "nodev", "size=64m", "exec"],
  });
  const [mount] = mounts({ Mounts: [{ Type: "tmpfs", Target: "/x", TmpfsOptions: { SizeBytes: 4096, Mode: 0o700 } }] });
  expect(mount?.options).toEqual(["noexec", "nosuid", "nodev", "size=4096", "mode=700"]);
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
  expect(merged.every((mount) => !("missingSource" in mount))).toBe(true);
});

test.each([
  [{ Binds: ["/a"] }, "expected SOURCE:TARGET"],
  [{ Binds: ["data:/b"] }, "the named volume data is not supported"],
  [{ Binds: ["/a:/b:sticky"] }, 'invalid option of HostConfig.Binds "/a:/b:sticky" "sticky"'],
  [{ Binds: ["/a:/b:rshared"] }, "rshared"],
  [{ Binds: ["/a:b"] }, 'invalid mount path "b"'],
  [{ Binds: ["/a:/../b"] }, 'invalid mount path "/../b"'],
  [{ Binds: ["/a:/"] }, 'invalid mount path "/"'],
  [{ Binds: ["/a:/x"], Tmpfs: { "/x/": "" } }, "Duplicate mount point: /x"],
  [{ Tmpfs: { "/x": "uid=me" } }, 'invalid option of the tmpfs on /x "uid=me"'],
  [{ Mounts: [{ Type: "bind", Source: "a", Target: "/b" }] }, 'invalid HostConfig.Mounts[0].Source "a"'],
  [{ Mounts: [{ Type: "tmpfs", Source: "/a", Target: "/b" }] }, "expected no source"],
  [
    { Mounts: [{ Type: "bind", Source: "/a", Target: "/b", BindOptions: { Propagation: "shared" } }] },
    "Propagation=shared",
  ],
])("%j is refused", (fields, message) => {
  expect(() => mounts(fields)).toThrow(message);
});
