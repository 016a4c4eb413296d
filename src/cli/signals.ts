/** Signals that are passed on to a container. */
import type { Caller } from "./caller.ts";

/**
 * Every signal that has a name here and can be caught, but: CHLD, URG, WINCH and PIPE, which are about this process; TTIN and
 * TTOU, which the terminal sends to whoever may not use it; SEGV and its like, which are our own faults; PROF, VTALRM and PWR,
 * which the JavaScript engine may use.
 */
const passedOn = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGTERM",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGCONT",
  "SIGTSTP",
  "SIGIO",
  "SIGXCPU",
  "SIGXFSZ",
] as const;

/** Catches signals and gives each to `send`. Those that come before `open` wait, so that none is lost to a container that
 *  has not started yet. */
export function proxySignals(
  caller: Caller,
  send: (signal: string) => Promise<void>,
): {
  readonly open: () => void;
  readonly stop: () => void;
} {
  let waiting: string[] | undefined = [];
  let sending = Promise.resolve();
  const pass = (signal: string) => {
    // One after the other, so that they arrive in order.
    sending = sending.then(() => send(signal)).catch(() => undefined); // told by `send`, unless nobody is there to be told
  };
  const caught = (signal: string) => {
    if (waiting === undefined) pass(signal);
    else waiting.push(signal);
  };
  const stop = caller.catchSignals(passedOn, caught);
  return {
    open: () => {
      for (const signal of waiting ?? []) pass(signal);
      waiting = undefined;
    },
    stop,
  };
}
