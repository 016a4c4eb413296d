/** The command line without an engine or executor of its own, for tests. */

import { runCli } from "../../src/cli/run-cli.ts";

process.exit(
  await runCli(process.argv.slice(2), {
    version: "0.0.0-test",
    executor: "/nonexistent/orlop-executor",
    engineCommand: () => ["/nonexistent/orlop"],
    idleSeconds: 1,
  }),
);
