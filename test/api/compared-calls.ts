/** The same calls on dockerd and on Orlop, and where their answers differ. */

import { request as httpRequest } from "node:http";

export interface ComparedCall {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** Its answer is not looked at: it prepares the next ones. */
  readonly silent?: true;
}

export interface Answer {
  readonly status: number;
  /** JSON where it is some. */
  readonly body: unknown;
}

const full = {
  Image: "host",
  Cmd: ["sh", "-c", "echo out; echo err >&2; exit 3"],
  Env: ["A=1", "B=two words"],
  Labels: { tier: "front" },
  WorkingDir: "/tmp",
  User: "0:0",
  Hostname: "named",
  StopSignal: "SIGUSR1",
  HostConfig: {
    NetworkMode: "none",
    Memory: 64 << 20,
    CpuShares: 512,
    PidsLimit: 50,
    ReadonlyRootfs: false,
    CapAdd: ["NET_ADMIN"],
    Ulimits: [{ Name: "nofile", Soft: 64, Hard: 128 }],
    Tmpfs: { "/scratch": "size=1m" },
    LogConfig: { Type: "json-file", Config: { "max-size": "1m" } },
  },
};

const none = { HostConfig: { NetworkMode: "none" } };
const sleeping = { Image: "host", Cmd: ["sleep", "1000"], ...none };

/** In order, on two engines that have nothing but the image `host`. */
export const comparedCalls: readonly ComparedCall[] = [
  { method: "GET", path: "/_ping" },
  { method: "GET", path: "/version" },
  { method: "GET", path: "/info" },
  { method: "GET", path: "/containers/json" },
  { method: "POST", path: "/containers/create?name=one", body: full },
  { method: "GET", path: "/containers/one/json" },
  { method: "GET", path: "/containers/json?all=1" },
  { method: "POST", path: "/containers/one/start" },
  { method: "POST", path: "/containers/one/wait" },
  { method: "GET", path: "/containers/one/json" },
  { method: "GET", path: "/containers/json?all=1" },
  { method: "GET", path: "/containers/json?all=1&size=1" },
  { method: "POST", path: "/containers/one/stop" },
  { method: "POST", path: "/containers/one/kill" },
  { method: "POST", path: "/containers/one/pause" },
  { method: "POST", path: "/containers/one/unpause" },
  { method: "POST", path: "/containers/one/resize?h=1&w=1" },
  { method: "POST", path: "/containers/one/rename?name=one" },
  { method: "POST", path: "/containers/one/rename?name=" },
  { method: "POST", path: "/containers/one/rename?name=-bad" },
  { method: "POST", path: "/containers/create?name=one", body: full },
  { method: "POST", path: "/containers/create?name=-bad", body: full },
  { method: "POST", path: "/containers/create", body: { Image: "missing", Cmd: ["true"] } },
  { method: "POST", path: "/containers/create", body: { Image: "host", Cmd: ["true"], HostConfig: { Memory: 1000 } } },
  {
    method: "POST",
    path: "/containers/create",
    body: { Image: "host", Cmd: ["true"], HostConfig: { Memory: 64 << 20, MemorySwap: 32 << 20 } },
  },
  { method: "POST", path: "/containers/create?name=two", body: sleeping },
  { method: "POST", path: "/containers/two/start" },
  { method: "POST", path: "/containers/two/start" },
  { method: "GET", path: "/containers/two/json" },
  { method: "GET", path: "/containers/json" },
  { method: "GET", path: "/containers/two/stats?stream=0&one-shot=1" },
  { method: "GET", path: "/containers/two/top" },
  { method: "GET", path: "/containers/two/changes" },
  { method: "POST", path: "/containers/two/pause" },
  { method: "POST", path: "/containers/two/pause" },
  { method: "POST", path: "/containers/two/start" },
  { method: "GET", path: "/containers/two/json" },
  { method: "GET", path: "/containers/json" },
  { method: "DELETE", path: "/containers/two" },
  { method: "POST", path: "/containers/two/unpause" },
  { method: "POST", path: "/containers/two/unpause" },
  { method: "DELETE", path: "/containers/two" },
  { method: "POST", path: "/containers/two/rename?name=one" },
  { method: "POST", path: "/containers/two/rename?name=three" },
  { method: "POST", path: "/containers/three/update", body: { CpuShares: 200, PidsLimit: 60 } },
  { method: "POST", path: "/containers/one/update", body: { Memory: 512 << 20 } },
  { method: "POST", path: "/containers/one/update", body: { Memory: 1000 } },
  { method: "POST", path: "/containers/three/exec", body: { Cmd: ["true"] } },
  { method: "POST", path: "/containers/one/exec", body: { Cmd: ["true"] } },
  { method: "POST", path: "/containers/three/exec", body: {} },
  { method: "POST", path: "/containers/three/kill?signal=NOSUCH" },
  { method: "POST", path: "/containers/three/kill?signal=9" },
  { method: "POST", path: "/containers/three/wait" },
  { method: "GET", path: "/containers/three/json" },
  { method: "POST", path: "/containers/create?name=four", body: { Image: "host", Cmd: ["/no/such"], ...none } },
  { method: "POST", path: "/containers/four/start" },
  { method: "GET", path: "/containers/four/json" },
  { method: "GET", path: "/containers/missing/json" },
  { method: "POST", path: "/containers/missing/start" },
  { method: "DELETE", path: "/containers/missing" },
  { method: "GET", path: "/containers/json?filters=%7B%22status%22%3A%5B%22asleep%22%5D%7D" },
  { method: "GET", path: "/containers/json?filters=%7B%22unheard%22%3A%5B%22of%22%5D%7D" },
  { method: "GET", path: "/containers/json?filters=not-json" },
  { method: "GET", path: "/containers/json?limit=many" },
  { method: "GET", path: "/containers/one/logs" },
  { method: "POST", path: "/containers/one/wait?condition=someday" },
  { method: "GET", path: "/events?since=20&until=10" },
  { method: "GET", path: "/nothing/here" },
  { method: "POST", path: "/containers/prune" },
  { method: "GET", path: "/containers/json?all=1" },
  { method: "GET", path: "/images/json" },
  { method: "GET", path: "/images/host/json" },
  { method: "GET", path: "/images/missing/json" },
  ...["stop", "restart", "kill", "pause", "unpause", "resize?h=1&w=1", "rename?name=other", "wait", "attach"].map(
    (what) => ({
      method: "POST",
      path: `/containers/missing/${what}`,
    }),
  ),
  ...["logs?stdout=1", "stats?stream=0", "top", "changes", "export", "archive?path=/"].map((what) => ({
    method: "GET",
    path: `/containers/missing/${what}`,
  })),
  { method: "POST", path: "/containers/missing/update", body: { CpuShares: 200 } },
  { method: "POST", path: "/containers/missing/exec", body: { Cmd: ["true"] } },
  { method: "PUT", path: "/containers/missing/archive?path=/" },
  { method: "GET", path: "/exec/missing/json" },
  { method: "POST", path: "/exec/missing/start", body: { Detach: true } },
  { method: "POST", path: "/exec/missing/resize?h=1&w=1" },
  { method: "POST", path: "/containers/create?name=five", body: sleeping },
  { method: "GET", path: "/containers/five/changes" },
  { method: "POST", path: "/containers/five/restart?t=0" },
  { method: "GET", path: "/containers/five/archive?path=/missing" },
  { method: "GET", path: "/containers/five/archive" },
  { method: "GET", path: "/containers/five/json?size=1" },
  { method: "POST", path: "/containers/five/resize?h=1&w=1" },
  { method: "POST", path: "/containers/five/resize" },
  { method: "DELETE", path: "/containers/five?force=1" },
  { method: "GET", path: "/volumes" },
  { method: "POST", path: "/volumes/create", body: { Name: "b" } },
  { method: "POST", path: "/volumes/create", body: { Name: "other", Driver: "foo" } },
  { method: "POST", path: "/volumes/create", body: { Name: "other", DriverOpts: { type: "tmpfs" } } },
  { method: "GET", path: "/volumes?filters=%7B%22unheard%22%3A%5B%22of%22%5D%7D" },
  { method: "GET", path: "/volumes?filters=%7B%22dangling%22%3A%5B%22maybe%22%5D%7D" },
  { method: "POST", path: "/volumes/create", body: { Name: "pruned" } },
  { method: "GET", path: "/volumes?filters=%7B%22dangling%22%3A%5B%22true%22%5D%7D" },
  { method: "POST", path: "/volumes/prune" },
  { method: "DELETE", path: "/volumes/missing" },
  { method: "DELETE", path: "/volumes/missing?force=1" },
  { method: "POST", path: "/volumes/create", body: { Name: "data", Labels: { a: "b" } } },
  { method: "GET", path: "/volumes/data" },
  { method: "DELETE", path: "/volumes/data" },
  { method: "GET", path: "/volumes/data" },
];

