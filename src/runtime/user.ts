/**
 * Who a container's process runs as: the `user` of an image or of `--user`, looked up in the container's own /etc/passwd
 * and /etc/group. Pure; the files come in as text (`accountFiles` says which steps read them).
 *
 * Numbers stay numbers: one that is out of range is an error and never a name.
 */

import { OrlopError } from "../base/errors.ts";
import { rememberLast } from "../base/remember-last.ts";

/** The content of the two files; "" for one that is not there. */
export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups: the primary one first, as Docker has it, then the image's, then those that were added. */
  readonly additionalGids: readonly number[];
  /** For the environment, where it says nothing of HOME. */
  readonly home: string;
}

/** Files over this size are refused (posture, "user parsing"). */
export const ACCOUNT_FILE_MAX_BYTES = 10 * 1024 * 1024;

/** 2^32-1 means "no id" to the kernel. */
const ID_MAX = 2 ** 32 - 2;

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
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
  const groups = parseGroup(accounts.group);
  const entry = findUser(userPart === "" ? "0" : userPart, parsePasswd(accounts.passwd));
  const hasGroup = groupPart !== undefined && groupPart !== "";
  const gid = hasGroup ? findGroup(groupPart, groups) : entry.gid;
  // A group that is named stands alone: membership counts only where the user's own groups are meant (as in runc).
  const own =
    hasGroup || entry.name === "" ? [] : groups.filter((group) => group.members.includes(entry.name)).map((g) => g.gid);
  const more = added.map((name) => findGroup(name, groups));
  return { uid: entry.uid, gid, additionalGids: [...new Set([gid, ...own, ...more])], home: entry.home };
}

/** Whether the answer can depend on the files at all: with numbers for both, only HOME and names could come from them. */
export function needsAccounts(user: string, added: readonly string[]): boolean {
  return !/^\d+:\d+$/.test(user) || added.some((name) => !isNumber(name));
}

function findUser(text: string, entries: readonly PasswdEntry[]): PasswdEntry {
  if (isNumber(text)) {
    const uid = parseId("user", text);
    return entries.find((entry) => entry.uid === uid) ?? { name: "", uid, gid: 0, home: "/" };
  }
  const entry = entries.find(({ name }) => name === text);
  if (entry === undefined)
    throw OrlopError.of("bad_value", { what: "user", value: text, expected: "a number, or a name in its /etc/passwd" });
  return entry;
}

function findGroup(text: string, entries: readonly GroupEntry[]): number {
  if (isNumber(text)) return parseId("group", text);
  const entry = entries.find(({ name }) => name === text);
  if (entry === undefined)
    throw OrlopError.of("bad_value", { what: "group", value: text, expected: "a number, or a name in its /etc/group" });
  return entry.gid;
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

/** name:password:uid:gid:gecos:home:shell. A line that is not like this is skipped, as getpwent(3) does. */
const parsePasswd = rememberLast((text: string): readonly PasswdEntry[] =>
  fieldsOf(text).flatMap(([name = "", , uid = "", gid = "", , home = ""]) =>
    name !== "" && isId(uid) && isId(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home: home || "/" }] : [],
  ),
);

/** name:password:gid:member,member */
const parseGroup = rememberLast((text: string): readonly GroupEntry[] =>
  fieldsOf(text).flatMap(([name = "", , gid = "", members = ""]) =>
    name !== "" && isId(gid)
      ? [{ name, gid: Number(gid), members: members.split(",").map((member) => member.trim()) }]
      : [],
  ),
);

function fieldsOf(text: string): string[][] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#") && !line.includes("\0"))
    .map((line) => line.split(":"));
}

function isId(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= ID_MAX;
}
