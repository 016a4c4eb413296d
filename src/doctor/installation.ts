/** Orlop's own parts: the executor, the engine, and what name resolution will find. */
import { type StepName, signatureOf, stepTable } from "../kernel/step.ts";
import { type Finding, missing, ok, warning } from "./finding.ts";
import type { Machine } from "./machine.ts";

/** The engine's answer; it is not started for this. */
export type EngineAnswer =
  | { readonly kind: "answered"; readonly version: string }
  | { readonly kind: "not-running" }
  | { readonly kind: "failed"; readonly reason: string };

/** Whether the executor runs (from a copy of itself that nobody can write) and has our version. */
export async function checkExecutor(machine: Machine, executor: string): Promise<Finding> {
  const { table, said } = machine.executorSteps();
  if (table === undefined)
    return missing(
      "executor",
      `${executor} does not run: ${said}`,
      "build it: bun run build (or ./orlop in the repository)",
    );
  const theirs = table.trim().split("\n").sort();
  const ours = (Object.keys(stepTable) as StepName[]).map((name) => `${name} ${signatureOf(name)}`.trimEnd()).sort();
  const differing = [
    ...theirs.map((row) => row.trimEnd()).filter((row) => !ours.includes(row)),
    ...ours.filter((row) => !theirs.map((their) => their.trimEnd()).includes(row)),
  ];
  if (differing.length > 0)
    return missing(
      "executor",
      `${executor} is of another version (it differs in: ${differing.slice(0, 3).join("; ")})`,
      "build both together: bun run build",
    );
  const failure = await machine.probe([]);
  if (failure === undefined)
    return ok("executor", `${executor}, runs from a copy of itself that no container can write`);
  // A mount of its own comes first, then a memfd: native/sealed.c.
  const memfd = machine.readText("/proc/sys/vm/memfd_noexec")?.trim();
  return missing(
    "executor",
    failure,
    memfd === "2" ? "sysctl -w vm.memfd_noexec=1" : "allow fsopen(2), or memfd_create(2) and programs in it",
  );
}

export function checkEngine(answer: EngineAnswer, host: string, version: string): Finding {
  if (answer.kind === "not-running") return ok("engine", `not running at ${host}; the next command starts it`);
  if (answer.kind === "failed")
    return missing("engine", `${host}: ${answer.reason}`, "orlop system stop, then try again");
  if (answer.version === version) return ok("engine", `${version} answers at ${host}`);
  return warning(
    "engine",
    `at ${host} is ${answer.version}, this command is ${version}`,
    "orlop system stop (containers keep running); the next command starts the new one",
  );
}

export function checkResolver(machine: Machine): Finding {
  const servers = [...(machine.readText("/etc/resolv.conf") ?? "").matchAll(/^nameserver\s+(\S+)/gm)].map(
    (match) => match[1] as string,
  );
  if (servers.length === 0)
    return warning("name servers", "/etc/resolv.conf names none", "add a line: nameserver ADDRESS");
  const reachable = servers.filter((server) => !/^127\.|^::1$/.test(server));
  if (reachable.length > 0) return ok("name servers", reachable.join(", "));
  return ok("name servers", `${servers.join(", ")}, asked from the host: a container cannot reach the host's loopback`);
}
