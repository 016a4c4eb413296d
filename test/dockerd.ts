/** A docker daemon of the test's own, for comparisons: its own folders and socket, no bridge, ended by its own pid. */

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, type RunOptions, runProgram } from "./product.ts";
import { waitUntil } from "./wait-until.ts";

const startMs = 30_000;
const stopMs = 15_000;
const program = "/usr/sbin/dockerd";

export class Dockerd implements AsyncDisposable {
  readonly host: string;
  readonly #child: Bun.Subprocess;
  readonly #directory: string;

  private constructor(host: string, child: Bun.Subprocess, directory: string) {
    this.host = host;
    this.#child = child;
    this.#directory = directory;
  }

  /** @param directory must not lie on an overlay */
  static async start(
    directory: string,
    flags: readonly string[] = ["--bridge=none"],
    /** What starts the daemon, e.g. in a network namespace of its own. */
    starter: readonly string[] = [],
  ): Promise<Dockerd> {
    mkdirSync(directory, { recursive: true });
    const host = `unix://${directory}/docker.sock`;
    const folders = ["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec")];
    const child = Bun.spawn(
      [...starter, program, ...folders, "--pidfile", join(directory, "pid"), "-H", host, "--iptables=false", ...flags],
      { stdin: "ignore", stdout: Bun.file(join(directory, "log")), stderr: Bun.file(join(directory, "log")) },
    );
    const daemon = new Dockerd(host, child, directory);
    await waitUntil(async () => (await daemon.run(["version"])).exitCode === 0, startMs, "dockerd answers");
    return daemon;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The docker command line on this daemon. */
  run(words: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return runProgram(["docker", ...words], { ...options, env: { ...options.env, DOCKER_HOST: this.host } });
  }

  async ok(...words: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(words);
    if (exitCode !== 0) throw new Error(`docker ${words.join(" ")}: exit code ${exitCode}: ${stderr}`);
    return stdout.trimEnd();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopMs);
    await this.#child.exited;
    clearTimeout(timer);
    for (const place of mountsBelow(this.#directory)) spawnSync("umount", ["-l", place]);
  }
}

/** What a daemon leaves mounted, the deepest first: its data on itself, the network namespaces of its containers. */
function mountsBelow(directory: string): string[] {
  const places = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  return places.filter((place) => place.startsWith(`${directory}/`)).toReversed();
}
