import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseMountInfo } from "../../src/kernel/mountinfo.ts";
import { type HostView, planHost } from "../../src/storage/host.ts";
import type { Upper } from "../../src/storage/upper.ts";
import { expectGolden } from "./golden.ts";

const machines = ["virtual-machine", "fedora-btrfs", "wsl", "inside-container", "systemd-v2"];

/** What is a directory on these machines: everything asked for but files and what the machine does not have. */
const absent = /^\/(etc\/|init$|var\/(lib\/(containerd|kubelet|rancher|crio|lx|incus|machines)|snap))/;

function viewOf(machine: string): HostView & { asked: string[] } {
  const mounts = parseMountInfo(readFileSync(join(import.meta.dir, "machines", `${machine}.mountinfo`), "utf8"));
  const asked: string[] = [];
  return {
    mounts,
    asked,
    directoryAt(path) {
      asked.push(path);
      return absent.test(path) ? undefined : path;
    },
  };
}

const directory: Upper = { kind: "directory", path: "/var/lib/orlop/containers/c1/root", volatile: false };
const memory: Upper = { kind: "tmpfs", mountPoint: "/run/orlop/upper" };

function planOn(view: HostView, upper: Upper) {
  return planHost({
    view,
    upper,
    mountPoint: "/run/orlop/root",
    partPoint: "/run/orlop/part",
    hidden: ["/var/lib/orlop", "/run/orlop"],
  });
}

test.each(machines)("the image host on %s", (machine) => {
  const plan = planOn(viewOf(machine), machine === "inside-container" ? memory : directory);
  expectGolden(`host-${machine}`, [...plan.prepare, ...plan.mount, ...plan.furnish]);
});

test("network and FUSE mounts, and what lies below them, are not even looked at", () => {
  const view = viewOf("fedora-btrfs");
  planOn(view, directory);
  expect(view.asked.filter((path) => path.startsWith("/mnt/nas") || path.startsWith("/run/user"))).toEqual([]);
});

test("every layer has a directory of its own, whose name a restart finds again", () => {
  const layers = (view: HostView) =>
    planOn(view, directory).prepare.flatMap((step) =>
      step.op === "mkdir" && step.path.endsWith("/upper") ? [step.path] : [],
    );
  const first = layers(viewOf("systemd-v2"));
  expect(first).toEqual(
    ["root", "home", "srv%2Fa%20b", "var"].map((name) => `/var/lib/orlop/containers/c1/root/${name}/upper`),
  );
  const view = viewOf("systemd-v2");
  expect(layers({ ...view, mounts: view.mounts.filter((mount) => mount.mountPoint !== "/home") })).toEqual(
    first.filter((path) => !path.includes("/home/")),
  );
});
