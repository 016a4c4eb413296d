/** Runs a container for a test: Docker's default one over a small root of its own, without engine and supervisor. */

import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { allCapabilities, defaultCapabilities } from "../../src/kernel/capabilities.ts";
import { type CgroupLayout, parseCgroupLayout } from "../../src/kernel/cgroup/layout.ts";
import { planGroupParent, type ReadText } from "../../src/kernel/cgroup/parent.ts";
import { runOneShot } from "../../src/kernel/executor-one-shot.ts";
import { parseMountInfo } from "../../src/kernel/mountinfo.ts";
import type { RootSource } from "../../src/kernel/root-source.ts";
import { type DefaultSpecInput, defaultSpec } from "../../src/runtime/default-spec.ts";
import { readHostFacts, readMachineFacts } from "../../src/runtime/machine-facts.ts";
import { type ContainerPlanInput, groupPathOf, planContainer } from "../../src/runtime/plan-container.ts";
import { planRemoval } from "../../src/runtime/plan-removal.ts";
import type { RuntimeSpec } from "../../src/spec/runtime-spec.ts";
import { planDirectory } from "../../src/storage/directory.ts";
import { chooseUpper } from "../../src/storage/upper.ts";
import { executorPath, type Scratch, seededPoint } from "./harness.ts";

const readText: ReadText = (path) => (existsSync(path) ? readFileSync(path, "utf8") : undefined);

const mountTable = () => parseMountInfo(readFileSync("/proc/self/mountinfo", "utf8"));

/** This machine's cgroups, with /orlop ready for containers: it stays, so it is made before any test looks for leaks. */
export const cgroups = await readyCgroups();

async function readyCgroups(): Promise<CgroupLayout> {
  const mounts = mountTable();
  const top = mounts.find((mount) => mount.fstype === "cgroup2")?.mountPoint ?? "";
  const layout = parseCgroupLayout(mounts, readText(`${top}/cgroup.controllers`) ?? "");
  if (existsSync(executorPath) && process.getuid?.() === 0)
    await runOneShot(planGroupParent(layout, "/orlop", readText), { executable: executorPath });
  return layout;
}

/** A root with busybox as every command, and nothing else. */
export function busyboxRoot(directory: string): string {
  const root = join(directory, "rootfs");
  for (const name of ["bin", "etc", "proc", "sys", "dev", "tmp"]) mkdirSync(join(root, name), { recursive: true });
  copyFileSync(Bun.which("busybox") ?? "", join(root, "bin/busybox"));
  const { stdout } = Bun.spawnSync([join(root, "bin/busybox"), "--install", join(root, "bin")]);
  if (stdout.length > 0) throw new Error(stdout.toString());
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  return root;
}

export interface ContainerResult {
  readonly stdout: string;
  readonly stderr: string;
  /** As waitpid(2) gives it. */
  readonly status: number;
}

export interface ContainerOptions {
  readonly privileged?: boolean;
  readonly readonlyRoot?: boolean;
  readonly namespaces?: DefaultSpecInput["namespaces"];
  /** Changes to the default specification. */
  readonly change?: (spec: RuntimeSpec) => RuntimeSpec;
  /** In place of the busybox root. */
  readonly root?: (directory: string) => RootSource;
  readonly input?: Partial<ContainerPlanInput>;
  /** A program in front of the executor. */
  readonly executable?: string;
  /** The exit record goes to the disk, as a container's does that is kept. */
  readonly syncExit?: boolean;
}

/** Runs `script` with sh in a container, and removes it. */
export async function runContainer(
  scratch: Scratch,
  script: string,
  options: ContainerOptions = {},
): Promise<ContainerResult> {
  const id = `test-${crypto.randomUUID()}`;
  const state = join(scratch.directory, id);
  mkdirSync(state);
  const capabilities = options.privileged === true ? allCapabilities() : defaultCapabilities;
  const spec = (options.change ?? ((same) => same))(
    defaultSpec({
      process: {
        args: ["/bin/sh", "-c", script],
        cwd: "/",
        env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
        user: { uid: 0, gid: 0, additionalGids: [0] },
        capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      },
      hostname: "box",
      privileged: options.privileged ?? false,
      readonlyRoot: options.readonlyRoot ?? false,
      shmSizeBytes: 64 * 1024 * 1024,
      namespaces: options.namespaces ?? {},
      machine: readMachineFacts(),
    }),
  );
  const root = options.root?.(state) ?? directoryRoot(scratch, state);
  const log = join(state, "log");
  const steps = planContainer({
    id,
    spec,
    root,
    cgroups,
    monitor: {
      socketPath: join(state, "monitor.sock"),
      exitRecord: { path: join(state, "exit"), sync: options.syncExit ?? false, wake: "" },
      log: {
        driver: "json-file",
        path: log,
        maxSizeBytes: 0,
        maxFiles: 1,
        dropWhenSlow: false,
        bufferBytes: 1 << 20,
        attributes: {},
      },
      streams: { stdin: false, stdout: true, stderr: true },
      keepStdin: false,
    },
    host: readHostFacts(),
    files: [],
    filesDirectory: state,
    framePoint: join(state, "frame"),
    gate: false,
    init: false,
    targets: [],
    ...options.input,
  });
  try {
    const { exited } = await runOneShot(steps, { executable: options.executable ?? executorPath, env: seededPoint });
    return { ...output(log), status: exited?.status ?? -1 };
  } finally {
    const removal = planRemoval({ cgroups, groupPath: groupPathOf(id, spec), owned: root.owned });
    await runOneShot(removal, { executable: executorPath, env: seededPoint });
  }
}

function directoryRoot(scratch: Scratch, state: string): RootSource {
  const rootfs = join(scratch.directory, "rootfs");
  const places = { directory: join(state, "upper"), memory: join(state, "memory"), removedAtExit: true };
  return planDirectory({
    directory: existsSync(rootfs) ? rootfs : busyboxRoot(scratch.directory),
    mountPoint: join(state, "root"),
    upper: chooseUpper(mountTable(), places),
    hidden: [],
    view: { mounts: mountTable() },
  });
}

function output(log: string): { stdout: string; stderr: string } {
  const lines = readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { log: string; stream: "stdout" | "stderr" });
  const of = (stream: string) =>
    lines
      .filter((line) => line.stream === stream)
      .map((line) => line.log)
      .join("");
  return { stdout: of("stdout"), stderr: of("stderr") };
}
