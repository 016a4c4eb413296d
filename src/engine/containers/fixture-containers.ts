/** An engine on a recording executor, made anew for each test of a file. */

import { afterAll, afterEach, beforeEach, expect, spyOn } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeExecutor } from "../../kernel/executor-fake.ts";
import { FakeNetd } from "../../kernel/netd-fake.ts";
import { parseContainerCreate } from "../../spec/engine-api-container.ts";
import { Engine } from "../engine.ts";
import type { Container } from "./container.ts";
import { LikelyKinds } from "./likely-kinds.ts";

/** A body of create, for a `--rm` container. */
export const transient = { HostConfig: { AutoRemove: true } };
/** A signal that is never aborted. */
export const never = new AbortController().signal;
export const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export class EngineFixture {
  directory = "";
  executor = new FakeExecutor();
  #engine: Engine | undefined;
  /** How long ready starts are kept: not by the clock, as the machine may be busy. */
  readonly keepMs = spyOn(LikelyKinds.prototype, "keepMs");

  constructor() {
    beforeEach(async () => {
      this.keepMs.mockReturnValue(600_000);
      this.directory = mkdtempSync(join(tmpdir(), "orlop-engine-"));
      await this.open();
    });
    afterEach(async () => {
      await this.engine.close();
      rmSync(this.directory, { recursive: true });
    });
    afterAll(() => this.keepMs.mockRestore());
  }

  get engine(): Engine {
    return this.#engine ?? expect.unreachable("no engine is open");
  }

  /** Opens the next engine in the same directory, with another executor. The last one must be closed. */
  async open(): Promise<void> {
    this.executor = new FakeExecutor();
    this.#engine = await Engine.open({
      places: { runDir: join(this.directory, "run"), stateDir: join(this.directory, "state") },
      executor: this.executor,
      netd: new FakeNetd(),
      installRules: async () => undefined,
      watch: () => undefined,
    });
  }

  readonly create = async (body: Record<string, unknown> = {}, name = ""): Promise<Container> => {
    const request = parseContainerCreate({
      Image: "host",
      Cmd: ["true"],
      ...body,
      HostConfig: { NetworkMode: "none", ...(body["HostConfig"] as object) },
    });
    return (await this.engine.containers.create(request, name)).container;
  };

  /** The monitor of the container that was started as number `index`. */
  readonly monitor = (index = 0): FakeExecutor["monitors"][number] =>
    this.executor.monitors[index] ?? expect.unreachable("no monitor was started");
}
