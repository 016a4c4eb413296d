import { expect, test } from "bun:test";
import { newContainerId } from "../../base/id.ts";
import { encodePlan } from "../../kernel/plan.ts";
import type { Digest } from "../../spec/digest.ts";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { testMachine } from "../fixture-machine.ts";
import type { ContainerImage } from "../images/container-image.ts";
import { planStart, type StartPlan } from "./container-plan.ts";
import { PlanTemplates } from "./plan-templates.ts";

const surroundings = { machine: testMachine, places: { runDir: "/run/orlop", stateDir: "/var/lib/orlop" } };
/** The real ones may be others in the middle of a test. */
const sameMounts: [] = [];
const layer = `sha256:${"1".repeat(64)}` as Digest;
const image = { id: layer, layers: [layer], hidingEtc: [], config: {} } as unknown as ContainerImage;

const like = (more: Record<string, unknown>) => ({
  name: "any",
  body: parseContainerCreate({ Image: "box", Cmd: ["true"], HostConfig: { NetworkMode: "none" }, ...more }),
  image,
  mounts: [],
});

/** The fourth plan of equal requests. */
function fourth(more: Record<string, unknown>, ids: string[] = Array.from({ length: 4 }, newContainerId)): StartPlan {
  const templates = new PlanTemplates(() => sameMounts);
  const plans = ids.map((id) => templates.planOf(id, like(more), surroundings));
  return plans.at(-1) as StartPlan;
}

/** A plan from a template has its encoding cached. */
function isFilled({ steps }: StartPlan): boolean {
  const bytes = encodePlan(steps);
  return bytes === encodePlan(steps);
}

test.each([
  ["nothing more", {}],
  ["a host name of its own", { Hostname: "box", Env: ["A=1"] }],
  ["the default network", { HostConfig: { NetworkMode: "" } }],
  [
    "limits and labels in its log",
    { Labels: { a: "b" }, HostConfig: { Memory: 1 << 26, LogConfig: { Config: { labels: "a" } } } },
  ],
  [
    "the id in each line of its log",
    { HostConfig: { NetworkMode: "none", LogConfig: { Config: { tag: "{{.ID}}" } } } },
  ],
])("with %s the fourth plan is filled in from a template, and is what planning it gives", (_, more) => {
  const ids = Array.from({ length: 4 }, newContainerId);
  const plan = fourth(more, ids);
  const made = planStart(ids[3] as string, like(more), surroundings);
  expect(isFilled(plan)).toBe(true);
  expect(plan.steps).toEqual(made.steps);
  expect(Buffer.compare(encodePlan(plan.steps), encodePlan([...made.steps]))).toBe(0);
  expect({ spec: plan.spec, root: plan.root, groupPath: plan.groupPath }).toEqual({
    spec: made.spec,
    root: made.root,
    groupPath: made.groupPath,
  });
});

test.each([
  ["the machine's network", { HostConfig: { NetworkMode: "host" } }],
  ["servers that are asked for names", { HostConfig: { NetworkMode: "none", Dns: ["10.0.0.1"] } }],
  ["another container's IPC", { HostConfig: { NetworkMode: "none", IpcMode: "container:web" } }],
  ["all of the machine's devices", { HostConfig: { NetworkMode: "none", Privileged: true } }],
  ["a group elsewhere", { HostConfig: { NetworkMode: "none", CgroupParent: "/other" } }],
])("with %s each plan is made anew", (_, more) => {
  expect(isFilled(fourth(more))).toBe(false);
});

test("where the first one's id is in what was asked for, each plan is made anew", () => {
  const ids = Array.from({ length: 4 }, newContainerId);
  const more = { Env: [`FIRST=${ids[0]}`] };
  const plan = fourth(more, ids);
  expect(isFilled(plan)).toBe(false);
  expect(plan.spec.process.env).toContain(`FIRST=${ids[0]}`);
});

test("with other mounts a plan is made anew", () => {
  const ids = Array.from({ length: 4 }, newContainerId);
  const templates = new PlanTemplates(() => []);
  const plans = ids.map((id) => templates.planOf(id, like({}), surroundings));
  expect(plans.some(isFilled)).toBe(false);
});
