/** The columns of `ps`, formatted as procps does, for `docker top`. Pure: facts about the machine are passed in. */

import { CLOCK_TICKS, type ProcessFacts } from "../../kernel/process-facts.ts";

/** What a column may need besides the process. */
export interface PsSurroundings {
  readonly nowMs: number;
  readonly bootMs: number;
  readonly memoryKib: number;
  readonly userName: (uid: number) => string;
  readonly groupName: (gid: number) => string;
}

type Cell = (process: ProcessFacts, around: PsSurroundings) => string;

export interface Column {
  readonly title: string;
  readonly cell: Cell;
}

const startMs = ({ startTicks }: ProcessFacts, { bootMs }: PsSurroundings): number =>
  bootMs + (startTicks * 1000) / CLOCK_TICKS;

const elapsedSeconds: (process: ProcessFacts, around: PsSurroundings) => number = (process, around) =>
  Math.max(0, Math.floor((around.nowMs - startMs(process, around)) / 1000));

const cpuShare = (process: ProcessFacts, around: PsSurroundings): number => {
  const seconds = elapsedSeconds(process, around);
  return seconds === 0 ? 0 : (process.cpuTicks / CLOCK_TICKS / seconds) * 100;
};

const two = (value: number): string => String(value).padStart(2, "0");

/** "[DD-]HH:MM:SS". */
function longTime(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const clock = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return days > 0 ? `${days}-${clock}` : clock;
}

