/** Holds a listening socket for a program, as systemd does: PATH PROGRAM [ARGUMENT...]. Ends with the program, whose exit code is in PATH.exit. */

import { writeFileSync } from "node:fs";

const [path = "", ...words] = process.argv.slice(2);
const listener = Bun.listen({ unix: path, socket: { data: () => undefined } }) as unknown as { readonly fd: number };
// This process stands still meanwhile: it accepts nobody itself.
const { exitCode } = Bun.spawnSync(["sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh", ...words], {
  stdio: ["ignore", "ignore", "inherit", listener.fd],
});
writeFileSync(`${path}.exit`, String(exitCode));
process.kill(process.pid, exitCode === 0 ? "SIGTERM" : "SIGKILL"); // without removing the socket's file
