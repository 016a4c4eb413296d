/** Where the engine is looked for. */
import { expect, test } from "bun:test";
import { chosenAddress, defaultPlaces, formatAddress, parseAddress, socketOf } from "./address.ts";

test.each([
  ["unix:///run/orlop/orlop.sock", "unix:///run/orlop/orlop.sock"],
  ["/tmp/x.sock", "unix:///tmp/x.sock"],
  ["tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"],
  ["http://localhost:80/", "tcp://localhost:80"],
  ["tcp://[::1]:2375", "tcp://[::1]:2375"],
])("%s is %s", (text, address) => {
  expect(formatAddress(parseAddress(text, "--host"))).toBe(address);
});

test.each([
  "",
  "unix://",
  "unix://relative.sock",
  "relative.sock",
  "tcp://host",
  "tcp://host:0",
  "tcp://host:70000",
  "ssh://host",
  "tcp://u@h:1",
])("%j is no address", (text) => {
  expect(() => parseAddress(text, "--host")).toThrow(
    `invalid --host ${JSON.stringify(text)}: expected unix:///PATH or tcp://HOST:PORT`,
  );
});

const ours = "unix:///run/orlop/orlop.sock";

test.each([
  ["--host wins", "unix:///a.sock", { ORLOP_HOST: "unix:///b.sock", DOCKER_HOST: ours }, "unix:///a.sock"],
  ["then ORLOP_HOST", undefined, { ORLOP_HOST: "unix:///b.sock", DOCKER_HOST: ours }, "unix:///b.sock"],
  ["then DOCKER_HOST, where it names an Orlop socket", undefined, { DOCKER_HOST: ours }, ours],
  ["another engine's DOCKER_HOST is left alone", undefined, { DOCKER_HOST: "unix:///var/run/docker.sock" }, undefined],
  ["an empty ORLOP_HOST is none", undefined, { ORLOP_HOST: "" }, undefined],
])("%s", (_name, host, env, expected) => {
  const address = chosenAddress(host, env);
  expect(address === undefined ? undefined : formatAddress(address)).toBe(expected);
});

test("root has the system's folders", () => {
  expect(defaultPlaces({ HOME: "/root", XDG_DATA_HOME: "/elsewhere" }, 0)).toEqual({
    runDir: "/run/orlop",
    stateDir: "/var/lib/orlop",
  });
});

test("a user has XDG folders; a relative one counts as not set", () => {
  const env = { HOME: "/home/a", XDG_RUNTIME_DIR: "/run/user/1000", XDG_DATA_HOME: "relative" };
  expect(defaultPlaces(env, 1000)).toEqual({ runDir: "/run/user/1000/orlop", stateDir: "/home/a/.local/share/orlop" });
  expect(defaultPlaces({ HOME: "/home/a" }, 1000).runDir).toBe("/run/user/1000/orlop");
});

test("the socket of a run directory", () => {
  expect(formatAddress(socketOf("/run/orlop"))).toBe(ours);
});
