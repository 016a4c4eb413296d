/** Run by host-image.test.ts in a mount namespace of its own: mounts of several kinds below its directory, seen through `host`. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { planHost } from "../../src/storage/host.ts";
import { readHostView } from "../../src/storage/host-view.ts";
import { runContainer } from "./container.ts";

const play = process.argv[2] ?? "";
const at = (name: string) => join(play, name);
const must = (...command: string[]) => {
  const { exitCode, stderr } = Bun.spawnSync(command, { stdout: "ignore" });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
};

for (const name of ["disk", "other", "memory", "stacked", "lower", "upper", "work", "state"]) mkdirSync(at(name));
writeFileSync(at("other/file"), "from the disk\n");
must("mount", "--bind", at("other"), at("disk")); // another directory of the file system: a mount of its own all the same
must("mount", "-t", "tmpfs", "none", at("memory"));
writeFileSync(at("memory/secret"), "");
must(
  "mount",
  "-t",
  "overlay",
  "-o",
  `lowerdir=${at("lower")},upperdir=${at("upper")},workdir=${at("work")}`,
  "none",
  at("stacked"),
);
const server = createServer((connection) => connection.end()).listen(at("stacked/socket"));
await new Promise((resolve) => server.once("listening", resolve));

const connect = `${process.execPath} ${join(import.meta.dir, "connect.ts")}`;
const script = `cd ${play}; echo "disk: $(cat disk/file)"; echo inside > disk/file; echo "changed: $(cat disk/file)"
  echo "memory: $(ls memory)"; echo "overlay socket: $(${connect} stacked/socket)"`;
const { stdout, stderr } = await runContainer({ directory: at("state"), defer: () => undefined }, script, {
  root: (directory) =>
    planHost({
      view: readHostView(),
      mountPoint: join(directory, "root"),
      partPoint: join(directory, "part"),
      upper: { kind: "directory", path: join(directory, "upper"), volatile: true },
      hidden: [at("state")],
    }),
});
if (readFileSync(at("other/file"), "utf8") !== "from the disk\n") throw new Error("the host's disk was changed");
server.close();
process.stderr.write(stderr);
process.stdout.write(stdout);