/** "MMM:SS", as `ps aux` has it. */
const shortTime = (seconds: number): string => `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;

/** "[[DD-]HH:]MM:SS". */
const elapsed = (seconds: number): string => (seconds < 3600 ? longTime(seconds).slice(3) : longTime(seconds));

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const days = "Sun Mon Tue Wed Thu Fri Sat".split(" ");

/** The time for today, the day for this year, else the year. */
const started: Cell = (process, around) => {
  const at = new Date(startMs(process, around));
  const now = new Date(around.nowMs);
  if (at.getFullYear() !== now.getFullYear()) return String(at.getFullYear());
  if (at.toDateString() !== now.toDateString()) return `${months[at.getMonth()]}${two(at.getDate())}`;
  return `${two(at.getHours())}:${two(at.getMinutes())}`;
};

const startedInFull: Cell = (process, around) => {
  const at = new Date(startMs(process, around));
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  return `${days[at.getDay()]} ${months[at.getMonth()]} ${String(at.getDate()).padStart(2)} ${clock} ${at.getFullYear()}`;
};

/** Unix 98 pseudo-terminals have the majors 136 to 143; virtual consoles 4. */
const terminal: Cell = ({ tty }) => {
  if (tty === 0) return "?";
  const major = (tty >> 8) & 0xfff;
  const minor = (tty & 0xff) | ((tty >>> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  return major === 4 && minor < 64 ? `tty${minor}` : `${major}:${minor}`;
};

const stat: Cell = ({ state, nice, sid, pid, threads, foreground, pgid, isLocked }) =>
  [
    state,
    nice < 0 ? "<" : "",
    nice > 0 ? "N" : "",
    isLocked ? "L" : "",
    sid === pid ? "s" : "",
    threads > 1 ? "l" : "",
    foreground === pgid ? "+" : "",
  ].join("");

const command: Cell = ({ commandLine, comm, state }) =>
  commandLine !== "" ? commandLine : state === "Z" ? `[${comm}] <defunct>` : `[${comm}]`;

const cpuSeconds = ({ cpuTicks }: ProcessFacts): number => Math.floor(cpuTicks / CLOCK_TICKS);
const user: Cell = ({ uid }, { userName }) => userName(uid);
const group: Cell = ({ gid }, { groupName }) => groupName(gid);
const percentOfMemory: Cell = ({ residentKib }, { memoryKib }) => ((residentKib / memoryKib) * 100).toFixed(1);
const column = (title: string, cell: Cell): Column => ({ title, cell });

/** By the names that `-o` takes. */
export const psColumns: Readonly<Record<string, Column>> = {
  pid: column("PID", ({ pid }) => String(pid)),
  ppid: column("PPID", ({ ppid }) => String(ppid)),
  pgid: column("PGID", ({ pgid }) => String(pgid)),
  pgrp: column("PGRP", ({ pgid }) => String(pgid)),
  sid: column("SID", ({ sid }) => String(sid)),
  sess: column("SESS", ({ sid }) => String(sid)),
  tgid: column("TGID", ({ pid }) => String(pid)),
  user: column("USER", user),
  euser: column("EUSER", user),
  uname: column("USER", user),
  uid: column("UID", ({ uid }) => String(uid)),
  euid: column("EUID", ({ uid }) => String(uid)),
  group: column("GROUP", group),
  egroup: column("EGROUP", group),
  gid: column("GID", ({ gid }) => String(gid)),
  egid: column("EGID", ({ gid }) => String(gid)),
  comm: column("COMMAND", ({ comm, state }) => (state === "Z" ? `${comm} <defunct>` : comm)),
  ucmd: column("CMD", ({ comm }) => comm),
  args: column("COMMAND", command),
  command: column("COMMAND", command),
  cmd: column("CMD", command),
  c: column("C", (process, around) => String(Math.min(99, Math.floor(cpuShare(process, around))))),
  pcpu: column("%CPU", (process, around) => cpuShare(process, around).toFixed(1)),
  "%cpu": column("%CPU", (process, around) => cpuShare(process, around).toFixed(1)),
  pmem: column("%MEM", percentOfMemory),
  "%mem": column("%MEM", percentOfMemory),
  vsz: column("VSZ", ({ virtualKib }) => String(virtualKib)),
  vsize: column("VSZ", ({ virtualKib }) => String(virtualKib)),
  rss: column("RSS", ({ residentKib }) => String(residentKib)),
  rssize: column("RSS", ({ residentKib }) => String(residentKib)),
  tty: column("TT", terminal),
  tt: column("TT", terminal),
  tname: column("TTY", terminal),
  stat: column("STAT", stat),
  state: column("S", ({ state }) => state),
  s: column("S", ({ state }) => state),
  time: column("TIME", (process) => longTime(cpuSeconds(process))),
  cputime: column("TIME", (process) => longTime(cpuSeconds(process))),
  bsdtime: column("TIME", (process) => shortTime(cpuSeconds(process))),
  etime: column("ELAPSED", (process, around) => elapsed(elapsedSeconds(process, around))),
  etimes: column("ELAPSED", (process, around) => String(elapsedSeconds(process, around))),
  stime: column("STIME", started),
  start_time: column("START", started),
  bsdstart: column("START", started),
  lstart: column("STARTED", startedInFull),
  ni: column("NI", ({ nice }) => String(nice)),
  nice: column("NI", ({ nice }) => String(nice)),
  pri: column("PRI", ({ priority }) => String(39 - priority)),
  priority: column("PRI", ({ priority }) => String(priority)),
  nlwp: column("NLWP", ({ threads }) => String(threads)),
  thcount: column("THCNT", ({ threads }) => String(threads)),
};

const named = (name: string, title?: string): Column => {
  const found = psColumns[name] as Column;
  return title === undefined ? found : { ...found, title };
};

/** `ps -f`. */
export const fullFormat: readonly Column[] = [
  named("user", "UID"),
  ...["pid", "ppid", "c", "stime"].map((name) => named(name)),
  ...["tname", "time", "cmd"].map((name) => named(name)),
];

/** `ps u`. */
export const userFormat: readonly Column[] = [
  ...["user", "pid", "%cpu", "%mem", "vsz", "rss", "tname", "stat", "bsdstart", "bsdtime", "args"].map((name) =>
    named(name),
  ),
];

/** `ps`, with dash options and without. */
export const shortFormat: readonly Column[] = ["pid", "tname", "time", "ucmd"].map((name) => named(name));
export const bsdFormat: readonly Column[] = [
  ...["pid", "tname", "stat", "bsdtime"].map((name) => named(name)),
  named("args"),
];
