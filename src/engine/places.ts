/** Where the engine keeps things. Nothing outside these folders is the engine's. */

export interface Places {
  /** Sockets, and what a reboot may lose. */
  readonly runDir: string;
  /** What must last. */
  readonly stateDir: string;
}

/** In a container's run directory: its group's path, where it is not below Orlop's own. */
export const GROUP_FILE = "group";

/** The folders of one container. */
export interface ContainerPlaces {
  /** The monitor's socket. */
  readonly runDir: string;
  /** Log and exit record: in the run directory too for a `--rm` container. */
  readonly dataDir: string;
  readonly socket: string;
  readonly exitRecord: string;
  /** A link to its network namespace, while it is in networks and runs. */
  readonly sandbox: string;
  /** Shared memory that other containers may have too, mounted while it runs. */
  readonly shm: string;
  readonly log: string;
  /** Upper directories of the root's overlays; on disk for a `--rm` container too, whose writes must not fill memory. */
  readonly layers: string;
  /** Its /etc/hosts and the like, which it can write as well: on disk for the same reason, and /run is everybody's. */
  readonly files: string;
  /** All of these: removed with the container. */
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

/** Where a container's network namespace is, whoever holds it. @param runDir the container's */
export function sandboxPlace(runDir: string): string {
  return `${runDir}/netns`;
}

/** Every volume's directory is in here. */
export function volumesDirectory(places: Places): string {
  return `${places.stateDir}/volumes`;
}

/** Where a volume's data lies. */
export function volumePath(places: Places, name: string): string {
  return `${volumesDirectory(places)}/${name}/_data`;
}

/** A second place, beside the root's, that each container's process covers with mounts of its own. */
export function partPlace(places: Places): string {
  return `${places.runDir}/part`;
}

/** Where each container's process makes its frame: the kernel's file systems. */
export function framePlace(places: Places): string {
  return `${places.runDir}/frame`;
}

/** What `--rm` containers write to the disk; the kept ones' folders are in `containers`. */
export function transientsDirectory(places: Places): string {
  return `${places.stateDir}/transient`;
}
