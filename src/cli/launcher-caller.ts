/** The caller is a launcher in another process, at the other end of a connection. */
import { constants } from "node:os";
import { type CommandBegin, downKind } from "../spec/command-frame.ts";
import { type Caller, NotHere, type Terminal } from "./caller.ts";
import type { LauncherLink } from "./launcher-link.ts";
import type { Output } from "./output.ts";

const encoder = new TextEncoder();
const namesOfSignals = new Map(Object.entries(constants.signals).map(([name, number]) => [number as number, name]));

export function launcherCaller(link: LauncherLink, begin: CommandBegin): Caller {
  const terminal = launcherTerminal(link, begin);
  const caught = new Set<(signal: string) => void>();
  link.listen({
    signal: (number) => {
      const name = namesOfSignals.get(number);
      if (name !== undefined) for (const each of caught) each(name);
    },
    size: terminal.resized,
  });
  const refuse = (): never => {
    throw new NotHere();
  };
  return {
    env: begin.env,
    cwd: begin.cwd,
    stdout: outputOf(link, downKind.stdout),
    stderr: outputOf(link, downKind.stderr),
    stdin: () => link.input(),
    terminal: () => Promise.resolve(terminal),
    catchSignals(signals, each) {
      caught.add(each);
      link.sendLater(
        downKind.catch,
        Uint8Array.from(signals, (signal) => constants.signals[signal]),
      );
      return () => {
        caught.delete(each);
        link.sendLater(downKind.catch);
      };
    },
    readFile: refuse, // the caller's files are the caller's to read
    needOwnProcess: refuse,
    begin: (failure) => {
      link.send(downKind.began, Uint8Array.of(failure));
      link.flush(); // before anything is done: a launcher that has not read this runs the command again
    },
    passStream: (request, use) => link.passStream(request, use),
    keepResumable: (state) => link.sendLater(downKind.resumable, encoder.encode(JSON.stringify(state))),
  };
}

function outputOf(link: LauncherLink, kind: number): Output {
  return { write: (bytes) => link.output(kind, typeof bytes === "string" ? encoder.encode(bytes) : bytes) };
}

function launcherTerminal(
  link: LauncherLink,
  { terminals, rows, columns }: CommandBegin,
): Terminal & { readonly resized: (rows: number, columns: number) => void } {
  let size = { rows, columns };
  let changed: (() => void) | undefined;
  return {
    isTerminal: (fd) => terminals[fd],
    size: () => (size.rows > 0 && size.columns > 0 ? size : undefined),
    enterRawMode() {
      link.send(downKind.raw);
      return { restore: () => link.send(downKind.restore) };
    },
    onResize(each) {
      changed = each;
      link.send(downKind.watchSize);
      return () => {
        changed = undefined;
      };
    },
    resized(nowRows, nowColumns) {
      size = { rows: nowRows, columns: nowColumns };
      changed?.();
    },
  };
}
