/** All checks of doctor, in the order of their dependencies. */
import { checkCgroups } from "./cgroups.ts";
import type { Finding } from "./finding.ts";
import { missing } from "./finding.ts";
import { checkEngine, checkExecutor, checkResolver, type EngineAnswer } from "./installation.ts";
import { checkKernelVersion, checkMounts, checkNamespaces, checkNftables, checkSeccomp } from "./kernel-features.ts";
import type { Machine } from "./machine.ts";
import { checkPrivileges } from "./privileges.ts";
import { checkStorage } from "./storage.ts";

export interface Examination {
  readonly machine: Machine;
  readonly executor: string;
  readonly stateDir: string;
  readonly version: string;
  /** The address at which the engine was asked. */
  readonly host: string;
  readonly engine: EngineAnswer;
}

/** A dead network mount or a stuck process must not stop the others. */
const limitMs = 5000;

type Check = readonly [
  name: string,
  run: (examination: Examination) => Finding | Finding[] | Promise<Finding | Finding[]>,
];

/** First what any user can see, then what only root with a working executor can try. */
const checks: readonly Check[] = [
  ["root", ({ machine }) => checkPrivileges(machine)],
  ["kernel", ({ machine }) => checkKernelVersion(machine)],
  ["cgroups", ({ machine }) => checkCgroups(machine)],
  ["executor", ({ machine, executor }) => checkExecutor(machine, executor)],
  ["engine", ({ engine, host, version }) => checkEngine(engine, host, version)],
  ["name servers", ({ machine }) => checkResolver(machine)],
];

const probes: readonly Check[] = [
  ["namespaces", ({ machine }) => checkNamespaces(machine)],
  ["mounts", ({ machine }) => checkMounts(machine)],
  ["storage", ({ machine, stateDir }) => checkStorage(machine, stateDir)],
  ["seccomp", ({ machine }) => checkSeccomp(machine)],
  ["nftables", ({ machine }) => checkNftables(machine)],
];

export async function examine(examination: Examination): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const check of checks) findings.push(...(await limited(check, examination)));
  // Without these every probe would fail, with misleading advice.
  const blocked = findings.some(
    (finding) => finding.level === "missing" && ["root", "capabilities", "executor"].includes(finding.name),
  );
  if (!blocked) for (const probe of probes) findings.push(...(await limited(probe, examination)));
  return findings;
}

async function limited([name, run]: Check, examination: Examination): Promise<Finding[]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(
      () =>
        resolve(
          missing(
            name,
            `no answer within ${limitMs / 1000} s`,
            "look for a dead network mount: findmnt -t nfs,nfs4,cifs,fuse",
          ),
        ),
      limitMs,
    );
  });
  try {
    return [await Promise.race([run(examination), late])].flat();
  } finally {
    clearTimeout(timer);
  }
}
