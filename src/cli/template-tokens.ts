/** The words of a Go template (text/template): what stands outside `{{ }}`, and inside. Pure. */
import { TemplateFault } from "./template-fault.ts";

export type Token = {
  /** White space stands before it: `$x .A` are two values, `$x.A` is one. */
  readonly isApart: boolean;
} & (
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "open" | "close" }
  | { readonly kind: "constant"; readonly value: string | number }
  /** `.A.B`; the dot alone has no names. */
  | { readonly kind: "field"; readonly names: readonly string[] }
  | { readonly kind: "variable" | "word" | "mark"; readonly text: string }
);

/** @throws {TemplateFault} */
export function tokensOf(template: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let isTrimmed = false;
  while (at < template.length) {
    const open = template.indexOf("{{", at);
    const end = open === -1 ? template.length : open;
    const trimsBefore = /^\{\{-\s/.test(template.slice(open, open + 4));
    let text = template.slice(at, end);
    if (isTrimmed) text = text.trimStart();
    if (open !== -1 && trimsBefore) text = text.trimEnd();
    if (text !== "") tokens.push({ kind: "text", text, isApart: false });
    if (open === -1) break;
    ({ at, isTrimmed } = readAction(template, open + (trimsBefore ? 3 : 2), tokens));
  }
  return tokens;
}

/** From behind `{{` to behind `}}`. A comment gives no tokens. */
function readAction(template: string, from: number, tokens: Token[]): { at: number; isTrimmed: boolean } {
  const comment = matchAt(/\s*\/\*[\s\S]*?\*\/(\s+-)?\s*\}\}/y, template, from);
  if (comment !== undefined) return { at: from + comment[0].length, isTrimmed: comment[1] !== undefined };
  tokens.push({ kind: "open", isApart: false });
  let at = from;
  let isApart = true;
  for (;;) {
    const close = matchAt(/(\s+-)?\}\}/y, template, at);
    if (close !== undefined) {
      tokens.push({ kind: "close", isApart });
      return { at: at + close[0].length, isTrimmed: close[1] !== undefined };
    }
    const space = matchAt(/\s+/y, template, at);
    if (space !== undefined) {
      at += space[0].length;
      isApart = true;
      continue;
    }
    if (at >= template.length) throw new TemplateFault("a {{ has no }} behind it");
    const { token, length } = readToken(template, at, isApart);
    tokens.push(token);
    at += length;
    isApart = false;
  }
}

const patterns = {
  quoted: /"(?:[^"\\\n]|\\.)*"/y,
  raw: /`[^`]*`/y,
  number: /[-+]?\d+(?:\.\d+)?/y,
  field: /(?:\.[\p{L}_][\p{L}\p{N}_]*)+|\./uy,
  variable: /\$[\p{L}\p{N}_]*/uy,
  word: /[\p{L}_][\p{L}\p{N}_]*/uy,
  mark: /:=|[()|,=]/y,
} as const;

function readToken(template: string, at: number, isApart: boolean): { token: Token; length: number } {
  for (const [kind, pattern] of Object.entries(patterns) as [keyof typeof patterns, RegExp][]) {
    const text = matchAt(pattern, template, at)?.[0];
    if (text !== undefined) return { token: { ...tokenOf(kind, text), isApart } as Token, length: text.length };
  }
  throw new TemplateFault(`${JSON.stringify(template.slice(at, at + 8))} is not understood`);
}

function tokenOf(kind: keyof typeof patterns, text: string) {
  switch (kind) {
    case "quoted":
      return { kind: "constant", value: unquoted(text) } as const;
    case "raw":
      return { kind: "constant", value: text.slice(1, -1) } as const;
    case "number":
      return { kind: "constant", value: Number(text) } as const;
    case "field":
      return { kind, names: text === "." ? [] : text.slice(1).split(".") } as const;
    case "variable":
    case "word":
    case "mark":
      return { kind, text } as const;
  }
}

/** Go's escapes that JSON has too. */
function unquoted(text: string): string {
  try {
    return JSON.parse(text.replaceAll("\t", "\\t")) as string;
  } catch {
    throw new TemplateFault(`the string ${text} has an escape that is none`);
  }
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
