import { expect } from "bun:test";
import { runContainer } from "./container.ts";
import { kernelTest } from "./harness.ts";

const needs = ["root", "executor", "busybox", "overlay"] as const;

kernelTest("/dev has the nodes that everybody expects, and no others", [...needs], async (scratch) => {
  const { stdout } = await runContainer(scratch, "cd /dev; for f in *; do stat -c '%n %F %t:%T %a' $f; done");
  expect(stdout.trim().split("\n")).toEqual([
    "fd symbolic link 0:0 777",
    "full character special file 1:7 666",
    "mqueue directory 0:0 1777",
    "null character special file 1:3 666",
    "ptmx symbolic link 0:0 777",
    "pts directory 0:0 755",
    "random character special file 1:8 666",
    "shm directory 0:0 1777",
    "stderr symbolic link 0:0 777",
    "stdin symbolic link 0:0 777",
    "stdout symbolic link 0:0 777",
    "tty character special file 5:0 666",
    "urandom character special file 1:9 666",
    "zero character special file 1:5 666",
  ]);
});

kernelTest("the nodes work", [...needs], async (scratch) => {
  const script = `echo x > /dev/null && head -c 4 /dev/zero | wc -c && head -c 4 /dev/urandom | wc -c
    echo x > /dev/full || echo full; echo through > /dev/stdout; cat /dev/null; ls /dev/pts`;
  const { stdout } = await runContainer(scratch, script);
  expect(stdout).toBe("4\n4\nfull\nthrough\nptmx\n");
});

kernelTest("a node may be made, but a device that is not allowed cannot be opened", [...needs], async (scratch) => {
  const script = "mknod /tmp/mem c 1 1 && echo made; head -c 1 /tmp/mem; mknod /tmp/fuse c 10 229; : < /tmp/fuse";
  const { stdout, stderr } = await runContainer(scratch, script);
  expect(stdout).toBe("made\n");
  expect(stderr).toContain("/tmp/mem: Operation not permitted");
  expect(stderr).toContain("/tmp/fuse: Operation not permitted");
});

kernelTest("a device that was asked for is there and can be opened", [...needs], async (scratch) => {
  const { stdout } = await runContainer(scratch, "head -c 1 /dev/my-zero | wc -c; stat -c '%u %g %a' /dev/my-zero", {
    change: (spec) => ({
      ...spec,
      linux: {
        ...spec.linux,
        devices: [{ path: "/dev/my-zero", type: "c", major: 1, minor: 5, fileMode: 0o640, uid: 3, gid: 4 }],
      },
    }),
  });
  expect(stdout).toBe("1\n3 4 640\n");
});

kernelTest("mount options of the default mounts are Docker's", [...needs], async (scratch) => {
  const { stdout } = await runContainer(scratch, "cat /proc/mounts");
  const options = new Map(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.split(" "))
      .map(([, target = "", fstype, flags]) => [target, `${fstype} ${flags?.replace(",inode64", "")}`]),
  );
  const expected = {
    "/proc": "proc rw,nosuid,nodev,noexec,relatime",
    "/dev": "tmpfs rw,nosuid,size=65536k,mode=755",
    "/dev/pts": "devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666",
    "/dev/mqueue": "mqueue rw,nosuid,nodev,noexec,relatime",
    "/dev/shm": "tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k",
    "/sys": "sysfs ro,nosuid,nodev,noexec,relatime",
  };
  expect(Object.fromEntries(Object.keys(expected).map((target) => [target, options.get(target)]))).toEqual(expected);
});
