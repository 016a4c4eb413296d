/** The monitor's steps: log and exit record, its socket, the container's standard streams. Host side, before `spawn`. */

import type { Step } from "../kernel/step.ts";
import { encodeJsonFileAttributes } from "../spec/log-json-file.ts";

/** What the monitor does for the container, see the steps of these names. */
export interface MonitorInput {
  /** Listens here for control and attach connections. */
  readonly socketPath: string;
  /** wake: the supervisor's socket, which is notified when the container ends and no engine is connected; "" for none. */
  readonly exitRecord: { readonly path: string; readonly sync: boolean; readonly wake: string };
  readonly log:
    | {
        readonly driver: "json-file" | "local";
        readonly path: string;
        readonly maxSizeBytes: number;
        readonly maxFiles: number;
        readonly dropWhenSlow: boolean;
        readonly bufferBytes: number;
        /** Of json-file: each record has them. */
        readonly attributes: Readonly<Record<string, string>>;
      }
    | undefined;
  /** Which of stdin, stdout and stderr get pipes; with `process.terminal` they are the terminal. */
  readonly streams: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  /** Keep standard input open when a client half-closes (docker's StdinOnce = false). */
  readonly keepStdin: boolean;
}

const STREAM = { stdin: 1, stdout: 2, stderr: 4 } as const;
const KEEP_STDIN = 1;
const TERMINAL = 2;

export function planMonitor(monitor: MonitorInput, terminal: boolean): Step[] {
  const { log, streams, exitRecord } = monitor;
  const flags = (monitor.keepStdin ? KEEP_STDIN : 0) | (terminal ? TERMINAL : 0);
  const piped =
    (streams.stdin ? STREAM.stdin : 0) | (streams.stdout ? STREAM.stdout : 0) | (streams.stderr ? STREAM.stderr : 0);
  return [
    {
      op: "exit-record",
      path: exitRecord.path,
      sync: exitRecord.sync ? 1 : 0,
      wake: exitRecord.wake,
      why: "how and when it ended is known even if no engine was there to see it",
    },
    ...(log === undefined
      ? []
      : [
          {
            op: "log",
            driver: log.driver,
            path: log.path,
            maxSize: log.maxSizeBytes,
            maxFiles: log.maxFiles,
            flags: log.dropWhenSlow ? 1 : 0,
            buffer: log.bufferBytes,
            attributes: encodeJsonFileAttributes(log.attributes),
            why: "what it prints is kept, within bounds",
          } as const,
        ]),
    {
      op: "stdio",
      streams: piped,
      flags,
      why: terminal
        ? "it gets a terminal, whose other end the monitor holds"
        : "pipes to the monitor, /dev/null for the rest",
    },
    {
      op: "listen",
      path: monitor.socketPath,
      why: "clients attach here, and an engine that was restarted finds it again",
    },
  ];
}
