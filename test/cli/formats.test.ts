/** `--format` of the program itself, on a real engine: what scripts ask for. */
import { expect } from "bun:test";
import { useProduct } from "../api/engine-fixture.ts";
import { makeBusyboxRoot } from "../busybox-root.ts";
import { kernelTest, type Need } from "../kernel/harness.ts";

const needs: readonly Need[] = ["root", "product", "overlay", "busybox"];
const product = useProduct();

kernelTest("lists and inspections take Go templates, as Docker's command line does", needs, async ({ directory }) => {
  const ok = product().ok.bind(product());
  const rootfs = makeBusyboxRoot(directory);
  const labels = ["--label", "com.example.tier=front", "--label", "x=y"];
  await ok(
    "run",
    "-d",
    "--name",
    "web",
    "--network",
    "none",
    ...labels,
    "-v",
    "data:/data",
    "--rootfs",
    rootfs,
    "sleep",
    "9999",
  );
  const asked: readonly (readonly [string, readonly string[]])[] = [
    [
      "web running front none data 1",
      [
        "ps",
        "--format",
        '{{.Names}} {{.State}} {{.Label "com.example.tier"}} {{.Networks}} {{.Mounts}} {{.LocalVolumes}}',
      ],
    ],
    ["NAMES   tier\nweb     front", ["ps", "--format", 'table {{.Names}}\\t{{.Label "com.example.tier"}}']],
    ["WEB\tx", ["ps", "--format", "{{upper .Names}}\\tx"]],
    ["running none", ["inspect", "-f", "{{.State.Status}} {{if .State.Health}}health{{else}}none{{end}}", "web"]],
    ['"y"', ["container", "inspect", "--format", "{{json .Config.Labels.x}}", "web"]],
    ["bridge bridge\nhost host\nnone null", ["network", "ls", "--format", "{{.Name}} {{.Driver}}"]],
    ["bridge false", ["network", "inspect", "-f", "{{.Driver}} {{.Internal}}", "bridge"]],
    ["data local", ["volume", "ls", "--format", "{{.Name}} {{.Driver}}"]],
    ["map[]", ["volume", "inspect", "-f", "{{.Labels}}", "data"]],
    ["host:latest", ["images", "--format", "{{.Repository}}:{{.Tag}}"]],
    ["overlay", ["info", "-f", "{{.Driver}}"]],
    ["linux linux", ["version", "-f", "{{.Client.Os}} {{.Server.Os}}"]],
    ["create start", ["events", "--since", "10m", "--until", "0s", "-f", "container=web", "--format", "{{.Action}}"]],
    ["web 1", ["stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "web"]],
    ["Containers 1", ["system", "df", "--format", "{{.Type}} {{.TotalCount}}"]],
  ];
  for (const [expected, args] of asked) {
    const answer = (await ok(...args)).trimEnd();
    if (args[0] === "events") expect(answer.split("\n").join(" ")).toBe(expected);
    else if (args[0] === "system") expect(answer.split("\n")).toContain(expected);
    else expect(answer).toBe(expected);
  }
  await ok("rm", "-f", "web");
  await ok("volume", "rm", "data");
});

kernelTest("what is wrong with a template is said, and the exit code tells", needs, async ({ directory }) => {
  const ok = product().ok.bind(product());
  await ok("create", "--name", "made", "--network", "none", "--rootfs", makeBusyboxRoot(directory), "true");
  for (const [args, said] of [
    [["inspect", "-f", "{{.State.Stauts}}", "made"], "there is no field .State.Stauts"],
    [["inspect", "-f", "{{.State", "made"], "a {{ has no }} behind it"],
    [["ps", "-a", "--format", "{{.Nmaes}}"], "there is no field .Nmaes"],
    [["ps", "--format", "yaml"], "expected table, json or a Go template such as '{{.ID}}'"],
  ] as const) {
    const { exitCode, stdout, stderr } = await product().run([...args]);
    expect([exitCode, stdout, stderr]).toEqual([1, "", expect.stringContaining(said)]);
  }
  // `host` is an image.
  const image = await product().run(["container", "inspect", "host"]);
  expect([image.exitCode, image.stdout, image.stderr]).toEqual([1, "[]\n", "orlop: No such container: host\n"]);
  // One that is not there does not keep the others from being told.
  const some = await product().run(["inspect", "-f", "{{.Name}}", "nobody", "made"]);
  expect([some.exitCode, some.stdout, some.stderr]).toEqual([1, "/made\n", "orlop: No such object: nobody\n"]);
  await ok("rm", "made");
});
