/** The bodies of execs and volumes. */

import { AttachedContainer } from "../../src/client/attach.ts";
import { waitUntil } from "../wait-until.ts";
import { texts, word } from "./generate.ts";
import { acts, type Row } from "./row.ts";
import { type Fragment, NEIGHBOUR, type Stage } from "./stage.ts";

const waitMs = 10_000;

// ── exec ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What an exec in the neighbour writes, with these fields. */
async function execPrints(stage: Stage, fields: Fragment, start: Fragment = {}): Promise<string> {
  const { engine } = stage.product;
  const base = { AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Cmd: ["true"] };
  const { Id } = await engine.execs.create(NEIGHBOUR, { ...base, ...fields } as never);
  const headers = { Connection: "Upgrade", Upgrade: "tcp" };
  const isTty = fields["Tty"] === true;
  const json = { Detach: false, Tty: isTty, ...start };
  const response = await engine.call({ method: "POST", path: `/exec/${Id}/start`, json, headers });
  const attached = new AttachedContainer(response);
  let text = "";
  for await (const { bytes } of attached.output(isTty)) text += Buffer.from(bytes).toString();
  attached.close();
  return text.replaceAll("\r\n", "\n").trimEnd();
}

const execRow = <V>(
  values: readonly V[],
  ask: (value: V) => Fragment,
  script: string,
  wanted: (value: V) => string,
): Row => acts(values, (value, stage) => execPrints(stage, { Cmd: ["sh", "-c", script], ...ask(value) }), wanted);

/** Of a terminal: what stands between its client and its program ends when these are typed. */
async function detached(DetachKeys: string, stage: Stage): Promise<string> {
  const { engine } = stage.product;
  const fields = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: true, Cmd: ["sleep", "1000"] };
  const { Id } = await engine.execs.create(NEIGHBOUR, { ...fields, DetachKeys });
  const attached = await engine.execs.attach(Id, true);
  const typed = DetachKeys.split(",").map((key) =>
    key.startsWith("ctrl-") ? key.charCodeAt(5) - 96 : key.charCodeAt(0),
  );
  await attached.write(Uint8Array.from(typed));
  for await (const _ of attached.output(true));
  attached.close();
  return ended(Id, stage);
}

/** Whether it ran; it is ended. */
async function ended(id: string, { product }: Stage): Promise<string> {
  const inspect = () => product.engine.execs.inspect(id);
  await waitUntil(async () => (await inspect()).Pid > 0 || !(await inspect()).Running, waitMs, "it runs, or has ended");
  const { Running, Pid } = await inspect();
  if (Pid > 0) process.kill(Pid, "SIGKILL");
  await waitUntil(async () => !(await inspect()).Running, waitMs, "it has ended");
  return Running ? "ran" : "had ended";
}

export const execRows: Readonly<Record<string, Row>> = {
  AttachStdin: execRow(
    [true, false],
    (AttachStdin) => ({ AttachStdin }),
    "readlink /proc/self/fd/0 | cut -c1-5",
    (value) => (value ? "pipe:" : "/dev/"),
  ),
  AttachStdout: execRow(
    [true, false],
    (AttachStdout) => ({ AttachStdout }),
    "echo out",
    (value) => (value ? "out" : ""),
  ),
  AttachStderr: execRow(
    [true, false],
    (AttachStderr) => ({ AttachStderr }),
    "echo err >&2",
    (value) => (value ? "err" : ""),
  ),
  "ConsoleSize[]": execRow(
    [
      [24, 80],
      [2, 2],
      [300, 29_999],
    ],
    (ConsoleSize) => ({ Tty: true, ConsoleSize }),
    "stty size",
    (size) => size.join(" "),
  ),
  DetachKeys: acts(["ctrl-a", "a", "x,y,z", "ctrl-p,ctrl-q"], detached, "ran"),
  Tty: execRow(
    [true, false],
    (Tty) => ({ Tty }),
    "test -t 0 && test -t 1 && echo tty || echo none",
    (value) => (value ? "tty" : "none"),
  ),
  "Env[]": execRow(
    texts,
    (value) => ({ Env: [`A=${value}`] }),
    'printf "<%s>" "$A"',
    (value) => `<${value}>`,
  ),
  "Cmd[]": acts(
    texts,
    (value, stage) => execPrints(stage, { Cmd: ["printf", "<%s>", value, "end"] }),
    (value) => `<${value}><end>`,
  ),
  Privileged: execRow(
    [true, false],
    (Privileged) => ({ Privileged }),
    "grep -q '^CapEff:.00000000a80425fb$' /proc/self/status && echo few || echo all",
    (value) => (value ? "all" : "few"),
  ),
  User: execRow(
    ["0", "worker", "1000:0", "4294967294"],
    (User) => ({ User }),
    "echo $(id -u) $(id -g)",
    (user) => ({ "0": "0 0", worker: "1000 1000", "1000:0": "1000 0" })[user] ?? "4294967294 0",
  ),
  WorkingDir: execRow(
    ["", "/", "/tmp", "/donated"],
    (WorkingDir) => ({ WorkingDir }),
    "pwd",
    (path) => path || "/",
  ),
};

