/** Flags of `run` → the create body, as Docker's CLI sends it. */
import { expect, test } from "bun:test";
import { parseFlags } from "../command/parse-flags.ts";
import { containerConfig, streamsOf } from "./container-config.ts";
import { runFlags } from "./run-flags.ts";

const files: Readonly<Record<string, string>> = {
  "app.env": "# comment\nA=1\n\n  B=two words\nHOME\nNOT_OURS\n",
  labels: "tier=web\n# no\nbare\n",
  "seccomp.json": '{ "defaultAction": "SCMP_ACT_ALLOW" }',
  "broken.json": "{",
};

function readFile(path: string, flag: string): string {
  const text = files[path];
  if (text === undefined) throw new Error(`${flag}: no ${path}`);
  return text;
}

function bodyOf(line: string) {
  const { flags, args } = parseFlags(runFlags, line.split(" "), "before-arguments", "orlop run");
  const around = { cwd: "/here", env: { HOME: "/home/a", TERM: "xterm" }, readFile };
  return containerConfig(flags, args, streamsOf(flags, flags.detach), around);
}

const attached = { AttachStdout: true, AttachStderr: true };

test.each([
  ["host", { Image: "host", ...attached }],
  ["host ls -l", { Image: "host", Cmd: ["ls", "-l"], ...attached }],
  ["-d host", { Image: "host" }],
  [
    "-it host sh",
    { Image: "host", Cmd: ["sh"], ...attached, AttachStdin: true, OpenStdin: true, StdinOnce: true, Tty: true },
  ],
  ["-di host", { Image: "host", OpenStdin: true }],
  ["-a stdout host", { Image: "host", AttachStdout: true }],
  ["-i -a STDIN host", { Image: "host", AttachStdin: true, OpenStdin: true, StdinOnce: true }],
  ["--entrypoint= host x", { Image: "host", Cmd: ["x"], Entrypoint: [""], ...attached }],
  ["--entrypoint /bin/sh host -c true", { Image: "host", Cmd: ["-c", "true"], Entrypoint: ["/bin/sh"], ...attached }],
  ["-e A=b -e HOME -e NOT_OURS -e E= host", { Image: "host", Env: ["A=b", "HOME=/home/a", "E="], ...attached }],
  [
    "--env-file app.env -e A=2 host",
    { Image: "host", Env: ["A=1", "B=two words", "HOME=/home/a", "A=2"], ...attached },
  ],
  [
    "-l a=b -l c --label-file labels host",
    { Image: "host", Labels: { tier: "web", bare: "", a: "b", c: "" }, ...attached },
  ],
  [
    "-w /srv -u 1:2 -h box --stop-signal INT --stop-timeout 3 host",
    { Image: "host", WorkingDir: "/srv", User: "1:2", Hostname: "box", StopSignal: "INT", StopTimeout: 3, ...attached },
  ],
  ["-v /data host", { Image: "host", Volumes: { "/data": {} }, ...attached }],
])("%s", (line, body) => {
  expect(bodyOf(line)).toEqual(body);
});

