import { expect } from "bun:test";
import { chmodSync, readFileSync } from "node:fs";
import type { Linux, Process, RuntimeSpec } from "../../src/spec/runtime-spec.ts";
import { runContainer } from "./container.ts";
import { kernelTest } from "./harness.ts";

const needs = ["root", "executor", "busybox", "overlay"] as const;

const withProcess =
  (change: Partial<Process>) =>
  (spec: RuntimeSpec): RuntimeSpec => ({
    ...spec,
    process: { ...spec.process, ...change },
  });

kernelTest(
  "root has Docker's fourteen capabilities, in the three sets where they count",
  [...needs],
  async (scratch) => {
    const { stdout } = await runContainer(scratch, "grep -E '^(Cap|Groups|NoNew|Seccomp:)' /proc/self/status");
    expect(stdout.replaceAll(/[\t ]+/g, " ")).toBe(
      `Groups: 0 
CapInh: 0000000000000000
CapPrm: 00000000a80425fb
CapEff: 00000000a80425fb
CapBnd: 00000000a80425fb
CapAmb: 0000000000000000
NoNewPrivs: 0
Seccomp: 0
`,
    );
  },
);

kernelTest("a privileged container has every capability that root has here", [...needs], async (scratch) => {
  const here = /CapBnd:\s+(\S+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  const { stdout } = await runContainer(scratch, "grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status", { privileged: true });
  expect(stdout).toBe(`CapPrm:\t${here}\nCapEff:\t${here}\nCapBnd:\t${here}\n`);
});

kernelTest(
  "another user has its ids and groups, no effective capability, and its pipes",
  [...needs],
  async (scratch) => {
    const change = withProcess({
      user: { uid: 1234, gid: 56, additionalGids: [56, 7, 89] },
      capabilities: { bounding: ["CAP_KILL"], effective: [], permitted: [] },
    });
    const script = "id; grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status; echo again > /dev/stdout; touch /x";
    const { stdout, stderr } = await runContainer(scratch, script, { change });
    expect(stdout).toBe(
      `uid=1234 gid=56 groups=7,56,89
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000000000000020
again
`,
    );
    expect(stderr).toContain("Permission denied");
  },
);

kernelTest("umask, limits, working directory and oom score are what was asked for", [...needs], async (scratch) => {
  const change = withProcess({
    user: { uid: 0, gid: 0, umask: 0o077 },
    cwd: "/deep/down",
    rlimits: [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }],
    oomScoreAdj: 500,
  });
  const { stdout } = await runContainer(scratch, "umask; pwd; ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj", {
    change,
  });
  expect(stdout).toBe("0077\n/deep/down\n100\n200\n500\n");
});

kernelTest(
  "no-new-privileges holds, and a seccomp filter loads in either order",
  [...needs, "seccomp"],
  async (scratch) => {
    const seccomp: Linux["seccomp"] = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }],
    } as const;
    for (const noNewPrivileges of [false, true]) {
      const { stdout, stderr } = await runContainer(
        scratch,
        "grep -E '^(NoNew|Seccomp:)' /proc/self/status; mkdir /x",
        {
          change: (spec) => withProcess({ noNewPrivileges })({ ...spec, linux: { ...spec.linux, seccomp } }),
        },
      );
      expect(stdout).toBe(`NoNewPrivs:\t${noNewPrivileges ? 1 : 0}\nSeccomp:\t2\n`);
      expect(stderr).toContain("not supported");
    }
  },
);

kernelTest("in a user namespace root is somebody else outside", [...needs, "userns"], async (scratch) => {
  chmodSync(scratch.directory, 0o711); // its root has no rights over the host's directories: they must let it through
  const map = [{ containerID: 0, hostID: 100_000, size: 1000 }];
  const { stdout, stderr } = await runContainer(
    scratch,
    "id -u; cat /proc/self/uid_map; mount -t tmpfs x /tmp && echo mounted",
    {
      change: (spec) => ({
        ...withProcess({
          capabilities: { bounding: ["CAP_SYS_ADMIN"], effective: ["CAP_SYS_ADMIN"], permitted: ["CAP_SYS_ADMIN"] },
        })(spec),
        linux: {
          ...spec.linux,
          namespaces: [...(spec.linux?.namespaces ?? []), { type: "user" }],
          uidMappings: map,
          gidMappings: map,
          sysctl: {},
        },
      }),
    },
  );
  expect(`${stdout}${stderr}`).toBe("0\n         0     100000       1000\nmounted\n");
});
