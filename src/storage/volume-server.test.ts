/** Names of file servers in a volume's options. */

import { expect, test } from "bun:test";
import { withoutPasswords, withServerAddress } from "./volume-server.ts";

const known: Readonly<Record<string, string>> = { files: "10.0.0.7", six: "fd00::7" };
const lookUp = async (name: string): Promise<string> => {
  const address = known[name];
  if (address === undefined) throw new Error(`getaddrinfo ENOTFOUND ${name}`);
  return address;
};

test.each([
  ["nfs", ":/srv", "addr=files,rw,nolock", "addr=10.0.0.7,rw,nolock"],
  ["nfs4", ":/srv", "rw,addr=six", "rw,addr=fd00::7"],
  ["nfs", ":/srv", "addr=192.168.0.1,vers=4", "addr=192.168.0.1,vers=4"],
  ["nfs", ":/srv", "addr=fd00::1", "addr=fd00::1"],
  ["nfs", "files:/srv", "vers=4", "vers=4"], // the kernel refuses it, as with Docker
  ["nfs", ":/srv", "clientaddr=files,addr=files", "clientaddr=files,addr=10.0.0.7"],
  ["cifs", "//files/share", "username=a,password=b", "username=a,password=b,addr=10.0.0.7"],
  ["cifs", "//unknown/share", "addr=files,username=a", "addr=10.0.0.7,username=a"],
  ["cifs", "//10.0.0.9/share", "", "addr=10.0.0.9"],
  ["tmpfs", "tmpfs", "addr=files", "addr=files"], // another file system's own affair
])("%s of %s with %s", async (type, device, o, expected) => {
  expect(await withServerAddress({ type, device, o }, lookUp)).toEqual({ type, device, o: expected });
});

test("a server that nobody knows is named", async () => {
  const failure = await withServerAddress({ type: "nfs", device: ":/x", o: "addr=nobody" }, lookUp).catch(
    (error: Error) => error.message,
  );
  expect(failure).toBe("error resolving passed in network volume address: nobody: getaddrinfo ENOTFOUND nobody");
});

test("passwords are not told", () => {
  expect(withoutPasswords("EINVAL: password=secret,x")).toBe("EINVAL: password=********,x");
  expect(withoutPasswords("pass=a b")).toBe("pass=******** b");
  expect(withoutPasswords("nopass=a")).toBe("nopass=a");
});
