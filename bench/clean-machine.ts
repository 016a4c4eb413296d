/** A Debian 12 machine on which nothing was installed: a root by mmdebstrap, with processes and mounts of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./case.ts";

/** What a run printed, and when. */
export interface Watched {
  readonly exitCode: number;
  readonly seconds: number;
  /** The longest time without a word, in seconds. */
  readonly silentSeconds: number;
  readonly output: string;
}

/** A site's own authority for TLS, in a file. */
const authority = process.env["NODE_EXTRA_CA_CERTS"];

/** Gives the clean machine its mounts and devices, says so, and stays as its first process. $1: its root, $2: what is cloned. */
const bootScript = `set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sys sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount -t devtmpfs dev dev
mkdir -p dev/pts dev/shm source-of-clone
mount -t devpts -o newinstance,ptmxmode=0666,gid=5,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
mount -t tmpfs -o mode=755 run run
mount --bind "$2" source-of-clone
cat /etc/resolv.conf >etc/resolv.conf
mkdir old-root
pivot_root . old-root
umount -l /old-root
rmdir /old-root
cd /root
hostname clean
echo up
while :; do sleep 1000; done
`;

export class CleanMachine {
  readonly #directory: string;
  /** unshare; its only child is the machine's first process, and ends with it. */
  readonly #keeper: ChildProcess;

  /**
   * @param cache where the root that mmdebstrap made is kept
   * @param source the repository that is cloned inside, as /source-of-clone
   */
  static async make(cache: string, source: string): Promise<CleanMachine> {
    const made = join(cache, "root");
    if (!existsSync(made)) {
      mkdirSync(cache, { recursive: true });
      rmSync(`${made}.new`, { recursive: true, force: true });
      await runCommand(["mmdebstrap", "--quiet", "--variant=important", "bookworm", `${made}.new`]);
      renameSync(`${made}.new`, made);
    }
    const directory = mkdtempSync(join(cache, "machine-"));
    const root = join(directory, "root");
    await runCommand(["cp", "-a", made, root]);
    // What is committed, in a repository that is whole: a working tree may have its history elsewhere.
    const clone = join(directory, "source.git");
    await runCommand(["git", "clone", "--quiet", "--bare", source, clone]);
    // Debian's packages start no service in a machine without an init.
    writeFileSync(join(root, "usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n", { mode: 0o755 });
    if (authority !== undefined) cpSync(authority, join(root, "root/authority.pem"), { dereference: true });
    writeFileSync(join(directory, "boot.sh"), bootScript);
    const keeper = spawn(
      "unshare",
      ["--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "sh", join(directory, "boot.sh"), root, clone],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    await new Promise<void>((resolve, reject) => {
      keeper.stdout.once("data", () => resolve());
      keeper.once("exit", () => reject(new Error("the clean machine did not start: see above")));
    });
    return new CleanMachine(directory, keeper);
  }

  private constructor(directory: string, keeper: ChildProcess) {
    this.#directory = directory;
    this.#keeper = keeper;
  }

  /** Runs a shell's line there, as root in `directory`, on a terminal. What is printed passes through `tell`. */
  async run(line: string, directory: string, input: string, tell: (text: string) => void): Promise<Watched> {
    const { pid } = this.#keeper;
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    const words = [
      ...["nsenter", `--target=${first}`, "--mount", "--pid", "--uts", "--ipc", `--wdns=${directory}`],
      ...["script", "--quiet", "--return", "--flush", "--command", line, "/dev/null"],
    ];
    const begun = performance.now();
    const child = spawn(words[0] as string, words.slice(1), {
      stdio: ["pipe", "pipe", "pipe"],
      env: {
        ...{ PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", TERM: "xterm" },
        ...(authority === undefined ? {} : { NODE_EXTRA_CA_CERTS: "/root/authority.pem" }),
      },
    });
    let output = "";
    let last = begun;
    let silentMs = 0;
    const heard = (bytes: Buffer): void => {
      silentMs = Math.max(silentMs, performance.now() - last);
      last = performance.now();
      output += bytes.toString();
      tell(bytes.toString());
    };
    child.stdout.on("data", heard);
    child.stderr.on("data", heard);
    child.stdin.on("error", () => undefined); // what ended early reads no more
    child.stdin.end(input);
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve(code ?? -1));
    });
    const end = performance.now();
    silentMs = Math.max(silentMs, end - last);
    return { exitCode, seconds: (end - begun) / 1000, silentSeconds: silentMs / 1000, output };
  }

  /** With all its processes. */
  async remove(): Promise<void> {
    const ended = new Promise((resolve) => this.#keeper.once("exit", resolve));
    this.#keeper.kill("SIGKILL");
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
