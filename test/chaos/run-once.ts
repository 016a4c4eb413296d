/** A container that is gone afterwards, whatever becomes of the request for it. */

import type { ContainerCreate } from "../../src/client/container-types.ts";
import type { EngineClient } from "../../src/client/engine-client.ts";
import { EngineError } from "../../src/client/engine-error.ts";

/** Its exit code; undefined: it is gone, and nobody knows. */
export async function runOnce(engine: EngineClient, config: ContainerCreate): Promise<number | undefined> {
  const { Id } = await engine.containers.create(config);
  try {
    const wait = await engine.containers.wait(Id, "removed");
    await engine.containers.start(Id);
    return (await wait.exit()).StatusCode;
  } catch (error) {
    // Killed with its monitor, or not started before an engine was: a `--rm` container is gone, and that says nothing of the rest.
    if (!(error instanceof EngineError && error.status === 404 && error.message.startsWith("No such container")))
      throw error;
    return undefined;
  }
}
