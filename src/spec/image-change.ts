/**
 * Dockerfile instructions that change an image's configuration: `commit --change`, `import --change`. Pure. What an image is run
 * with can be said here; what runs something (RUN, COPY …) is refused by name, as in Docker.
 */
import { durationOf } from "../base/duration.ts";
import { OrlopError } from "../base/errors.ts";
import type { ContainerDefaults, Healthcheck } from "./oci-image.ts";

/** The configuration after all of these, in their order; each may hold several lines. @throws {OrlopError} bad_change */
export function applyChanges(config: ContainerDefaults, changes: readonly string[]): ContainerDefaults {
  const lines = changes.flatMap((text) => text.split("\n")).map((line) => line.trim());
  const asked = lines.filter((line) => line !== "" && !line.startsWith("#"));
  const namesCommand = asked.some((line) => /^cmd\s/i.test(line));
  return asked.reduce((changed, line) => applyOne(changed, line, namesCommand), config);
}

type Apply = (config: ContainerDefaults, rest: string, line: string) => ContainerDefaults;

const instructions: Readonly<Record<string, Apply>> = {
  CMD: (config, rest, line) => ({ ...config, Cmd: commandOf(config, rest, line) }),
  ENTRYPOINT: (config, rest, line) => ({ ...config, Entrypoint: commandOf(config, rest, line) }),
  ENV: (config, rest, line) => ({
    ...config,
    Env: pairsOf(config, rest, line).reduce((env, [name, value]) => withVariable(env, name, value), config.Env ?? []),
  }),
  EXPOSE: (config, rest, line) => ({
    ...config,
    ExposedPorts: union(
      config.ExposedPorts,
      wordsOf(config, rest, line).flatMap((word) => portsOf(word, line)),
    ),
  }),
  HEALTHCHECK: (config, rest, line) => ({ ...config, Healthcheck: healthcheckOf(rest, line) }),
  LABEL: (config, rest, line) => ({
    ...config,
    Labels: { ...config.Labels, ...Object.fromEntries(pairsOf(config, rest, line)) },
  }),
  ONBUILD: (config, rest) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), rest] }),
  STOPSIGNAL: (config, rest, line) => ({ ...config, StopSignal: oneWord(config, rest, line) }),
  USER: (config, rest, line) => ({ ...config, User: oneWord(config, rest, line) }),
  VOLUME: (config, rest, line) => ({
    ...config,
    Volumes: union(config.Volumes, jsonWords(rest) ?? wordsOf(config, rest, line)),
  }),
  WORKDIR: (config, rest, line) => ({
    ...config,
    WorkingDir: joined(config.WorkingDir ?? "", oneWord(config, rest, line)),
  }),
};

function applyOne(config: ContainerDefaults, line: string, namesCommand: boolean): ContainerDefaults {
  const [, name = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
  const apply = instructions[name.toUpperCase()];
  if (apply === undefined) throw fault(line, `${name} is not a valid change command`);
  if (rest === "") throw fault(line, `${name.toUpperCase()} needs a value`);
  const changed = apply(config, rest, line);
  // an entry point of one's own takes the image's arguments away, unless they are given too
  return name.toUpperCase() === "ENTRYPOINT" && !namesCommand ? withoutCommand(changed) : changed;
}

function withoutCommand({ Cmd: _, ...config }: ContainerDefaults): ContainerDefaults {
  return config;
}

function fault(line: string, reason: string): OrlopError {
  return OrlopError.of("bad_change", { change: line.slice(0, 200), reason });
}

/** `["a", "b"]`; undefined for anything else. */
function jsonWords(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((word) => typeof word === "string") ? value : undefined;
  } catch {
    return undefined; // then it is a shell's line, as in Docker
  }
}

function commandOf({ Shell }: ContainerDefaults, text: string, _line: string): readonly string[] {
  return jsonWords(text) ?? [...(Shell ?? ["/bin/sh", "-c"]), text];
}

