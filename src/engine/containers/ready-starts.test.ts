import { expect, test } from "bun:test";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { waitUntil } from "../../../test/wait-until.ts";
import { OrlopError } from "../../base/errors.ts";
import { encodePlan, encodeRest } from "../../kernel/plan.ts";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { EngineFixture, never, transient } from "./fixture-containers.ts";
import { kindOf } from "./ready-starts.ts";

const kind = (HostConfig: Record<string, unknown>): string | undefined =>
  kindOf(parseContainerCreate({ Image: "host", Cmd: ["true"], HostConfig: { AutoRemove: true, ...HostConfig } }));

test.each(["", "default", "bridge", "none", "host"])("network %j: a start can be begun ahead", (NetworkMode) => {
  expect(kind({ NetworkMode })).toBeString();
});

test.each([
  { NetworkMode: "lan" },
  { NetworkMode: "container:web" },
  { NetworkMode: "ns:/run/netns/x" },
  { NetworkMode: "none", IpcMode: "container:web" },
  { Links: ["db:db"] },
  { AutoRemove: false },
  { CgroupParent: "/of-its-own" },
])("%j: none is", (HostConfig) => {
  expect(kind(HostConfig)).toBeUndefined();
});

const fixture = new EngineFixture();
const { create } = fixture;

/** Runs one to its end, and gives its id. */
async function runOnce(body: Record<string, unknown> = transient): Promise<string> {
  const container = await create(body);
  await container.start();
  const removed = container.wait("removed", never);
  fixture.executor.monitors.at(-1)?.exit(0);
  await removed;
  return container.id;
}

const settled = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 10));

/** So many of a kind that the next one's start is begun. */
async function runSeveral(body?: Record<string, unknown>): Promise<void> {
  for (let run = 0; run < 2; run++) await runOnce(body);
  await settled();
}

test("when --rm containers of a kind follow each other, the next one's start is begun: its plan goes on where that ended", async () => {
  await runOnce();
  await settled();
  expect(fixture.executor.begun).toEqual([]); // one is no habit
  await runOnce();
  await settled();
  const [begun] = fixture.executor.begun;
  expect(begun?.beginning.at(-1)?.op).toBe("ready");

  const container = await create({ ...transient, Cmd: ["other"], Env: ["A=b"] });
  await container.start();
  const plan = fixture.executor.plans.findLast((steps) => steps.some(({ op }) => op === "exec")) ?? [];
  const done = begun?.beginning.length ?? 0;
  expect(begun?.calls).toEqual([`finish from ${done}`]);
  expect(plan.slice(0, done)).toEqual([...(begun?.beginning ?? [])]);
  const whole = Buffer.concat([begun?.bytes ?? new Uint8Array(), encodeRest(plan, done)]);
  expect(Buffer.compare(whole, encodePlan(plan))).toBe(0);
  expect(plan.find((step) => step.op === "exec")).toMatchObject({ argv: ["other"] });
  expect(JSON.stringify(begun?.beginning)).toContain(container.id);
  fixture.executor.monitors.at(-1)?.exit(0);
  await container.wait("removed", never);
});

test("what is ready is nobody's who asks for something else", async () => {
  await runSeveral();
  const { calls } = fixture.executor.begun[0] ?? expect.unreachable("nothing is ready");
  for (const HostConfig of [
    { AutoRemove: true, Memory: 2 ** 26 },
    { AutoRemove: true, Privileged: true },
    { AutoRemove: true, Binds: ["/proc:/proc/stat"] },
    { AutoRemove: false },
  ]) {
    await create({ HostConfig }).catch(() => undefined);
    expect(calls).toEqual([]);
  }
  await create({ ...transient, Hostname: "named" });
  expect(calls).toEqual([]);
  await runOnce({ ...transient, User: "7", WorkingDir: "/tmp", Labels: { a: "b" } }); // none of which is in the beginning
  expect(calls).toEqual([expect.stringMatching(/^finish/)]);
});

test("what is ready and not wanted goes, and its folders with it", async () => {
  const beginMonitor = fixture.executor.beginMonitor.bind(fixture.executor);
  let folder = "";
  fixture.executor.beginMonitor = async (beginning) => {
    folder = join(fixture.directory, "run/containers", /[0-9a-f]{64}/.exec(JSON.stringify(beginning))?.[0] ?? "");
    expect(existsSync(folder)).toBe(true);
    return beginMonitor(beginning);
  };
  fixture.keepMs.mockReturnValue(20);
  await runSeveral();
  const [begun] = fixture.executor.begun;
  await begun?.closed; // within the test's time
  const removed = () =>
    fixture.executor.plans.flat().filter((step) => step.op === "remove" && step.path.endsWith(basename(folder)));
  await waitUntil(() => removed().length === 2, 5000, "its folders are removed");
  expect(begun?.calls).toEqual(["withdraw"]);

  fixture.keepMs.mockReturnValue(600_000);
  await runSeveral();
  await fixture.engine.close();
  expect(fixture.executor.begun.at(-1)?.calls).toEqual(["withdraw"]);
  await fixture.open();
});

test("what is ready and was killed is not used; where that shows too late the start is made anew", async () => {
  await runSeveral();
  fixture.executor.begun[0]?.die();
  await settled();
  await runOnce();
  expect(fixture.executor.begun[0]?.calls).not.toContain(expect.stringMatching(/^finish/));

  await runSeveral();
  const those = [...fixture.executor.begun];
  for (const begun of those)
    begun.onFinish = () => {
      throw OrlopError.of("executor_lost", { reason: "it was killed" });
    };
  const id = await runOnce();
  expect(those.filter(({ beginning }) => JSON.stringify(beginning).includes(id))).toHaveLength(1);
});

test("a root that is another directory by now, or has other accounts, is not the one that is ready", async () => {
  const Rootfs = join(fixture.directory, "rootfs");
  const body = { Image: "", HostConfig: { AutoRemove: true, Rootfs } };
  const makeRoot = (): void => void mkdirSync(join(Rootfs, "etc"), { recursive: true });
  const changes = [
    () => writeFileSync(join(Rootfs, "etc/passwd"), "root:x:0:0:root:/elsewhere:/bin/sh\n"),
    () => {
      renameSync(Rootfs, `${Rootfs}.old`);
      makeRoot();
    },
  ];
  makeRoot();
  for (const change of changes) {
    await runSeveral(body);
    const unused = fixture.executor.begun.filter(({ calls }) => calls.length === 0);
    const made = fixture.executor.begun.length;
    change();
    await runOnce(body);
    await settled();
    expect(unused[0]?.calls).toEqual(["withdraw"]);
    for (let run = 0; run < 6; run++) await runOnce(body); // those of the root as it is are made meanwhile, and used
    const isFinished = ({ calls }: { readonly calls: readonly string[] }) =>
      calls.some((call) => call.startsWith("finish"));
    expect(unused.some(isFinished)).toBe(false);
    expect(fixture.executor.begun.slice(made).some(isFinished)).toBe(true);
  }
});
