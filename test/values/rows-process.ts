/** What the process is given: names, user, words, environment, streams. */

import { waitUntil } from "../wait-until.ts";
import { texts, word } from "./generate.ts";
import { acts, kept, prints, type Row, shows } from "./row.ts";
import type { Seen, Stage } from "./stage.ts";

const waitMs = 10_000;
const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-.";
const hostNames = ["a", "A.b-c_d", word(2), word(63), `${word(1)}${word(62, alphabet)}${word(1)}`];

/** [as it is asked for, what id says] */
const users: readonly (readonly [string, string])[] = [
  ["0", "0 0 0"],
  ["root", "0 0 0"],
  ["worker", "1000 1000 1000"],
  ["1000", "1000 1000 1000"],
  ["4242", "4242 0 0"],
  ["4242:4243", "4242 4243 4243"],
  ["worker:root", "1000 0 0"],
  ["0:worker", "0 1000 1000"],
  ["4294967294", "4294967294 0 0"],
  ["1:4294967294", "1 4294967294 4294967294"],
];

const isMounted = 'touch "$1/x" && test "$(stat -c %d "$1")" != "$(stat -c %d "$1/..")" && echo mounted';

export const processRows: Readonly<Record<string, Row>> = {
  Hostname: prints(
    hostNames,
    (value) => ({ Hostname: value }),
    "hostname",
    (value) => value,
  ),
  Domainname: prints(
    hostNames,
    (value) => ({ Domainname: value }),
    "cat /proc/sys/kernel/domainname",
    (value) => value,
  ),
  User: prints(
    users,
    ([User]) => ({ User }),
    "echo $(id -u) $(id -g) $(id -G)",
    ([, ids]) => ids,
  ),
  AttachStdin: kept("AttachStdin", [true, false]),
  AttachStdout: kept("AttachStdout", [true, false]),
  AttachStderr: kept("AttachStderr", [true, false]),
  "ExposedPorts.*": shows(
    ["1/tcp", "80/tcp", "53/udp", "5000/sctp", "65535/tcp"],
    (port) => ({ ExposedPorts: { [port]: {} }, HostConfig: { NetworkMode: "values" } }),
    async (seen) => JSON.stringify(await seen.inspected("NetworkSettings.Ports")),
    (port) => JSON.stringify({ [port]: null }),
    ["nft"],
  ),
  Tty: prints(
    [true, false],
    (value) => ({ Tty: value }),
    "test -t 0 && test -t 1 && test -t 2 && echo $TERM || echo none",
    (value) => (value ? "xterm" : "none"),
  ),
  OpenStdin: prints(
    [true, false],
    (value) => ({ OpenStdin: value }),
    "readlink /proc/self/fd/0 | cut -c1-5",
    (value) => (value ? "pipe:" : "/dev/"),
  ),
  StdinOnce: acts([true, false], readTwice, (once) => (once ? "one ended" : "one two")),
  "Env[]": prints(
    texts,
    (value) => ({ Env: ["FIRST=1", `A=${value}`, "A_=2"] }),
    'printf "<%s>" "$A" "$FIRST$A_"',
    (value) => `<${value}><12>`,
  ),
  "Cmd[]": acts(
    texts,
    (value, stage) => stage.printed({ Cmd: ["printf", "<%s>", value, "end"] }),
    (value) => `<${value}><end>`,
  ),
  "Entrypoint[]": acts(
    texts,
    (value, stage) => stage.printed({ Entrypoint: ["printf", "<%s>", value], Cmd: ["cmd"] }),
    (value) => `<${value}><cmd>`,
  ),
  Image: prints(
    ["name", "id", "short id", "digest", "host"],
    async (spelling, stage) => ({ Image: await imageBy(spelling, stage) }),
    "cat /etc/which 2>/dev/null || echo host",
    (spelling) => (spelling === "host" ? "host" : "two"),
  ),
  "Volumes.*": prints(
    ["/data", "/a/b/c/d", "/with space", "/ünïcödé", `/${word(200)}`],
    (path) => ({ Volumes: { [path]: {} } }),
    isMounted,
    "mounted",
  ),
  WorkingDir: prints(
    ["/", "/tmp", "/tmp/../etc", "/made/on the way", `/${word(200)}`],
    (value) => ({ WorkingDir: value }),
    "pwd",
    (value) => (value === "/tmp/../etc" ? "/etc" : value),
  ),
  NetworkDisabled: prints(
    [true, false],
    (NetworkDisabled) => ({ NetworkDisabled, HostConfig: { NetworkMode: "values" } }),
    "ls /sys/class/net | xargs echo",
    (value) => (value ? "lo" : "eth0 lo"),
    ["nft"],
  ),
  MacAddress: prints(
    ["02:42:0a:6f:00:63", "12:34:56:78:9A:BC", "fe:ff:ff:ff:ff:ff"],
    (value) => ({ MacAddress: value, HostConfig: { NetworkMode: "values" } }),
    "cat /sys/class/net/eth0/address",
    (value) => value.toLowerCase(),
    ["nft"],
  ),
  "Labels.*": kept(
    "Labels",
    texts.map((text) => ({ [text.slice(0, 50) || "empty"]: text })),
  ),
  StopSignal: shows(
    ["SIGUSR1", "usr1", "10", "SIGTERM", "", "SIGRTMIN+3", "37"],
    (value) => ({ StopSignal: value, Cmd: ["sh", "-c", trapScript] }),
    async (seen) => {
      await waitUntil(async () => (await seen.logs()).includes("ready"), waitMs, "the program has its traps");
      await seen.stage.product.engine.containers.stop(seen.id);
      return (await seen.logs()).replace("ready\n", "");
    },
    (value) => (/usr1|^10$/i.test(value) ? "USR1" : /RTMIN|37/.test(value) ? "RTMIN+3" : "TERM"),
  ),
  // Long enough to be told apart from no wait at all; the default of ten seconds would fail by the test's own limit.
  StopTimeout: shows(
    [0, 1, 2],
    (value) => ({ StopTimeout: value }),
    async (seen, value) => {
      const begin = Date.now();
      await seen.stage.product.engine.containers.stop(seen.id);
      const waited = Date.now() - begin;
      return `${await seen.inspected("State.ExitCode")} ${waited >= value * 1000 && waited < 9000}`;
    },
    "137 true",
  ),
  // What runs the text of a CMD-SHELL: here a program that says it back.
  "Shell[]": shows(
    ["one", "two words", "-n"],
    (value) => ({ Shell: ["/bin/echo", "said", value], Healthcheck: { Test: ["CMD-SHELL", "text"] } }),
    async (seen) => {
      const outputs = async () => (await seen.inspected("State.Health.Log")) as { Output: string }[];
      await waitUntil(async () => (await outputs()).length > 0, waitMs, "a first probe has ended");
      return ((await outputs())[0]?.Output ?? "").trim();
    },
    (value) => `said ${value} text`,
  ),
};