/** NAME=VALUE …, or the old NAME VALUE. */
function pairsOf(config: ContainerDefaults, text: string, line: string): (readonly [string, string])[] {
  const first = /^[^\s="']+\s+([^=].*)$/s.exec(text);
  if (first !== null) {
    const [name = ""] = text.split(/\s/, 1);
    return [[name, expanded(text.slice(name.length).trim(), config, line)]];
  }
  return wordsOf(config, text, line).map((word) => {
    const equals = word.indexOf("=");
    if (equals < 1) throw fault(line, `${JSON.stringify(word)} is not NAME=VALUE`);
    return [word.slice(0, equals), word.slice(equals + 1)] as const;
  });
}

function oneWord(config: ContainerDefaults, text: string, line: string): string {
  const words = wordsOf(config, text, line);
  if (words.length !== 1) throw fault(line, "it takes exactly one value");
  return words[0] as string;
}

/** Split at blanks outside quotes, quotes taken off, variables put in. */
function wordsOf(config: ContainerDefaults, text: string, line: string): string[] {
  const raw = text.match(/(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"\\])+/gs) ?? [];
  if (raw.join("").length !== text.replace(/\s(?=(?:[^"']|'[^']*'|"(?:\\.|[^"\\])*")*$)/gs, "").length)
    throw fault(line, "a quote is not closed");
  return raw.map((word) => expanded(word, config, line));
}

/** A word without its quotes, `$NAME`, `${NAME}`, `${NAME:-WORD}` and `${NAME:+WORD}` replaced by the image's environment. */
function expanded(word: string, config: ContainerDefaults, line: string): string {
  const pattern = /\\(.)|'([^']*)'|"|\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})|(\$)|([^\\'"$]+)/gs;
  return word.replace(pattern, (_all, escaped, single, plain, braced, operator, other, dollar, text) => {
    if (escaped !== undefined) return escaped;
    if (single !== undefined) return single;
    if (text !== undefined) return text;
    if (dollar !== undefined) throw fault(line, "a $ without a variable's name");
    const name = plain ?? braced;
    if (name === undefined) return ""; // a double quote
    const value = variable(config, name);
    if (operator === "-") return value || other;
    if (operator === "+") return value === "" ? "" : other;
    return value;
  });
}

function variable({ Env = [] }: ContainerDefaults, name: string): string {
  return Env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
}

function withVariable(env: readonly string[], name: string, value: string): readonly string[] {
  const entry = `${name}=${value}`;
  const at = env.findIndex((one) => one === name || one.startsWith(`${name}=`));
  return at < 0 ? env.concat(entry) : env.with(at, entry);
}

function union(some: readonly string[] = [], more: readonly string[]): string[] {
  return [...new Set([...some, ...more])];
}

function portsOf(word: string, line: string): string[] {
  const [, first, last, protocol = "tcp"] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word) ?? [];
  const from = Number(first);
  const to = Number(last ?? first);
  if (!(from >= 1 && to >= from && to <= 65_535))
    throw fault(line, `${JSON.stringify(word)} is not PORT[-PORT][/PROTOCOL]`);
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}/${protocol.toLowerCase()}`);
}

function joined(base: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${base}/${path}`).split("/"))
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  return `/${parts.join("/")}`;
}

const checkTimes = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
} as const;

/** `NONE`, or `[--interval=…] [--retries=…] CMD …`. */
function healthcheckOf(text: string, line: string): Healthcheck {
  if (/^none$/i.test(text)) return { Test: ["NONE"] };
  const [, flags = "", command = ""] = /^((?:--\S+\s+)*)CMD\s+(.+)$/is.exec(text) ?? [];
  if (command === "") throw fault(line, "expected NONE, or flags and CMD");
  const settings =
    flags.trim() === ""
      ? []
      : flags
          .trim()
          .split(/\s+/)
          .map((flag) => checkFlag(flag, line));
  const words = jsonWords(command);
  return { Test: words === undefined ? ["CMD-SHELL", command] : ["CMD", ...words], ...Object.fromEntries(settings) };
}

function checkFlag(flag: string, line: string): readonly [keyof Healthcheck, number] {
  const [name = "", value = ""] = flag.slice(2).split("=", 2);
  if (name === "retries" && /^\d{1,6}$/.test(value)) return ["Retries", Number(value)];
  const key = checkTimes[name as keyof typeof checkTimes] as keyof Healthcheck | undefined;
  const ms = durationOf(value);
  if (key === undefined || ms === undefined) throw fault(line, `${JSON.stringify(flag)} is not a flag of HEALTHCHECK`);
  return [key, ms * 1_000_000];
}
