import { expect, test } from "bun:test";
import { allCapabilities, defaultCapabilities } from "../../src/kernel/capabilities.ts";
import type { CgroupLayout } from "../../src/kernel/cgroup/layout.ts";
import { explainPlan } from "../../src/kernel/explain.ts";
import type { RootSource } from "../../src/kernel/root-source.ts";
import { defaultSeccomp } from "../../src/kernel/seccomp/default-profile.ts";
import type { Step } from "../../src/kernel/step.ts";
import { type DefaultSpecInput, defaultSpec } from "../../src/runtime/default-spec.ts";
import { identityFiles } from "../../src/runtime/identity-files.ts";
import { beginningOf, type ContainerPlanInput, planContainer } from "../../src/runtime/plan-container.ts";
import { planRemoval } from "../../src/runtime/plan-removal.ts";
import type { Process, Resources, RuntimeSpec } from "../../src/spec/runtime-spec.ts";
import { expectGolden } from "./golden.ts";

const hierarchies = ["cpu,cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"];
const v1: CgroupLayout = {
  v1: [
    ...hierarchies.map((name) => ({
      mountPoint: `/sys/fs/cgroup/${name}`,
      controllers: name.split(","),
      name: undefined,
    })),
    { mountPoint: "/sys/fs/cgroup/systemd", controllers: [], name: "systemd" },
  ],
  v2: undefined,
};
const v2: CgroupLayout = {
  v1: [],
  v2: { mountPoint: "/sys/fs/cgroup", controllers: ["cpuset", "cpu", "io", "memory", "pids"] },
};

const root: RootSource = {
  prepare: [{ op: "mkdir", path: "/var/lib/orlop/containers/c1/root", mode: 0o700, why: "its changes" }],
  mount: [
    {
      op: "overlay",
      target: "/run/orlop/root",
      lowers: ["/lower"],
      upper: "/var/lib/orlop/containers/c1/root/upper",
      work: "/var/lib/orlop/containers/c1/root/work",
      options: [],
      why: "its image, to be changed at will",
    },
  ],
  mountPoint: "/run/orlop/root",
  furnish: [],
  owned: ["/var/lib/orlop/containers/c1/root"],
};

interface Asked {
  readonly cgroups?: CgroupLayout;
  readonly process?: Partial<Process>;
  readonly spec?: Partial<DefaultSpecInput>;
  readonly resources?: Resources;
  readonly change?: (spec: RuntimeSpec) => RuntimeSpec;
}

function plan({ cgroups = v2, process, spec: asked, resources, change = (spec) => spec }: Asked): Step[] {
  const privileged = asked?.privileged === true;
  const capabilities = privileged ? allCapabilities() : defaultCapabilities;
  const base = defaultSpec({
    process: {
      args: ["sh"],
      cwd: "/",
      env: ["PATH=/bin"],
      user: { uid: 0, gid: 0, additionalGids: [0] },
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      ...process,
    },
    hostname: "box",
    privileged,
    readonlyRoot: false,
    shmSizeBytes: 64 * 1024 * 1024,
    namespaces: {},
    machine: {
      timeNamespaces: true,
      thermalThrottle: ["/sys/devices/system/cpu/cpu0/thermal_throttle"],
      devices: [{ type: "c", path: "/dev/kvm", major: 10, minor: 232, fileMode: 0o660, uid: 0, gid: 104 }],
    },
    ...asked,
  });
  const seccomp = defaultSeccomp({ capabilities: new Set(capabilities), arch: "x86_64" });
  const linux = {
    ...base.linux,
    resources: { ...base.linux?.resources, ...resources },
    ...(privileged ? {} : { seccomp }),
  };
  const input: ContainerPlanInput = {
    id: "c1",
    spec: change({ ...base, linux }),
    root,
    cgroups,
    monitor: {
      socketPath: "/run/orlop/containers/c1/monitor.sock",
      exitRecord: { path: "/var/lib/orlop/containers/c1/exit", sync: true, wake: "/run/orlop/supervisor.sock" },
      log: {
        driver: "local",
        path: "/var/lib/orlop/containers/c1/log",
        maxSizeBytes: 10_000_000,
        maxFiles: 3,
        dropWhenSlow: false,
        bufferBytes: 1 << 20,
        attributes: {},
      },
      streams: { stdin: false, stdout: true, stderr: true },
      keepStdin: false,
    },
    host: { oomScoreAdj: 0, capabilities: (1n << 41n) - 1n, architecture: "x86_64" },
    files: identityFiles({ hostname: "box", address: "127.0.1.1", extraHosts: [] }),
    filesDirectory: "/run/orlop/containers/c1",
    framePoint: "/run/orlop/frame",
    gate: true,
    init: false,
    targets: [],
  };
  return planContainer(input);
}

const limits: Resources = {
  memory: { limit: 67_108_864, swap: 134_217_728 },
  cpu: { quota: 150_000, period: 100_000, shares: 512, cpus: "0-1" },
  pids: { limit: 100 },
};
const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

const cases: Readonly<Record<string, Asked>> = {
  "default-v1": { cgroups: v1 },
  "default-v2": {},
  privileged: { spec: { privileged: true } },
  "read-only": { spec: { readonlyRoot: true } },
  terminal: { process: { terminal: true, consoleSize: { height: 24, width: 80 }, user: { uid: 1000, gid: 1000 } } },
  "no-new-privileges": { process: { noNewPrivileges: true } },
  "host-network": { spec: { namespaces: { network: "host" } } },
  "user-namespace": {
    change: (spec) => ({
      ...spec,
      linux: {
        ...spec.linux,
        namespaces: [...(spec.linux?.namespaces ?? []), { type: "user" }],
        uidMappings: map,
        gidMappings: map,
      },
    }),
  },
  "limits-v1": { cgroups: v1, resources: limits },
  "limits-v2": { resources: limits },
};

