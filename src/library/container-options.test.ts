/** Options of a new container as the request that they become. */

import { expect, test } from "bun:test";
import { createBody } from "./container-options.ts";

test("what is not said is not sent, but for the streams", () => {
  expect(createBody({ image: "alpine" })).toEqual({
    Image: "alpine",
    Env: [],
    OpenStdin: false,
    StdinOnce: false,
    AttachStdin: false,
    AttachStdout: true,
    AttachStderr: true,
    ExposedPorts: {},
    HostConfig: { PortBindings: {} },
  });
});

test("every option has its field", () => {
  const body = createBody({
    rootfs: "/srv/root",
    command: ["a", "b"],
    entrypoint: [],
    env: { A: "1", B: "x=y" },
    user: "1:2",
    workingDirectory: "/w",
    hostname: "h",
    labels: { l: "v" },
    mounts: [
      { source: "/srv", target: "/s", readOnly: true },
      { source: "data", target: "/d" },
    ],
    ports: [
      { port: 80 },
      { port: 80, hostPort: 8080, hostAddress: "127.0.0.1" },
      { port: 53, protocol: "udp", hostPort: 5353 },
    ],
    network: "none",
    memoryBytes: 4096,
    cpus: 1.5,
    pidsLimit: 9,
    readOnlyRoot: true,
    stdin: true,
    terminal: true,
    restart: "always",
    autoRemove: true,
  });
  expect(body).toEqual({
    Cmd: ["a", "b"],
    Entrypoint: [],
    Env: ["A=1", "B=x=y"],
    User: "1:2",
    WorkingDir: "/w",
    Hostname: "h",
    Labels: { l: "v" },
    Tty: true,
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    ExposedPorts: { "80/tcp": {}, "53/udp": {} },
    HostConfig: {
      Rootfs: "/srv/root",
      AutoRemove: true,
      Mounts: [
        { Type: "bind", Source: "/srv", Target: "/s", ReadOnly: true },
        { Type: "volume", Source: "data", Target: "/d", ReadOnly: false },
      ],
      PortBindings: {
        "80/tcp": [{ HostPort: "" }, { HostIp: "127.0.0.1", HostPort: "8080" }],
        "53/udp": [{ HostPort: "5353" }],
      },
      NetworkMode: "none",
      Memory: 4096,
      NanoCpus: 1_500_000_000,
      PidsLimit: 9,
      ReadonlyRootfs: true,
      RestartPolicy: { Name: "always", MaximumRetryCount: 0 },
    },
  });
});

test("fields of the create body take precedence, one by one", () => {
  const { Image, User, HostConfig } = createBody({
    image: "a",
    user: "1",
    pidsLimit: 5,
    network: "none",
    body: { User: "2", HostConfig: { NetworkMode: "host" } },
  });
  expect({ Image, User }).toEqual({ Image: "a", User: "2" });
  expect(HostConfig).toMatchObject({ NetworkMode: "host", PidsLimit: 5 });
});

test("a container without a root is refused before anything is asked", () => {
  expect(() => createBody({ command: ["true"] })).toThrow("no image is named");
});