test.each([
  ["--rm --privileged --read-only", { AutoRemove: true, Privileged: true, ReadonlyRootfs: true }],
  ["--rootfs ./tree", { Rootfs: "/here/tree" }],
  ["-v ./a:/a -v ~/b:/b:ro -v name:/c -v ..:/d", { Binds: ["/here/a:/a", "/home/a/b:/b:ro", "name:/c", "/:/d"] }],
  ["--tmpfs /run --tmpfs /tmp:size=1m,mode=1777", { Tmpfs: { "/run": "", "/tmp": "size=1m,mode=1777" } }],
  [
    "--mount type=bind,src=a,dst=/a,ro",
    { Mounts: [{ Type: "bind", Source: "/here/a", Target: "/a", ReadOnly: true }] },
  ],
  [
    "--mount type=bind,source=/a,target=/a,bind-propagation=rshared",
    { Mounts: [{ Type: "bind", Source: "/a", Target: "/a", BindOptions: { Propagation: "rshared" } }] },
  ],
  [
    "--mount type=tmpfs,target=/t,tmpfs-size=64k,tmpfs-mode=700",
    { Mounts: [{ Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 65536, Mode: 0o700 } }] },
  ],
  [
    "--mount type=volume,src=data,dst=/d,volume-subpath=a/b,volume-label=a=b,volume-label=c=d,volume-nocopy",
    {
      Mounts: [
        {
          Type: "volume",
          Source: "data",
          Target: "/d",
          VolumeOptions: { NoCopy: true, Subpath: "a/b", Labels: { a: "b", c: "d" } },
        },
      ],
    },
  ],
  [
    '--mount dst=/d,volume-driver=local,volume-opt=type=tmpfs,"volume-opt=o=size=1m,uid=7"',
    {
      Mounts: [
        {
          Type: "volume",
          Target: "/d",
          VolumeOptions: { DriverConfig: { Name: "local", Options: { type: "tmpfs", o: "size=1m,uid=7" } } },
        },
      ],
    },
  ],
  [
    "--mount type=bind,source=/a,target=/a,ro,bind-recursive=writable,bind-create-src",
    {
      Mounts: [
        {
          Type: "bind",
          Source: "/a",
          Target: "/a",
          ReadOnly: true,
          BindOptions: { ReadOnlyNonRecursive: true, CreateMountpoint: true },
        },
      ],
    },
  ],
  [
    "--mount type=tmpfs,target=/t,tmpfs-options=uid=7,tmpfs-options=exec",
    { Mounts: [{ Type: "tmpfs", Target: "/t", TmpfsOptions: { Options: [["uid", "7"], ["exec"]] } }] },
  ],
  [
    "--mount type=image,source=alpine,target=/i,image-subpath=etc",
    { Mounts: [{ Type: "image", Source: "alpine", Target: "/i", ImageOptions: { Subpath: "etc" } }] },
  ],
  ["--userns host --runtime runc --isolation default", { UsernsMode: "host", Runtime: "runc", Isolation: "default" }],
  ["--volumes-from web:ro --volume-driver local", { VolumesFrom: ["web:ro"], VolumeDriver: "local" }],
  ['--mount type=bind,"source=/a,b",target=/a', { Mounts: [{ Type: "bind", Source: "/a,b", Target: "/a" }] }],
  ["--cap-add NET_ADMIN --cap-drop ALL --group-add 5", { CapAdd: ["NET_ADMIN"], CapDrop: ["ALL"], GroupAdd: ["5"] }],
  [
    "--security-opt no-new-privileges --security-opt seccomp=unconfined",
    { SecurityOpt: ["no-new-privileges", "seccomp=unconfined"] },
  ],
  ["--security-opt seccomp=seccomp.json", { SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'] }],
  ["--security-opt systempaths=unconfined", { MaskedPaths: [], ReadonlyPaths: [] }],
  [
    "-m 64m --memory-swap -1 --memory-reservation 32m",
    { Memory: 67_108_864, MemorySwap: -1, MemoryReservation: 33_554_432 },
  ],
  [
    "--cpus 1.5 -c 512 --cpu-period 50000 --cpu-quota 25000",
    { NanoCpus: 1_500_000_000, CpuShares: 512, CpuPeriod: 50_000, CpuQuota: 25_000 },
  ],
  ["--cpus .000000001", { NanoCpus: 1 }],
  [
    "--cpuset-cpus 0-1 --cpuset-mems 0 --pids-limit 10 --oom-score-adj -5",
    { CpusetCpus: "0-1", CpusetMems: "0", PidsLimit: 10, OomScoreAdj: -5 },
  ],
  [
    "--ulimit nofile=1024:2048 --ulimit core=0 --ulimit memlock=-1",
    {
      Ulimits: [
        { Name: "nofile", Soft: 1024, Hard: 2048 },
        { Name: "core", Soft: 0, Hard: 0 },
        { Name: "memlock", Soft: -1, Hard: -1 },
      ],
    },
  ],
  ["--sysctl net.ipv4.ip_forward=1 --shm-size 1m", { Sysctls: { "net.ipv4.ip_forward": "1" }, ShmSize: 1_048_576 }],
  [
    "--device /dev/fuse --device /dev/null:/dev/nul:r",
    {
      Devices: [
        { PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rwm" },
        { PathOnHost: "/dev/null", PathInContainer: "/dev/nul", CgroupPermissions: "r" },
      ],
    },
  ],
  ["--net host", { NetworkMode: "host" }],
  [
    "--network none --ipc host --pid host --uts host --cgroupns host --cgroup-parent /p",
    {
      NetworkMode: "none",
      IpcMode: "host",
      PidMode: "host",
      UTSMode: "host",
      CgroupnsMode: "host",
      CgroupParent: "/p",
    },
  ],
  ["--log-driver local --log-opt max-size=1m", { LogConfig: { Type: "local", Config: { "max-size": "1m" } } }],
])("%s is in HostConfig", (line, hostConfig) => {
  const { HostConfig } = bodyOf(line.includes("--rootfs") ? `${line} true` : `${line} host`);
  expect(HostConfig).toEqual(hostConfig as never);
});

test("with --rootfs the first argument is the command already", () => {
  expect(bodyOf("--rootfs /r ls -l")).toMatchObject({ Cmd: ["ls", "-l"] });
  expect(bodyOf("--rootfs /r ls -l").Image).toBeUndefined();
});

test.each([
  ["--rm", "no image is named"],
  ["-d -a stdout host", "--attach and --detach exclude each other"],
  ["-a everything host", 'invalid --attach "everything"'],
  ["-e =x host", 'invalid --env "=x"'],
  ["-v a:b host", 'invalid --volume "a:b"'],
  ["-v /a:/b:ro:z host", 'invalid --volume "/a:/b:ro:z"'],
  ["-v : host", 'invalid --volume ":"'],
  ["--tmpfs run host", 'invalid --tmpfs "run"'],
  ["--mount type=nfs,target=/x host", "expected type=bind, volume, tmpfs, image"],
  ["--mount type=bind,target=/x host", "expected source=… for a mount of type bind"],
  ["--mount type=bind,source=/x host", "expected target=ABSOLUTE_PATH"],
  ["--mount type=bind,source=/x,target=/x,size=4 host", 'expected not the field "size"'],
  ["--mount type=bind,source=/x,target=/x,tmpfs-size=4 host", "expected no tmpfs-size for a mount of type bind"],
  ["--mount type=bind,source=/x,target=/x,bind-recursive=often host", "expected bind-recursive=enabled|disabled"],
  ["--mount type=bind,source=/x,target=/x,bind-recursive=writable host", "expected readonly together with"],
  ["--mount type=bind,source=/x,target=/x,ro=maybe host", "expected readonly true or false"],
  ['--mount type=bind,sou"rce host', "expected double quotes around whole fields only"],
  ["--mount target host", "expected target=VALUE"],
  ["--mount type=tmpfs,target=/x,tmpfs-mode=9 host", "expected an octal tmpfs-mode"],
  ["--cpus 0 host", 'invalid --cpus "0"'],
  ["--cpus many host", 'invalid --cpus "many"'],
  ["--ulimit nofile=9:3 host", 'invalid --ulimit "nofile=9:3"'],
  ["--ulimit nofile=-1:3 host", 'invalid --ulimit "nofile=-1:3"'],
  ["--ulimit nofile host", 'invalid --ulimit "nofile"'],
  ["--sysctl kernel.x host", 'invalid --sysctl "kernel.x"'],
  ["--label =x host", 'invalid --label "=x"'],
  ["--device null host", 'invalid --device "null"'],
  ["--device /dev/null:q host", 'invalid --device "/dev/null:q"'],
  ["--security-opt seccomp=broken.json host", 'invalid --security-opt "seccomp=broken.json": expected a JSON file'],
])("%s is refused", (line, message) => {
  expect(() => bodyOf(line)).toThrow(message);
});

test("limits at disks, device rules, names", () => {
  const line =
    "--blkio-weight 300 --device-write-bps /dev/sda:1mb --device-read-iops /dev/sda:20 --add-host db:10.0.0.1 image";
  expect(bodyOf(line).HostConfig).toMatchObject({
    BlkioWeight: 300,
    BlkioDeviceWriteBps: [{ Path: "/dev/sda", Rate: 1_048_576 }],
    BlkioDeviceReadIOps: [{ Path: "/dev/sda", Rate: 20 }],
    ExtraHosts: ["db:10.0.0.1"],
  });
  expect(() => bodyOf("--device-read-bps sda:1 image")).toThrow("DEVICE:BYTES");
  expect(() => bodyOf("--device-read-iops /dev/sda:many image")).toThrow("a whole number behind the device");
});
