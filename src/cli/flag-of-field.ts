/** The engine refuses a field of the request; whoever typed a command line knows it as a flag. */
import { EngineError } from "../client/engine-error.ts";

const flags: Readonly<Record<string, string>> = {
  Memory: "--memory",
  MemorySwap: "--memory-swap",
  MemoryReservation: "--memory-reservation",
  MemorySwappiness: "--memory-swappiness",
  NanoCpus: "--cpus",
  CpuShares: "--cpu-shares",
  CpuPeriod: "--cpu-period",
  CpuQuota: "--cpu-quota",
  CpusetCpus: "--cpuset-cpus",
  CpusetMems: "--cpuset-mems",
  PidsLimit: "--pids-limit",
  BlkioWeight: "--blkio-weight",
  ShmSize: "--shm-size",
  Rootfs: "--rootfs",
  CgroupParent: "--cgroup-parent",
  Hostname: "--hostname",
  Domainname: "--domainname",
  WorkingDir: "--workdir",
  User: "--user",
  StopSignal: "--stop-signal",
  NetworkMode: "--network",
  IpcMode: "--ipc",
  PidMode: "--pid",
};

/** How the engine names a field and its value: `invalid HostConfig.Rootfs "x"`, `…: HostConfig.NanoCpus is 100000`. */
const fieldPattern = /(?<=^invalid )(?:HostConfig\.)?(\w+)(?= ")|(?<=: )(?:HostConfig\.)?(\w+)(?= is )/;

/** `…: HostConfig.NanoCpus is 100000` → `…: --cpus (HostConfig.NanoCpus) is 100000`; any other error as it is. */
export function withFlagName(error: unknown): unknown {
  if (!(error instanceof EngineError)) return error;
  const [field = "", first, second] = fieldPattern.exec(error.message) ?? [];
  const name = first ?? second ?? "";
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
  if (flag === undefined) return error;
  return new EngineError(
    error.status,
    error.message.replace(fieldPattern, () => `${flag} (${field})`),
  );
}
