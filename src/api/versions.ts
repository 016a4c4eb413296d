/**
 * What differs for clients of older API versions: one row for each behaviour, with the first version that has today's (from Docker's
 * "Engine API version history", as far as dockerd still makes the difference). Everything else is the same for every version.
 */

interface Change {
  /** Minor version: 44 for 1.44. */
  readonly since: number;
  /** Docker's names of the operations. */
  readonly operations: readonly string[];
  /** The behaviour since then, and before. */
  readonly what: string;
}

function change(since: number, operations: string, what: string): Change {
  return { since, operations: operations.split(" "), what };
}

export const changes = {
  autoRemove: change(
    25,
    "ContainerCreate",
    "AutoRemove is carried out; before, it was the client's business, and is ignored",
  ),
  infoOptions: change(25, "SystemInfo", "SecurityOptions are name=value; before, names"),
  networkMembers: change(28, "NetworkList", "a list has no containers; before, it has"),
  waitCondition: change(30, "ContainerWait", "condition is read; before, it is ignored"),
  pullPlatform: change(32, "ImageCreate", "platform is read; before, it is ignored"),
  nonRecursiveBind: change(40, "ContainerCreate", "BindOptions.NonRecursive is read; before, it is ignored"),
  privateIpc: change(40, "ContainerCreate", "IpcMode is private by default; before, shareable"),
  updatePids: change(40, "ContainerUpdate", "PidsLimit is read; before, it is ignored"),
  createPlatform: change(41, "ContainerCreate", "platform is read; before, it is ignored"),
  imageFilter: change(41, "ImageList", "filter is gone; before, it is a reference"),
  oneShot: change(41, "ContainerStats", "one-shot is read; before, it is ignored"),
  attachedStreams: change(42, "ContainerAttachWebsocket", "the streams are chosen; before, all are attached"),
  builderSize: change(42, "SystemDataUsage", "BuilderSize is gone"),
  consoleSize: change(42, "ContainerCreate ContainerExec ExecStart", "ConsoleSize is read; before, it is ignored"),
  createMountpoint: change(42, "ContainerCreate", "BindOptions.CreateMountpoint is read; before, it is ignored"),
  pruneNamed: change(42, "VolumePrune", "volumes with a name stay; before, they go"),
  sharedSize: change(42, "ImageList", "shared-size is read; before, it is ignored"),
  stopSignal: change(42, "ContainerStop ContainerRestart", "signal is read; before, it is ignored"),
  streamType: change(
    42,
    "ContainerAttach ContainerLogs ExecStart",
    "the content type says whether streams are framed; before, it is raw-stream",
  ),
  usageType: change(42, "SystemDataUsage", "type is read; before, it is ignored"),
  annotations: change(43, "ContainerCreate", "Annotations are read; before, they are ignored"),
  noName: change(43, "ImageList SystemDataUsage", "an image without a name has empty lists; before, <none>"),
  endpointMac: change(
    44,
    "ContainerCreate",
    "an endpoint's MacAddress is read, and the container's is warned of; before, the container's alone is read",
  ),
  imageCreated: change(44, "ImageInspect", "an unknown Created is left out; before, it is Go's zero time"),
  readOnlyBelow: change(
    44,
    "ContainerCreate",
    "BindOptions.ReadOnlyNonRecursive and ReadOnlyForceRecursive are read; before, they are ignored",
  ),
  severalNetworks: change(44, "ContainerCreate", "several networks may be asked for; before, one"),
  startInterval: change(44, "ContainerCreate", "Healthcheck.StartInterval is read; before, it is ignored"),
  virtualSize: change(44, "ImageList ImageInspect SystemDataUsage", "VirtualSize is gone"),
  shortAlias: change(45, "ContainerInspect", "Aliases are those asked for; before, the short id is among them"),
  volumeSubpath: change(45, "ContainerCreate", "VolumeOptions.Subpath is read; before, it is ignored"),
  listedAnnotations: change(46, "ContainerList", "HostConfig has Annotations"),
  pushPlatform: change(46, "ImagePush", "platform is read; before, it is ignored"),
  tmpfsOptions: change(46, "ContainerCreate", "TmpfsOptions.Options are read; before, they are ignored"),
  listedManifests: change(47, "ImageList", "manifests is read; before, it is ignored"),
  archivedPlatform: change(48, "ImageGet ImageGetAll ImageLoad", "platform is read; before, it is ignored"),
  gatewayPriority: change(48, "ContainerCreate NetworkConnect", "GwPriority is read; before, it is ignored"),
  historyPlatform: change(48, "ImageHistory", "platform is read; before, it is ignored"),
  imageDescriptor: change(48, "ImageInspect", "Descriptor is there"),
  imageManifests: change(48, "ImageInspect", "manifests is read; before, it is ignored"),
  imageMounts: change(48, "ContainerCreate", "mounts of type image are made; before, they are refused"),
  withoutIpv4: change(48, "NetworkCreate", "EnableIPv4 is read; before, it is ignored"),
  inspectPlatform: change(49, "ImageInspect", "platform is read; before, it is ignored"),
  expectedCommits: change(49, "SystemInfo", "the commits' Expected is gone"),
  bridgeFilters: change(50, "SystemInfo", "BridgeNfIptables and BridgeNfIp6tables are gone"),
  leanImage: change(50, "ImageInspect", "Config has what the image says; before, every field of a container's"),
  removedPlatforms: change(50, "ImageDelete", "platforms is read; before, it is ignored"),
  countedContainers: change(51, "ImageList", "Containers are counted; before, -1"),
} as const satisfies Record<string, Change>;

export type ChangeName = keyof typeof changes;

/** Whether a client of this version gets the behaviour of that row. */
export function has(apiMinor: number, name: ChangeName): boolean {
  return apiMinor >= changes[name].since;
}
