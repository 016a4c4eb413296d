/** Pulls an image for a command, with its progress on the given output. */

import { authFor } from "../client/registry-auth.ts";
import { tagToPull } from "../client/tag-to-pull.ts";
import type { Caller } from "./caller.ts";
import type { CliContext } from "./context.ts";
import { showProgress } from "./show-progress.ts";

export interface PullFlags {
  readonly platform?: string | undefined;
  readonly quiet: boolean;
}

/** @param where standard output (1) or error (2) */
export async function pullImage(
  context: CliContext,
  image: string,
  { platform, quiet }: PullFlags,
  where: 1 | 2,
): Promise<void> {
  const tag = tagToPull(image);
  const messages = context.engine.images.pull(image, {
    ...(tag === undefined ? {} : { tag }),
    ...(platform === undefined ? {} : { platform }),
    ...(await authFor(image, context.env)),
  });
  if (quiet) for await (const _ of messages);
  else await showProgress(messages, where === 1 ? context.stdout : context.stderr, await columnsOf(context, where));
}

/** The width of the terminal; undefined when there is none. */
export async function columnsOf(caller: Caller, fd: 1 | 2): Promise<number | undefined> {
  const terminal = await caller.terminal();
  return terminal.isTerminal(fd) ? (terminal.size()?.columns ?? 80) : undefined;
}
