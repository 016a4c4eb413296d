import { expect, test } from "bun:test";
import { hostDevices } from "./machine-facts.ts";

test("the host's devices come with their numbers and modes, without terminals, memory and the console", () => {
  const devices = hostDevices("/dev");
  expect(devices).toContainEqual({ type: "c", path: "/dev/null", major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 });
  const paths = devices.map((device) => device.path);
  expect(paths.filter((path) => /^\/dev\/(pts|ptmx|shm|mqueue|fd|console)/.test(path))).toEqual([]);
});
