/** What the explanations of steps are made of: arguments as strace shows them, and sequences of calls that several steps have. */

import { attributeNames, propagationNames } from "./flag-names.ts";
import type { Step, StepName } from "./step.ts";

/** For each step, the system calls that it becomes, in order. */
export type Explanations = {
  readonly [N in StepName]: (step: Extract<Step, { readonly op: N }>) => readonly string[];
};

export const quote = (text: string) => JSON.stringify(text);
export const list = (texts: readonly string[]) => `[${texts.map(quote).join(", ")}]`;
export const octal = (mode: number | bigint) => `0${mode.toString(8)}`;

export const bytes = (name: Uint8Array) => quote(new TextDecoder().decode(name));

/** What is written: as text if it is short and printable, else its size. */
export function content(data: Uint8Array): string {
  const text = new TextDecoder().decode(data);
  return text.length <= 60 && /^[\x20-\x7e\n\t]*$/.test(text) ? quote(text) : `${data.length} bytes`;
}

/** Mounting a file system, detached (fsopen(2), Linux 5.2). */
export function fileSystem(
  fstype: string,
  source: string,
  attributes: number | bigint,
  options: readonly string[],
): string[] {
  return [
    `fsopen(${quote(fstype)}, FSOPEN_CLOEXEC)`,
    ...(source === "" ? [] : [`fsconfig(FSCONFIG_SET_STRING, "source", ${quote(source)})`]),
    ...options.map((option) => {
      const equals = option.indexOf("=");
      if (equals < 0) return `fsconfig(FSCONFIG_SET_FLAG, ${quote(option)})`;
      return `fsconfig(FSCONFIG_SET_STRING, ${quote(option.slice(0, equals))}, ${quote(option.slice(equals + 1))})`;
    }),
    "fsconfig(FSCONFIG_CMD_CREATE)",
    `fsmount(FSMOUNT_CLOEXEC, ${attributeNames(attributes)})`,
  ];
}

/** A detached copy of a mount (open_tree(2)). */
export function copyOf(
  source: string,
  flags: number | bigint,
  set: number | bigint,
  clear: number | bigint,
  propagation: number | bigint,
): string[] {
  const recursive = (BigInt(flags) & 1n) !== 0n ? "|AT_RECURSIVE" : "";
  const deep = (bit: bigint) => ((BigInt(flags) & bit) !== 0n ? "|AT_RECURSIVE" : "");
  const change = (bit: bigint, changes: readonly string[]) =>
    changes.length === 0 ? [] : [`mount_setattr(AT_EMPTY_PATH${deep(bit)}, {${changes.join(", ")}})`];
  return [
    (BigInt(flags) & 8n) === 0n
      ? `open_tree(${quote(source)}, OPEN_TREE_CLONE${recursive})`
      : "the mount that was held",
    ...change(2n, [
      ...(BigInt(set) === 0n ? [] : [`set=${attributeNames(set)}`]),
      ...(BigInt(clear) === 0n ? [] : [`clear=${attributeNames(clear)}`]),
    ]),
    ...change(4n, BigInt(propagation) === 0n ? [] : [`propagation=${propagationNames(propagation)}`]),
  ];
}

export const inRoot = (path: string) => `openat2(root, ${quote(path)}, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS)`;
export const attach = (target: string) => [inRoot(target), "move_mount(mount, target)"];
