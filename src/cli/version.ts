/** `orlop version`: works without an engine, and starts none. */
import { EngineClient } from "../client/engine-client.ts";
import { connectWithBun } from "./bun-stream.ts";
import { command } from "./context.ts";

export const version = command({
  name: "version",
  summary: "Show the versions of the command line and of the engine",
  flags: { format: { type: "text", short: "f", choices: ["json"], help: "json: as JSON" } },
  examples: ["orlop version", "orlop version -f json"],
  async run({ flags, engine, version, print }) {
    // A client of its own: this one launches nothing.
    const asking = new EngineClient({ address: engine.address, connect: connectWithBun });
    const answer = await asking.system.version().then(
      (engineVersion) => ({ engineVersion }),
      (error: unknown) => ({ reason: error instanceof Error ? error.message : String(error) }),
    );
    if (flags.format === "json") {
      const server = "engineVersion" in answer ? answer.engineVersion : null;
      await print(JSON.stringify({ Client: { Version: version, Bun: Bun.version }, Server: server }));
      return 0;
    }
    await print(`Command line: ${version} (Bun ${Bun.version})`);
    if ("reason" in answer) await print(`Engine:       not answering (${answer.reason})`);
    else {
      const { Version, ApiVersion, MinAPIVersion, KernelVersion } = answer.engineVersion;
      await print(
        `Engine:       ${Version} (API ${MinAPIVersion} to ${ApiVersion}; kernel ${KernelVersion ?? "unknown"})`,
      );
    }
    return 0;
  },
});
