import { expect, test } from "bun:test";
import type { Address, ByteStream } from "../client/byte-stream.ts";
import { connectAsUser } from "./connect-as-user.ts";

const own: Address = { kind: "unix", path: "/run/user/1000/orlop/orlop.sock" };
const roots: Address = { kind: "unix", path: "/run/orlop/orlop.sock" };

/** What connecting to each address gives: a stream, or the kernel's error. */
function connecting(answers: ReadonlyMap<Address, ByteStream | string>) {
  return async (address: Address): Promise<ByteStream> => {
    const answer = answers.get(address) ?? "ENOENT";
    if (typeof answer === "string") throw Object.assign(new Error(answer), { code: answer });
    return answer;
  };
}

const stream = {} as ByteStream;

test("a user in the group of root's socket uses root's engine, without naming it", async () => {
  expect(await connectAsUser(connecting(new Map([[roots, stream]])), roots)(own)).toBe(stream);
});

test("an engine of the user's own comes first", async () => {
  const other = {} as ByteStream;
  expect(
    await connectAsUser(
      connecting(
        new Map([
          [own, stream],
          [roots, other],
        ]),
      ),
      roots,
    )(own),
  ).toBe(stream);
});

test.each([
  ["there is no engine", new Map(), roots, "starting an engine needs root"],
  [
    "root's engine is not for this user",
    new Map([[roots, "EACCES"]]),
    roots,
    "/run/orlop/orlop.sock: permission denied (the socket is root's: use sudo",
  ],
  ["other folders were asked for", new Map([[roots, stream]]), undefined, "starting an engine needs root"],
])("%s: the message says so", async (_, answers, rootsEngine, message) => {
  expect(connectAsUser(connecting(answers), rootsEngine)(own)).rejects.toThrow(message);
});