export const execStartRows: Readonly<Record<string, Row>> = {
  Detach: acts(
    [true],
    async (Detach, stage) => {
      const { engine } = stage.product;
      const fields = { AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Cmd: ["sleep", "1000"] };
      const { Id } = await engine.execs.create(NEIGHBOUR, fields);
      await engine.done({ method: "POST", path: `/exec/${Id}/start`, json: { Detach } });
      return ended(Id, stage);
    },
    "ran",
  ),
  // Says what create has said already.
  Tty: acts(
    [true, false],
    (Tty, stage) => execPrints(stage, { Tty, Cmd: ["sh", "-c", "test -t 1 && echo tty || echo none"] }, { Tty }),
    (value) => (value ? "tty" : "none"),
  ),
  "ConsoleSize[]": acts(
    [
      [24, 80],
      [2, 2],
      [300, 29_999],
    ],
    (ConsoleSize, stage) => execPrints(stage, { Tty: true, Cmd: ["stty", "size"] }, { ConsoleSize }),
    (size) => size.join(" "),
  ),
};

// ── volumes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A volume that is made and used: what its container prints. */
async function inVolume(stage: Stage, fields: Fragment, script: string): Promise<string> {
  const { volumes } = stage.product.engine;
  const { Name } = await volumes.create(fields as never);
  try {
    return await stage.printed({ Cmd: ["sh", "-c", script], HostConfig: { Binds: [`${Name}:/mnt`] } });
  } finally {
    await volumes.remove(Name);
  }
}

export const volumeRows: Readonly<Record<string, Row>> = {
  Name: acts(
    ["a1", "A.b-c_d", `x${word(200)}`],
    (Name, stage) => inVolume(stage, { Name }, "touch /mnt/x && ls /mnt"),
    "x",
  ),
  Driver: acts(["", "local"], (Driver, stage) => inVolume(stage, { Driver }, "touch /mnt/x && ls /mnt"), "x"),
  "DriverOpts.*": acts(
    ["size=1m", "size=2m,mode=700", "size=1m,uid=1000"],
    (o, stage) =>
      inVolume(
        stage,
        { DriverOpts: { type: "tmpfs", device: "tmpfs", o } },
        "df /mnt | tail -1 | tr -s ' ' | cut -d' ' -f1,2; stat -c '%a %u' /mnt",
      ),
    (o) =>
      `tmpfs ${o.startsWith("size=1m") ? 1024 : 2048}\n${o.includes("700") ? "700" : "1777"} ${o.includes("uid") ? 1000 : 0}`,
  ),
  "Labels.*": acts(
    [{ a: "b" }, { "": "", "x.y": "\u{1f40b}" }, {}],
    async (Labels, stage) => {
      const { volumes } = stage.product.engine;
      const { Name } = await volumes.create({ Labels });
      const { Labels: kept } = await volumes.inspect(Name);
      await volumes.remove(Name);
      return JSON.stringify(kept);
    },
    (labels) => JSON.stringify(labels),
  ),
};
