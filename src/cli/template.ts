/**
 * Go templates (text/template) as Docker's `--format` takes them: what scripts write. Pure. They run in the engine, so what one may cost
 * is bounded.
 */
import { OrlopError } from "../base/errors.ts";
import { TemplateFault } from "./template-fault.ts";
import { templateFunctions } from "./template-functions.ts";
import { type Node, type Operand, type Pipe, parseTemplate } from "./template-tree.ts";
import { Absent, fieldOf, isObject, isTrue, textOf } from "./template-values.ts";

/** @param functions instead of the usual ones. @throws {OrlopError} bad_template */
export type Template = (data: unknown, functions?: typeof templateFunctions) => string;

/**
 * @param what  the flag it was given with, for errors
 * @throws {OrlopError} bad_template
 */
export function openTemplate(template: string, what: string): Template {
  const checked = <Value>(act: () => Value): Value => {
    try {
      return act();
    } catch (error) {
      if (error instanceof TemplateFault)
        throw OrlopError.of("bad_template", { what, template, reason: error.message });
      throw error;
    }
  };
  const nodes = checked(() => parseTemplate(template));
  return (data, functions = templateFunctions) => checked(() => new Run(data, functions).text(nodes));
}

/** Steps of one run, and characters of what it writes. */
const MAX_STEPS = 200_000;
const MAX_LENGTH = 8 * 1024 * 1024;

type Scope = { readonly variables: Map<string, unknown>; readonly outer: Scope | undefined };

class Run {
  readonly #data: unknown;
  readonly #functions: typeof templateFunctions;
  #steps = 0;
  #text = "";
  #left: "break" | "continue" | undefined;

  constructor(data: unknown, functions: typeof templateFunctions) {
    this.#data = data;
    this.#functions = functions;
  }

  text(nodes: readonly Node[]): string {
    this.#list(nodes, this.#data, { variables: new Map([["$", this.#data]]), outer: undefined });
    return this.#text;
  }

  #list(nodes: readonly Node[], dot: unknown, outer: Scope): void {
    const scope = { variables: new Map<string, unknown>(), outer };
    for (const node of nodes) {
      this.#node(node, dot, scope);
      if (this.#left !== undefined) return;
    }
  }

  #node(node: Node, dot: unknown, scope: Scope): void {
    if (++this.#steps > MAX_STEPS) throw new TemplateFault(`it takes more than ${MAX_STEPS} steps`);
    switch (node.kind) {
      case "text":
        this.#write(node.text);
        break;
      case "print": {
        const value = this.#pipe(node.pipe, dot, scope);
        if (node.pipe.variable === undefined) this.#write(textOf(value));
        break;
      }
      case "if":
      case "with": {
        const inner = { variables: new Map<string, unknown>(), outer: scope };
        const value = this.#pipe(node.pipe, dot, inner);
        if (isTrue(value)) this.#list(node.body, node.kind === "with" ? value : dot, inner);
        else this.#list(node.other, dot, inner);
        break;
      }
      case "range":
        this.#range(node, dot, scope);
        break;
      default:
        this.#left = node.kind;
    }
  }

  #range(node: Node & { kind: "range" }, dot: unknown, scope: Scope): void {
    const entries = entriesOf(this.#pipe(node.pipe, dot, scope));
    if (entries.length === 0) this.#list(node.other, dot, scope);
    for (const [key, element] of entries) {
      const [first, second] = node.variables;
      const variables = new Map<string, unknown>();
      if (first !== undefined) variables.set(first, second === undefined ? element : key);
      if (second !== undefined) variables.set(second, element);
      this.#list(node.body, element, { variables, outer: scope });
      const left = this.#left;
      this.#left = undefined;
      if (left === "break") return;
    }
  }

  #write(text: string): void {
    this.#text += text;
    if (this.#text.length > MAX_LENGTH) throw new TemplateFault(`it writes more than ${MAX_LENGTH} characters`);
  }

  #pipe({ commands, variable }: Pipe, dot: unknown, scope: Scope): unknown {
    let value: unknown;
    for (const [at, command] of commands.entries()) value = this.#command(command, at === 0 ? [] : [value], dot, scope);
    if (variable?.isNew === true) scope.variables.set(variable.name, value);
    else if (variable !== undefined) holderOf(scope, variable.name).set(variable.name, value);
    return value;
  }

  #command([first, ...others]: readonly Operand[], piped: readonly unknown[], dot: unknown, scope: Scope): unknown {
    if (++this.#steps > MAX_STEPS) throw new TemplateFault(`it takes more than ${MAX_STEPS} steps`);
    if (first === undefined) throw new TemplateFault("a value is missing");
    const values = [...others.map((operand) => this.#operand(operand, dot, scope)), ...piped];
    if (first.kind === "function") return this.#call(first.name, values);
    const value = this.#operand(first, dot, scope);
    if (typeof value === "function") return value(...values);
    if (values.length > 0)
      throw new TemplateFault(`${JSON.stringify(textOf(value))} is no function, and has arguments`);
    return value;
  }

  #operand(operand: Operand, dot: unknown, scope: Scope): unknown {
    switch (operand.kind) {
      case "constant":
        return operand.value;
      case "dot":
        return dot;
      case "variable":
        return holderOf(scope, operand.name).get(operand.name);
      case "function":
        return this.#call(operand.name, []);
      case "pipe":
        return this.#pipe(operand.pipe, dot, scope);
      case "field": {
        const of = this.#operand(operand.of, dot, scope);
        return fieldOf(of, operand.names, of instanceof Absent ? of.path : "");
      }
    }
  }

  #call(name: string, values: readonly unknown[]): unknown {
    const called = Object.hasOwn(this.#functions, name) ? this.#functions[name] : undefined;
    if (called === undefined) throw new TemplateFault(`there is no function ${name}`);
    return called(...values);
  }
}

function holderOf(scope: Scope, name: string): Map<string, unknown> {
  for (let one: Scope | undefined = scope; one !== undefined; one = one.outer)
    if (one.variables.has(name)) return one.variables;
  throw new TemplateFault(`there is no variable ${name}`);
}

/** Of a map in the order of its keys, as Go does. */
function entriesOf(value: unknown): readonly (readonly [unknown, unknown])[] {
  if (Array.isArray(value)) return [...value.entries()];
  if (isObject(value))
    return Object.keys(value)
      .sort()
      .map((key) => [key, value[key]] as const);
  if (value instanceof Absent || value === null) return [];
  throw new TemplateFault(`${JSON.stringify(textOf(value))} has no elements to go through`);
}
