/** Who we are: root, with which capabilities. */
import { capabilityNames, defaultCapabilities, parseCapability } from "../kernel/capabilities.ts";
import { type Finding, missing, ok, warning } from "./finding.ts";
import type { Machine } from "./machine.ts";

/** Capabilities that the executor itself needs. */
const needed = [
  ...["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID", "SETPCAP"],
  ...["NET_ADMIN", "SYS_CHROOT", "SYS_ADMIN", "MKNOD"],
];

const asContainer = "if this is inside a container or a sandbox, start that with --privileged";

export function checkPrivileges(machine: Machine): Finding[] {
  if (machine.uid !== 0)
    return [missing("root", `this is user ${machine.uid}`, "sudo orlop doctor (only root can run containers yet)")];
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(machine.readText("/proc/self/status") ?? "")?.[1] ?? "0";
  const ours = new Set(capabilityNames(BigInt(`0x${effective}`)));
  const lacking = (names: readonly string[]) => names.map(parseCapability).filter((name) => !ours.has(name));
  const lost = lacking(needed);
  const ungiven = lacking(defaultCapabilities).filter((name) => !lost.includes(name));
  return [
    ok("root", "this is root"),
    lost.length === 0
      ? ok("capabilities", "all that Orlop needs")
      : missing("capabilities", `without ${lost.join(", ")}`, asContainer),
    ...(ungiven.length === 0
      ? []
      : [
          warning(
            "containers' capabilities",
            `without ${ungiven.join(", ")}, which no container can have`,
            asContainer,
          ),
        ]),
    lacking(["SYS_RESOURCE"]).length === 0
      ? ok("raising limits", "CAP_SYS_RESOURCE is there")
      : warning(
          "raising limits",
          "without CAP_SYS_RESOURCE: --ulimit cannot exceed our own limits, --oom-score-adj cannot go below ours",
          asContainer,
        ),
  ];
}
