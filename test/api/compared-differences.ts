/** Where our answers differ from Docker's, and why. A difference that is not here fails the comparison. */

export interface Reason {
  /** Of places in the answers: "body.HostConfig.Runtime". */
  readonly at: RegExp;
  /** Of calls, where the place alone does not say it. */
  readonly call?: RegExp;
  readonly why: string;
}

/** Those differences are listed word by word. */
export const messagesDiffer =
  "says which value is wrong and what to do, or has the words of newer Docker versions; what clients match on stays";

const reasons: readonly Reason[] = [
  {
    at: /^body\.message$/,
    why: messagesDiffer,
  },
  {
    at: /^body\.(Version|ApiVersion|MinAPIVersion|GitCommit|GoVersion|BuildTime|Platform|Components|ServerVersion|ID|DockerRootDir)/,
    why: "who it is, and where its folders are",
  },
  {
    at: /^body\.(Driver|DriverStatus)|GraphDriver/,
    why: "another storage driver; where its directories are is its own business",
  },
  {
    at: /^body\.(Runtimes|DefaultRuntime|ContainerdCommit|RuncCommit|InitCommit|InitBinary)|HostConfig\.Runtime/,
    why: "no containerd and no runc: the executor starts containers",
  },
  {
    at: /^body\.Plugins|^body\.RegistryConfig/,
    why: "what there is: three log drivers, bridge, macvlan and ipvlan networks, no plug-ins",
  },
  { at: /^body\.KernelMemory/, why: "the kernel has given this limit up, and refuses it" },
  { at: /^body\.(NFd|NGoroutines|NEventsListener)$/, why: "counts of this process" },
  { at: /^body\.LiveRestoreEnabled$/, why: "containers outlive the engine, always" },
  { at: /^body\.SecurityOptions$/, why: "the default profile's newer name; cgroup namespaces are private on v1 too" },
  { at: /CgroupnsMode$/, why: "private on v1 too: stricter than Docker" },
  { at: /MaskedPaths$/, why: "those of newer Docker versions" },
  { at: /LogConfig\.Config\.max-/, why: "logs rotate by default, 3 files of 10 MB" },
  { at: /RestartPolicy\.Name$|PortBindings$/, why: "as newer Docker versions write nothing" },
  { at: /^body\.(HostnamePath|HostsPath|LogPath|ResolvConfPath)$/, why: "its own folders; known from the create on" },
  {
    at: /NetworkSettings|^body\.State\.Pid$/,
    why: "ids of this run; fields that newer API versions have; a container without a network has no sandbox of its own kind",
  },
  {
    at: /^body\.(State\.)?Error$/,
    why: "null is left out, as newer versions do; the words of a failed start are those of newer versions",
  },
  { at: /^body(\[\])?\.Size(RootFs|Rw)$/, why: "the image `host` takes nothing; 0 is told" },
  { at: /_stats\./, call: /stats/, why: "what this container used; more of the kernel's counters" },
  { at: /^body\.Processes$/, call: /top/, why: "ids of this run" },
  { at: /^body\.Warnings$/, why: "an empty list is one" },
  {
    at: /^body\.(ExecIDs|Config\.Env)$/,
    why: "an empty list is one; an exec that was never started is listed until its container ends",
  },
  { at: /^status$/, call: /unpause/, why: "409 as for every other wrong state; Docker answers 500" },
  {
    at: /^status$/,
    call: /filters=not-json|limit=many/,
    why: "400 for what is wrong with the request; Docker answers 500",
  },
  {
    at: /^(status|body\.StatusCode)$/,
    call: /condition=someday/,
    why: "a condition that is none is refused; Docker 20.10 takes it for not-running",
  },
  { at: /./, call: /\/images\/(json|host)/, why: "`host` is no stored image: this machine itself" },
  { at: /Mountpoint$/, why: "its own folders" },
  { at: /^body$/, call: /missing\/attach/, why: "JSON as every other error; Docker 20.10 writes the bare words" },
];

/** What programs look for in Docker's messages. It stands in ours too, with the same names in it. */
const phrases: readonly RegExp[] = [
  /No such (container|image|exec instance|volume): \S+/i,
  /\bContainer \S+ is (not running|already paused|not paused)/i,
  /The container name "\S+" is already in use by container "\S+"/,
  /Invalid container name/,
  /\bno such file or directory\b/,
  /executable file not found in \$PATH/,
  /invalid signal: \S+/i,
  /invalid filter '\w+/i,
  /you must choose at least one stream/,
];

/** The phrase that Docker's message has and ours lacks; undefined: none. */
export function lostPhrase(theirs: string, ours: string): string | undefined {
  const own = ours.toLowerCase();
  return phrases
    .map((phrase) => phrase.exec(theirs)?.[0])
    .find((found) => found !== undefined && !own.includes(found.toLowerCase()));
}

export function reasonFor(at: string, call: string): string | undefined {
  return reasons.find((reason) => reason.at.test(at) && (reason.call === undefined || reason.call.test(call)))?.why;
}
