import { expect } from "bun:test";
import { mkdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { runContainer } from "./container.ts";
import { kernelTest } from "./harness.ts";

const needs = ["root", "executor", "busybox", "overlay"] as const;
const types = ["mnt", "uts", "ipc", "pid", "net", "cgroup", "time"] as const;

const ours = () => types.map((type) => readlinkSync(`/proc/self/ns/${type}`));

async function theirs(
  ...[scratch, options]: [Parameters<typeof runContainer>[0], Parameters<typeof runContainer>[2]?]
) {
  const script = `for n in ${types.join(" ")}; do readlink /proc/self/ns/$n; done`;
  const { stdout } = await runContainer(scratch, script, options);
  return stdout.trim().split("\n");
}

kernelTest("output, exit code and signals come through", [...needs], async (scratch) => {
  const result = await runContainer(scratch, "echo out; echo err >&2; exit 7");
  expect(result).toEqual({ stdout: "out\n", stderr: "err\n", status: 7 << 8 });
  expect(await runContainer(scratch, "kill -SEGV $$; exit 1")).toMatchObject({ status: 1 << 8 });
  expect((await runContainer(scratch, "sh -c 'kill -9 $$'; exit $?")).status).toBe(137 << 8);
});

kernelTest("every namespace is the container's own", [...needs, "timens"], async (scratch) => {
  const inside = await theirs(scratch);
  expect(inside).toHaveLength(types.length);
  const host = ours();
  inside.forEach((name, index) => {
    expect(name).not.toBe(host[index] ?? "");
  });
});

kernelTest("namespaces that are not asked for are the host's", [...needs], async (scratch) => {
  const [, uts, ipc, , net, cgroup] = await theirs(scratch, {
    namespaces: { uts: "host", ipc: "host", network: "host", cgroup: "host" },
  });
  const host = ours();
  expect([uts, ipc, net, cgroup]).toEqual([host[1], host[2], host[4], host[5]]);
});

kernelTest("namespaces of another process are joined by path, the PID namespace too", [...needs], async (scratch) => {
  const other = Bun.spawn(["unshare", "-nuipf", "--kill-child", "sleep", "60"]);
  scratch.defer(async () => {
    other.kill("SIGKILL"); // it ignores SIGTERM while its child runs
    await other.exited;
  });
  const child = await childOf(other.pid);
  const path = (type: string) => ({ path: `/proc/${child}/ns/${type}` });
  const namespaces = { network: path("net"), uts: path("uts"), ipc: path("ipc"), pid: path("pid") };
  const inside = await theirs(scratch, {
    namespaces,
    change: (spec) => ({ ...spec, hostname: "joined", linux: { ...spec.linux, sysctl: {} } }),
  });
  const expected = ["uts", "ipc", "pid", "net"].map((type) => readlinkSync(`/proc/${child}/ns/${type}`));
  expect(inside.slice(1, 5)).toEqual(expected);
});

/** The first process that `pid` has started, once it has. */
async function childOf(pid: number): Promise<number> {
  for (;;) {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    const first = Number(children.split(" ")[0]);
    if (first > 0) return first;
    await new Promise(setImmediate);
  }
}

kernelTest("its first process is 1, and the host's processes are not there", [...needs], async (scratch) => {
  const { stdout } = await runContainer(scratch, "echo $$; for p in /proc/[0-9]*; do echo $p; done");
  expect(stdout).toBe("1\n/proc/1\n");
});

kernelTest("its name is its own", [...needs], async (scratch) => {
  expect((await runContainer(scratch, "hostname")).stdout).toBe("box\n");
});

kernelTest(
  "its network is loopback alone, and up; low ports and ping are for everybody",
  [...needs],
  async (scratch) => {
    const script = `ls /sys/class/net; cat /sys/class/net/lo/flags; ping -c 1 -q 127.0.0.1 >/dev/null && echo pong
    cat /proc/sys/net/ipv4/ip_unprivileged_port_start; cat /proc/sys/net/ipv4/ping_group_range`;
    const { stdout, stderr } = await runContainer(scratch, script);
    expect(`${stdout}${stderr}`).toBe("lo\n0x9\npong\n0\n0\t2147483647\n");
  },
);

kernelTest("what is mounted inside is never seen outside, whatever the host shares", [...needs], async (scratch) => {
  // On a shared mount of the host's, from which a mount below would spread if the container's tree were not a slave.
  const shared = join(scratch.directory, "shared");
  mkdirSync(join(shared, "below"), { recursive: true });
  const host = (...command: string[]) => expect(Bun.spawnSync(command).exitCode).toBe(0);
  host("mount", "--bind", shared, shared);
  scratch.defer(() => host("umount", shared));
  host("mount", "--make-shared", shared);
  const { stdout } = await runContainer(scratch, "mount -t tmpfs inner /shared/below && grep -c inner /proc/mounts", {
    privileged: true,
    change: (spec) => ({
      ...spec,
      mounts: [
        ...(spec.mounts ?? []),
        { destination: "/shared", type: "bind", source: shared, options: ["rbind", "rslave"] },
      ],
    }),
  });
  expect(stdout).toBe("1\n");
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(" inner ");
});
