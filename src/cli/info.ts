/** `orlop info`. */
import { command } from "./context.ts";
import { formatTemplate, objectFormat } from "./format-flags.ts";

/** The most important fields, in this order; `--format json` has all. */
const shown = [
  ["Containers", "Containers"],
  ["  running", "ContainersRunning"],
  ["  stopped", "ContainersStopped"],
  ["Engine", "ServerVersion"],
  ["Storage driver", "Driver"],
  ["Log driver", "LoggingDriver"],
  ["Cgroup driver", "CgroupDriver"],
  ["Cgroup version", "CgroupVersion"],
  ["Security", "SecurityOptions"],
  ["Kernel", "KernelVersion"],
  ["System", "OperatingSystem"],
  ["Architecture", "Architecture"],
  ["CPUs", "NCPU"],
  ["Memory (bytes)", "MemTotal"],
  ["State directory", "DockerRootDir"],
] as const;

export const info = command({
  name: "info",
  summary: "Show what the engine knows about itself and this machine",
  flags: { format: objectFormat },
  inEngine: true,
  examples: ["orlop info", "orlop info -f json", "orlop info -f '{{.Driver}}'"],
  async run({ flags, engine, print, warn }) {
    const facts = await engine.system.info();
    if (flags.format !== undefined) {
      await print(flags.format === "json" ? JSON.stringify(facts) : formatTemplate(flags.format, "-f")(facts));
      return 0;
    }
    for (const [title, name] of shown)
      if (facts[name] !== undefined) await print(`${`${title}:`.padEnd(18)}${formatFact(facts[name])}`);
    const warnings = Array.isArray(facts["Warnings"]) ? facts["Warnings"] : [];
    for (const warning of warnings) await warn(`orlop: warning: ${warning}`);
    return 0;
  },
});

function formatFact(value: unknown): string {
  return Array.isArray(value) ? value.join(", ") : String(value);
}
