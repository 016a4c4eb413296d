/** `orlop version`: works without an engine, and starts none. */
import { EngineClient } from "../client/engine-client.ts";
import { connectWithBun } from "./bun-stream.ts";
import { command } from "./context.ts";
import { formatTemplate, objectFormat } from "./format-flags.ts";

export const version = command({
  name: "version",
  summary: "Show the versions of the command line and of the engine",
  flags: { format: objectFormat },
  examples: ["orlop version", "orlop version -f json", "orlop version -f '{{.Server.Version}}'"],
  async run({ flags, engine, version, print }) {
    // A client of its own: this one launches nothing.
    const asking = new EngineClient({ address: engine.address, connect: connectWithBun });
    const answer = await asking.system.version().then(
      (engineVersion) => ({ engineVersion }),
      (error: unknown) => ({ reason: error instanceof Error ? error.message : String(error) }),
    );
    if (flags.format !== undefined) {
      const server = "engineVersion" in answer ? answer.engineVersion : null;
      const arch = process.arch === "x64" ? "amd64" : process.arch;
      const client = { Version: version, Os: process.platform, Arch: arch, Bun: Bun.version };
      const both = { Client: client, Server: server };
      await print(flags.format === "json" ? JSON.stringify(both) : formatTemplate(flags.format, "-f")(both));
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
