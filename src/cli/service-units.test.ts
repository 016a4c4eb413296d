import { expect, test } from "bun:test";
import { unitTexts } from "./service-units.ts";

const plain = {
  runDir: "/run/orlop",
  stateDir: "/var/lib/orlop",
  supervisor: ["/opt/orlop/orlop-executor", "supervisor", "/run/orlop"],
  program: ["/opt/orlop/orlop"],
  group: "orlop",
  link: undefined,
};

/** What the unit says for this key. */
function unitValue(text: string, key: string): string | undefined {
  return new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1];
}

test("the socket is for root and its group, in a directory that shows nothing", () => {
  const text = unitTexts(plain)["orlop.socket"];
  expect(
    ["ListenStream", "SocketMode", "SocketGroup", "DirectoryMode", "Symlinks"].map((key) => unitValue(text, key)),
  ).toEqual(["/run/orlop/orlop.sock", "0660", "orlop", "0711", undefined]);
  expect(unitValue(unitTexts({ ...plain, link: "/run/docker.sock" })["orlop.socket"], "Symlinks")).toBe(
    "/run/docker.sock",
  );
});

test("stopping the service ends the supervisor alone", () => {
  const text = unitTexts(plain)["orlop.service"];
  expect(unitValue(text, "KillMode")).toBe("process");
  expect(unitValue(text, "ExecStart")).toBe('"/opt/orlop/orlop-executor" "supervisor" "/run/orlop"');
});

test("a path is one word, whatever is in it: no specifier, no variable, no quote", () => {
  const odd = '/opt/a b%i$HOME"\\';
  const text = unitTexts({ ...plain, supervisor: [odd] })["orlop.service"];
  expect(unitValue(text, "ExecStart")).toBe('"/opt/a b%%i$$HOME\\"\\\\"');
});