const trapScript =
  'trap "echo USR1; exit" USR1; trap "echo TERM; exit" TERM; trap "echo RTMIN+3; exit" 37; echo ready; while :; do sleep 0.01; done';

/** Two clients after one another, each with a line for `cat`. */
async function readTwice(once: boolean, stage: Stage): Promise<string> {
  const ask = { OpenStdin: true, StdinOnce: once, Cmd: ["cat"] };
  return stage.running(ask, async (seen) => {
    await sendLine(seen, "one");
    if (once) {
      const { containers } = stage.product.engine;
      await waitUntil(async () => !(await containers.inspect(seen.id)).State.Running, waitMs, "cat has ended");
      return `${(await seen.logs()).trim()} ended`;
    }
    await sendLine(seen, "two");
    return (await seen.logs()).trim().replace("\n", " ");
  });
}

async function sendLine({ stage, id }: Seen, line: string): Promise<void> {
  const attached = await stage.product.engine.containers.attach(id, { stdin: true, stdout: true });
  await attached.write(new TextEncoder().encode(`${line}\n`));
  await waitUntil(async () => (await stage.product.ok("logs", id)).includes(line), waitMs, `${line} is logged`);
  attached.close();
}

async function imageBy(spelling: string, stage: Stage): Promise<string> {
  const { Id, RepoDigests } = (await stage.product.engine.images.inspect(stage.image("two"))) as {
    Id: string;
    RepoDigests: string[];
  };
  const digest = RepoDigests[0] ?? stage.image("two");
  const written = { name: stage.image("two"), id: Id, "short id": Id.slice(7, 19), digest, host: "host" };
  return written[spelling as keyof typeof written];
}