test.each(Object.entries(cases))("container %s", (name, asked) => {
  expectGolden(`container-${name}`, plan(asked));
});

test.each(Object.entries(cases))("%s: the child waits where its steps end so far, and ends in exec", (name, asked) => {
  const steps = plan(asked);
  const ops: string[] = steps.map(({ op }) => op);
  const brought = steps.flatMap((step, at) =>
    step.op === "spawn" || step.op === "continue" ? [ops[at + Number(step.steps)]] : [],
  );
  expect(brought).toEqual(["ready", "ready", "exec"]);
  expect(ops.indexOf("exec")).toBe(ops.length - 1);
  const maps = name === "user-namespace" ? ["id-map", "release"] : [];
  const waits = ops.indexOf("ready") + 1;
  expect(ops.slice(waits, waits + 2).filter((op) => ["id-map", "release"].includes(op))).toEqual(maps);
});

const bind = { destination: "/data", type: "bind", source: "/srv/data" };
const withBind = (spec: RuntimeSpec): RuntimeSpec => ({ ...spec, mounts: [...(spec.mounts ?? []), bind] });

test("what is done ahead does not know the program, the user, or what they asked to be mounted", () => {
  const beginning = (asked: Asked) => beginningOf(plan(asked));
  const process = { args: ["other"], env: ["A=b"], cwd: "/srv", user: { uid: 7, gid: 7 } };
  expect(beginning({ process })).toEqual(beginning({}));
  expect(JSON.stringify(beginning({ change: withBind }))).not.toContain("/srv/data");
  expect(beginning({ resources: limits })).not.toEqual(beginning({}));
  expect(beginning({ spec: { privileged: true } })).not.toEqual(beginning({}));
});

test("the root is entered ahead only where nothing is left to be mounted or protected in it", () => {
  const enters = (asked: Asked) => beginningOf(plan(asked)).some(({ op }) => op === "pivot");
  expect(enters({})).toBe(true);
  expect(enters({ spec: { readonlyRoot: true } })).toBe(false);
  expect(enters({ change: withBind })).toBe(false);
});

test.each([
  ["tmpfs", "tmpfs", true],
  ["bind", "/srv/firmware", false],
])(
  "what is asked for in /sys (%s) comes before the masks, and of the host's nothing is taken ahead",
  (type, source, ahead) => {
    const asked = { destination: "/sys/firmware/acpi", type, source };
    const steps = plan({ change: (spec) => ({ ...spec, mounts: [...(spec.mounts ?? []), asked] }) });
    const ops = steps.map(({ op }) => op);
    const mount = steps.findIndex((step) => "target" in step && step.target === asked.destination);
    expect(mount).toBeGreaterThan(ops.indexOf("spawn"));
    expect(ops.indexOf("root-mask")).toBeGreaterThan(mount);
    expect([mount < ops.lastIndexOf("ready"), ops.includes("root-move")]).toEqual([ahead, ahead]);
  },
);

test.each(Object.entries(cases))("%s: every step says why, and can be explained", (_name, asked) => {
  const steps = plan(asked);
  expect(steps.filter((step) => step.why.length < 10 || /[A-Z].*\.$/.test(step.why))).toEqual([]);
  expect(explainPlan(steps)).not.toMatch(/undefined|NaN|\[object/);
});

test("nothing writes cgroup.procs, on v1 or v2", () => {
  const steps = [...plan({ cgroups: v1, resources: limits }), ...plan({ resources: limits })];
  const written = steps.filter((step) => step.op === "write" || step.op === "try-write").map((step) => step.path);
  expect(written.length).toBeGreaterThan(20);
  expect(written.filter((path) => path.includes("cgroup.procs"))).toEqual([]);
});

test("rights are given away in the order that lets the filter load", () => {
  const order = (asked: Asked) =>
    plan(asked).flatMap((step) =>
      ["seccomp", "bounding", "user", "capabilities", "no-new-privileges"].includes(step.op) ? [step.op] : [],
    );
  expect(order({})).toEqual(["seccomp", "bounding", "user", "capabilities"]);
  expect(order({ process: { noNewPrivileges: true } })).toEqual([
    "no-new-privileges",
    "bounding",
    "user",
    "capabilities",
    "seccomp",
  ]);
});

test("removal", () => {
  for (const [name, cgroups] of Object.entries({ v1, v2 }))
    expectGolden(`removal-${name}`, planRemoval({ cgroups, groupPath: "/orlop/c1", owned: root.owned }));
});

test("explain of the default container", () => {
  const text = explainPlan(plan({}));
  expect(text).toStartWith("host side\n  exit-record: ");
  expect(text).toContain("\nthe container's process\n  unshare: its own group is the root of what it sees");
  expect(text).toContain(
    'clone3(CLONE_NEWIPC|CLONE_NEWNET|CLONE_NEWNS|CLONE_NEWPID|CLONE_NEWTIME|CLONE_NEWUTS|CLONE_PIDFD|CLONE_INTO_CGROUP, "/sys/fs/cgroup/orlop/c1")',
  );
});
