/** Where the engine keeps things. Nothing outside these folders is the engine's. */

export interface Places {
  /** Sockets, and what a reboot may lose. */
  readonly runDir: string;
  /** What must last. */
  readonly stateDir: string;
}

/** The folders of one container. */
export interface ContainerPlaces {
  /** The monitor's socket. */
  readonly runDir: string;
  /** Log, exit record and changes to the root: in the run directory too for a `--rm` container. */
  readonly dataDir: string;
  readonly socket: string;
  readonly exitRecord: string;
  readonly log: string;
  /** Upper directories of the root's overlays. */
  readonly layers: string;
}

export function containerPlaces(places: Places, id: string, isTransient: boolean): ContainerPlaces {
  const runDir = `${places.runDir}/containers/${id}`;
  const dataDir = isTransient ? runDir : `${places.stateDir}/containers/${id}`;
  return {
    runDir,
    dataDir,
    socket: `${runDir}/monitor.sock`,
    exitRecord: `${dataDir}/exit`,
    log: `${dataDir}/log`,
    layers: `${dataDir}/layers`,
  };
}
