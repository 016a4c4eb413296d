/** A Go template as a tree. Pure. Not known: `define`, `template` and `block`, which Docker's formats do not use. */
import { TemplateFault } from "./template-fault.ts";
import { type Token, tokensOf } from "./template-tokens.ts";

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipe: Pipe }
  | {
      readonly kind: "if" | "with";
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly other: readonly Node[];
    }
  | {
      readonly kind: "range";
      /** `$i, $e :=`: one name is the element's, of two the first is the index's or key's. */
      readonly variables: readonly string[];
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly other: readonly Node[];
    }
  | { readonly kind: "break" | "continue" };

export interface Pipe {
  /** `$x :=` makes one, `$x =` gives one that there is another value. */
  readonly variable?: { readonly name: string; readonly isNew: boolean };
  /** Each one's value is the next one's last argument. */
  readonly commands: readonly (readonly Operand[])[];
}

export type Operand =
  | { readonly kind: "constant"; readonly value: unknown }
  | { readonly kind: "dot" }
  | { readonly kind: "variable" | "function"; readonly name: string }
  | { readonly kind: "field"; readonly of: Operand; readonly names: readonly string[] }
  | { readonly kind: "pipe"; readonly pipe: Pipe };

/** @throws {TemplateFault} */
export function parseTemplate(template: string): readonly Node[] {
  const reader = new Reader(tokensOf(template));
  const { nodes, ended } = readList(reader, 0);
  if (ended !== undefined) throw new TemplateFault(`there is nothing that {{${ended}}} could belong to`);
  return nodes;
}

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get next(): Token | undefined {
    return this.#tokens[this.#at];
  }

  take(): Token {
    const token = this.next;
    if (token === undefined) throw new TemplateFault("it ends too early");
    this.#at++;
    return token;
  }

  /** Whether the next one is this mark or word; then it is taken. */
  takes(kind: "mark" | "word", text: string): boolean {
    const isIt = this.next?.kind === kind && this.next.text === text;
    if (isIt) this.#at++;
    return isIt;
  }

  close(): void {
    if (this.take().kind !== "close") throw new TemplateFault("an action goes on where }} was expected");
  }

  /** `$a, $b :=` and the like, taken if they are there. */
  variables(): { readonly names: readonly string[]; readonly isNew: boolean } | undefined {
    const start = this.#at;
    const names: string[] = [];
    do {
      const token = this.next;
      if (token?.kind !== "variable") break;
      names.push(token.text);
      this.#at++;
    } while (this.takes("mark", ","));
    if (names.length > 0)
      for (const mark of [":=", "="]) if (this.takes("mark", mark)) return { names, isNew: mark === ":=" };
    this.#at = start;
    return undefined;
  }
}

/** So deep may blocks and parentheses be nested. */
const MAX_DEPTH = 100;

/** Up to the end, or to an `end` or `else`, of which the word is taken. */
function readList(reader: Reader, depth: number): { nodes: readonly Node[]; ended: "end" | "else" | undefined } {
  if (depth > MAX_DEPTH) throw new TemplateFault("it is nested too deep");
  const nodes: Node[] = [];
  while (reader.next !== undefined) {
    const token = reader.take();
    if (token.kind === "text") nodes.push({ kind: "text", text: token.text });
    else if (reader.takes("word", "end")) return { nodes, ended: "end" };
    else if (reader.takes("word", "else")) return { nodes, ended: "else" };
    else nodes.push(readAction(reader, depth));
  }
  return { nodes, ended: undefined };
}

function readAction(reader: Reader, depth: number): Node {
  for (const kind of ["if", "with", "range"] as const)
    if (reader.takes("word", kind)) return readBlock(reader, kind, depth);
  for (const kind of ["break", "continue"] as const)
    if (reader.takes("word", kind)) {
      reader.close();
      return { kind };
    }
  for (const word of ["define", "template", "block"])
    if (reader.takes("word", word)) throw new TemplateFault(`{{${word}}} is not supported`);
  const pipe = readPipe(reader, depth);
  reader.close();
  return { kind: "print", pipe };
}

function readBlock(reader: Reader, kind: "if" | "with" | "range", depth: number): Node {
  const variables = kind === "range" ? (reader.variables()?.names ?? []) : [];
  if (variables.length > 2) throw new TemplateFault("a range has more than two variables");
  const pipe = readPipe(reader, depth);
  reader.close();
  const { nodes: body, ended } = readList(reader, depth + 1);
  const other = ended === "else" ? readElse(reader, depth) : [];
  if (ended === "end") reader.close();
  if (ended === undefined) throw new TemplateFault(`{{${kind}}} has no {{end}}`);
  return kind === "range" ? { kind, variables, pipe, body, other } : { kind, pipe, body, other };
}

/** Behind `else`: `else if` is a block whose `end` ends both. */
function readElse(reader: Reader, depth: number): readonly Node[] {
  for (const kind of ["if", "with"] as const)
    if (reader.takes("word", kind)) return [readBlock(reader, kind, depth + 1)];
  reader.close();
  const { nodes, ended } = readList(reader, depth + 1);
  if (ended !== "end") throw new TemplateFault("{{else}} has no {{end}}");
  reader.close();
  return nodes;
}

function readPipe(reader: Reader, depth: number): Pipe {
  const set = reader.variables();
  if (set !== undefined && set.names.length > 1) throw new TemplateFault("only a range sets two variables");
  const commands = [readCommand(reader, depth)];
  while (reader.takes("mark", "|")) commands.push(readCommand(reader, depth));
  const [name] = set?.names ?? [];
  return name === undefined ? { commands } : { variable: { name, isNew: set?.isNew ?? true }, commands };
}

function readCommand(reader: Reader, depth: number): readonly Operand[] {
  const operands: Operand[] = [];
  for (;;) {
    const { next } = reader;
    const isEnd = next?.kind === "close" || (next?.kind === "mark" && next.text !== "(");
    if (isEnd || next === undefined) break;
    operands.push(readOperand(reader, depth));
  }
  if (operands.length === 0) throw new TemplateFault("a value is missing");
  return operands;
}

const named: Readonly<Record<string, unknown>> = { true: true, false: false, nil: null };

function readOperand(reader: Reader, depth: number): Operand {
  const first = readFirst(reader, depth);
  const { next } = reader;
  if (next?.kind !== "field" || next.isApart || next.names.length === 0) return first;
  reader.take();
  return { kind: "field", of: first, names: next.names };
}

function readFirst(reader: Reader, depth: number): Operand {
  const token = reader.take();
  switch (token.kind) {
    case "constant":
      return token;
    case "field":
      return token.names.length === 0 ? { kind: "dot" } : { kind: "field", of: { kind: "dot" }, names: token.names };
    case "variable":
      return { kind: "variable", name: token.text };
    case "word":
      return Object.hasOwn(named, token.text)
        ? { kind: "constant", value: named[token.text] }
        : { kind: "function", name: token.text };
    case "mark": {
      if (depth > MAX_DEPTH) throw new TemplateFault("it is nested too deep");
      const pipe = readPipe(reader, depth + 1);
      if (!reader.takes("mark", ")")) throw new TemplateFault("a ( has no ) behind it");
      return { kind: "pipe", pipe };
    }
    default:
      throw new TemplateFault("a value is missing");
  }
}
