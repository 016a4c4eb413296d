/**
 * Who a container's process runs as: the `user` of an image or of `--user`, looked up in the container's own /etc/passwd
 * and /etc/group. Pure; the files come in as text (`accountFiles` says which steps read them).
 *
 * Numbers stay numbers: one that is out of range is an error and never a name.
 */

import { OrlopError } from "../base/errors.ts";
import { AccountLines } from "./account-lines.ts";

/** The content of the two files; "" for a missing one. */
export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups: the primary one first, as Docker has it, then the image's, then those that were added. */
  readonly additionalGids: readonly number[];
  /** HOME, if the environment does not set it. */
  readonly home: string;
}

/** Larger files are refused. */
export const ACCOUNT_FILE_MAX_BYTES = 10 * 1024 * 1024;

/** 2^32-1 means "no id" to the kernel. */
const ID_MAX = 2 ** 32 - 2;
/** The kernel's. */
const GROUPS_MAX = 65536;

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/**
 * @param user    "", "NAME", "UID", "NAME:GROUP", "UID:GID" …
 * @param added   `--group-add`: names or numbers
 * @throws {OrlopError} bad_value: out of range, empty, or no such user or group
 */
export function resolveUser(user: string, added: readonly string[], accounts: Accounts): ResolvedUser {
  const colon = user.indexOf(":");
  const userPart = colon < 0 ? user : user.slice(0, colon);
  const groupPart = colon < 0 ? undefined : user.slice(colon + 1);
  const { group } = accounts;
  const entry = findUser(userPart === "" ? "0" : userPart, accounts.passwd);
  const hasGroup = groupPart !== undefined && groupPart !== "";
  const gid = hasGroup ? findGroup(groupPart, group) : entry.gid;
  // With an explicit group, the user's supplementary groups do not count (as in runc).
  const own = hasGroup ? [] : groupsOf(entry.name, group);
  const more = added.map((name) => findGroup(name, group));
  const additionalGids = [...new Set([gid, ...own, ...more])];
  if (additionalGids.length > GROUPS_MAX)
    throw OrlopError.of("bad_value", {
      what: "group",
      value: `${additionalGids.length} groups of ${user || "root"}`,
      expected: `at most ${GROUPS_MAX}`,
    });
  return { uid: entry.uid, gid, additionalGids, home: entry.home };
}

/** Whether the files are needed: with numbers for both, they only give HOME and names. */
export function needsAccounts(user: string, added: readonly string[]): boolean {
  return !/^\d+:\d+$/.test(user) || added.some((name) => !isNumber(name));
}

/** name:password:uid:gid:gecos:home:shell */
function findUser(text: string, passwd: string): PasswdEntry {
  const uid = isNumber(text) ? parseId("user", text) : undefined;
  for (const lines = new AccountLines(passwd); lines.next(4); ) {
    if (lines.is(0, "") || (uid === undefined ? !lines.is(0, text) : lines.number(2) !== uid)) continue;
    const found = { name: lines.field(0), uid: lines.number(2), gid: lines.number(3), home: lines.field(5) || "/" };
    if (isId(found.uid) && isId(found.gid)) return found;
  }
  if (uid !== undefined) return { name: "", uid, gid: 0, home: "/" };
  throw OrlopError.of("no_such_user", { user: text });
}

/** name:password:gid:member,member */
function findGroup(text: string, group: string): number {
  if (isNumber(text)) return parseId("group", text);
  for (const lines = new AccountLines(group); lines.next(3); )
    if (lines.is(0, text) && text !== "" && isId(lines.number(2))) return lines.number(2);
  throw OrlopError.of("no_such_group", { group: text });
}

function groupsOf(name: string, group: string): number[] {
  const found: number[] = [];
  for (const lines = new AccountLines(group); name !== "" && lines.next(4); )
    if (lines.lists(3, name) && !lines.is(0, "") && isId(lines.number(2))) found.push(lines.number(2));
  return found;
}

function isId(value: number): boolean {
  return value <= ID_MAX;
}

function isNumber(text: string): boolean {
  return /^[+-]?\d+$/.test(text);
}

function parseId(what: string, text: string): number {
  const id = Number(text);
  if (!/^\d+$/.test(text) || id > ID_MAX)
    throw OrlopError.of("bad_value", { what, value: text, expected: `a number from 0 to ${ID_MAX}` });
  return id;
}