/** One call, at the newest version that both speak. */
export function call(socketPath: string, { method, path, body }: ComparedCall): Promise<Answer> {
  const text = body === undefined ? "" : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { socketPath, method, path: `/v1.41${path}`, headers: { "Content-Type": "application/json" } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString()) }),
        );
      },
    );
    request.on("error", reject);
    request.end(text);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Every place at which two answers differ: "State.Pid" → both values, as JSON. undefined: it is not there. */
export function differences(theirs: unknown, ours: unknown, at = ""): Map<string, [string, string]> {
  const found = new Map<string, [string, string]>();
  if (isObject(theirs) && isObject(ours)) {
    for (const key of new Set([...Object.keys(theirs), ...Object.keys(ours)]))
      for (const [path, values] of differences(theirs[key], ours[key], at === "" ? key : `${at}.${key}`))
        found.set(path, values);
    return found;
  }
  if (Array.isArray(theirs) && Array.isArray(ours) && theirs.length === ours.length && theirs.some(isObject)) {
    for (const [i, one] of theirs.entries())
      for (const [path, values] of differences(one, ours[i], `${at}[]`)) found.set(path, values);
    return found;
  }
  const [a, b] = [JSON.stringify(theirs), JSON.stringify(ours)];
  if (a !== b) found.set(at, [a ?? "undefined", b ?? "undefined"]);
  return found;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What is particular to one run is the same word in both. */
export function normalise(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalise);
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, normalise(one)]));
  if (typeof value !== "string") return value;
  return value
    .replace(/\b[0-9a-f]{64}\b/g, "ID")
    .replace(/\b[0-9a-f]{12}\b/g, "SHORT-ID")
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, (time) =>
      time.startsWith("0001") ? time : "TIME",
    )
    .replace(/^(Up|Exited \(\d+\)) .*?(ago)?( \(Paused\))?$/, "$1 AGE$3")
    .replace(/^Less than a second.*$/, "AGE");
}
