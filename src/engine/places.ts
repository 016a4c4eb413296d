/** Paths of the engine's files. The engine owns nothing outside these two directories. */

export interface Places {
  /** Sockets, and files that may be lost in a reboot. */
  readonly runDir: string;
  /** Files that must survive a reboot. */
  readonly stateDir: string;
}

/** A file in a container's run directory with its cgroup's path, if that is not below Orlop's own cgroup. */
export const GROUP_FILE = "group";

/** The folders of one container. */
export interface ContainerPlaces {
  /** Has the monitor's socket. */
  readonly runDir: string;
  /** Has log and exit record; for a `--rm` container the same as `runDir`. */
  readonly dataDir: string;
  readonly socket: string;
  readonly exitRecord: string;
  /** A symbolic link to its network namespace, while it is in networks and runs. */
  readonly sandbox: string;
  /** Shared memory that other containers can join, mounted while it runs. */
  readonly shm: string;
  readonly log: string;
  /** Upper directories of the root's overlays. On disk for a `--rm` container too: its writes must not fill the memory. */
  readonly layers: string;
  /** Its /etc/hosts and the like, which the container can write: on disk for the same reason. */
  readonly files: string;
  /** The directories to remove with the container. */
  readonly owned: readonly string[];
}

export function containerPlaces(places: Places, id: string, isTransient: boolean): ContainerPlaces {
  const runDir = `${places.runDir}/containers/${id}`;
  const stateDir = `${isTransient ? transientsDirectory(places) : `${places.stateDir}/containers`}/${id}`;
  const dataDir = isTransient ? runDir : stateDir;
  return {
    runDir,
    dataDir,
    socket: `${runDir}/monitor.sock`,
    exitRecord: `${dataDir}/exit`,
    sandbox: sandboxPlace(runDir),
    shm: `${runDir}/shm`,
    log: `${dataDir}/log`,
    layers: `${stateDir}/layers`,
    files: stateDir,
    owned: [runDir, stateDir],
  };
}

/** The path of a container's network namespace, whatever keeps that alive. @param runDir the container's */
export function sandboxPlace(runDir: string): string {
  return `${runDir}/netns`;
}

/** The directory of all volumes. */
export function volumesDirectory(places: Places): string {
  return `${places.stateDir}/volumes`;
}

/** The directory with a volume's data. */
export function volumePath(places: Places, name: string): string {
  return `${volumesDirectory(places)}/${name}/_data`;
}

/** A second mount point, besides the root's, on which each container's process makes mounts of its own. */
export function partPlace(places: Places): string {
  return `${places.runDir}/part`;
}

/** The mount point on which each container's process assembles its /proc, /dev and /sys. */
export function framePlace(places: Places): string {
  return `${places.runDir}/frame`;
}

/** The directory of what `--rm` containers write to the disk; other containers are in `containers`. */
export function transientsDirectory(places: Places): string {
  return `${places.stateDir}/transient`;
}
