/** The result of one check. */

/** missing: Orlop cannot work without it. warning: something will not work, or not as well. */
export type Level = "ok" | "warning" | "missing";

export interface Finding {
  readonly name: string;
  readonly level: Level;
  /** What was found, one line. */
  readonly found: string;
  /** What to do: a command if there is one. Present unless all is well. */
  readonly fix?: string;
}

export function ok(name: string, found: string): Finding {
  return { name, level: "ok", found };
}

export function warning(name: string, found: string, fix: string): Finding {
  return { name, level: "warning", found, fix };
}

export function missing(name: string, found: string, fix: string): Finding {
  return { name, level: "missing", found, fix };
}
