/** Commands as values: argument counts, dispatch, help. */
import { expect, test } from "bun:test";
import { argumentCount, commandsWith } from "./command.ts";
import { commandHelp, groupHelp, wrap } from "./help.ts";
import { findCommand, type Group, listCommands } from "./table.ts";

const command = commandsWith<{ readonly print: (line: string) => void }>();

const kill = command({
  name: "kill",
  summary: "Send a signal to a container's first process",
  args: "CONTAINER...",
  flags: {
    signal: { type: "text", short: "s", default: "SIGKILL", value: "SIGNAL", help: "Signal name or number" },
    secret: { type: "switch", hidden: true, help: "Not shown" },
  },
  examples: ["orlop kill -s HUP web"],
  async run({ args, flags, print }) {
    for (const id of args) print(`${id} ${flags.signal}`);
    return args.length;
  },
});

const program: Group<{ readonly print: (line: string) => void }> = {
  summary: "Containers.",
  commands: {
    kill: async () => kill,
    container: { summary: "Manage containers", commands: { kill: async () => kill }, aliases: { finish: "kill" } },
  },
};

test.each([
  ["", 0, 0],
  ["IMAGE [COMMAND] [ARG...]", 1, Number.POSITIVE_INFINITY],
  ["CONTAINER...", 1, Number.POSITIVE_INFINITY],
  ["[COMMAND]", 0, 1],
  ["FROM TO", 2, 2],
])("%j allows %d to %d arguments", (usage, least, most) => {
  expect(argumentCount(usage)).toEqual({ least, most });
});

test("a command runs with its flags, its arguments and the program's context", async () => {
  const lines: string[] = [];
  const action = kill.prepare(["web", "-s", "HUP", "db"], "orlop kill");
  expect(await action?.({ print: (line) => lines.push(line) })).toBe(2);
  expect(lines).toEqual(["web HUP", "db HUP"]);
});

test("--help and -h win over missing arguments", () => {
  expect(kill.prepare(["--help"], "orlop kill")).toBeUndefined();
  expect(kill.prepare(["-h"], "orlop kill")).toBeUndefined();
});

test("too few arguments are refused with the usage", () => {
  expect(() => kill.prepare([], "orlop kill")).toThrow(
    "orlop kill was given no arguments: usage: orlop kill CONTAINER...",
  );
});

test("a command has other names, by which help does not list it", async () => {
  expect(await findCommand(program, ["container", "finish", "web"], "orlop")).toMatchObject({
    ...{ kind: "command", path: "orlop container kill", rest: ["web"] },
  });
  await expect(findCommand(program, ["container", "toString"], "orlop")).rejects.toThrow("is not a command");
  expect(await groupHelp(program.commands["container"] as Group<never>, "orlop container", {})).not.toContain("finish");
});

test("words lead through groups to a command, and the rest is its own", async () => {
  expect(await findCommand(program, ["container", "kill", "-s", "HUP"], "orlop")).toMatchObject({
    kind: "command",
    path: "orlop container kill",
    rest: ["-s", "HUP"],
  });
  expect(await findCommand(program, ["container", "--help"], "orlop")).toMatchObject({
    kind: "group",
    path: "orlop container",
    rest: ["--help"],
  });
});

test("an unknown command names the nearest one; a name from Object's prototype is no command", async () => {
  await expect(findCommand(program, ["kil"], "orlop")).rejects.toThrow(
    '"orlop kil" is not a command: did you mean "orlop kill"?',
  );
  await expect(findCommand(program, ["constructor"], "orlop")).rejects.toThrow(
    '"orlop constructor" is not a command: see: orlop --help',
  );
  await expect(findCommand(program, ["container", "constructor"], "orlop")).rejects.toThrow(
    '"orlop container constructor" is not a command: see: orlop container --help',
  );
});

test("a name that is known to be missing says what to do instead", async () => {
  const lacking = { ...program, absent: { kil: "do it by hand" } };
  await expect(findCommand(lacking, ["kil", "x"], "orlop")).rejects.toThrow(
    "orlop kil is not supported: do it by hand; docs/status.md lists what is missing",
  );
});

test("listing walks into groups", async () => {
  const paths = (await listCommands(program, "orlop")).map((found) => found.path);
  expect(paths).toEqual(["orlop kill", "orlop container kill"]);
});

test("a command's help has usage, flags with defaults, and examples; hidden flags are left out", () => {
  expect(commandHelp(kill, "orlop kill")).toBe(
    `Send a signal to a container's first process

Usage: orlop kill [FLAGS] CONTAINER...

Flags:
  -s, --signal SIGNAL  Signal name or number (default SIGKILL)

Examples:
  orlop kill -s HUP web
`,
  );
});

test("many flags stand under headings, in columns of one width", () => {
  const flags = {
    first: { type: "switch", help: "One" },
    muchLonger: { type: "switch", heading: "Others", help: "Two" },
    third: { type: "switch", help: "Three" },
  } as const;
  expect(commandHelp({ ...kill, flags }, "orlop kill")).toContain(`
Flags:
      --first        One

Others:
      --much-longer  Two
      --third        Three
`);
});

test("a group's help lists its commands and inner groups", async () => {
  expect(await groupHelp(program, "orlop", {})).toBe(
    `Containers.

Usage: orlop [FLAGS] COMMAND

Commands:
  kill       Send a signal to a container's first process
  container  Manage containers

orlop COMMAND --help says more about a command.
`,
  );
});

test("wrapping breaks at spaces and never inside a word", () => {
  expect(wrap("aaa bbb cccccccccc d", 7)).toBe("aaa bbb\ncccccccccc\nd");
});
