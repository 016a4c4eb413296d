/** A container's id: 64 lower-case hexadecimal digits, random. */
export type ContainerId = string & { readonly brand: "ContainerId" };

/** A fresh container id: 256 random bits. */
export function newContainerId(): ContainerId {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex") as ContainerId;
}

/** What Docker allows as a name. */
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Whether this can be a container's, volume's or network's name: at least two characters, as Docker has it. */
export function isName(text: string): boolean {
  return namePattern.test(text) && text.length <= 255;
}
