/** `root-copy`: what a volume gets of an image is what the image has, and nothing else. */

import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bare, type Environment, runSteps, runWithMounts } from "./child.ts";
import { kernelTest, type Need } from "./harness.ts";

const needs: readonly Need[] = ["root", "executor"];

function copy(root: string, source: string, target: string): Bare[] {
  return [
    { op: "root", path: root },
    { op: "root-copy", source, target, sync: 1 },
  ];
}

/** Every property of every entry, one line each; of links the text, of files the content's sum. */
function describeTree(directory: string): string {
  const script = `cd ${directory} && find . -printf '%P %y %m %U:%G %s %n %l %T@\\n' | sed 's/^\\([^ ]* d.*\\) [0-9]* \\([0-9]*\\)  /\\1 \\2  /' | sort &&
    find . -type f | sort | xargs sha256sum && getfattr -h -d -m - -R . 2>/dev/null | sort`;
  return execFileSync("/bin/bash", ["-c", script], { encoding: "utf8" });
}

kernelTest("everything that belongs to a file comes with it", needs, async ({ directory }) => {
  const [root, target] = [join(directory, "root"), join(directory, "target")];
  const source = join(root, "data");
  mkdirSync(source, { recursive: true });
  mkdirSync(target, { mode: 0o755 });
  execFileSync("/bin/bash", [
    "-c",
    `cd ${source}
     mkdir -p deep/er; echo one > one; ln one deep/two; ln -s /etc/passwd link; ln -s nowhere dangling
     mkfifo pipe; mknod null c 1 3; cp /bin/true program; chmod 4711 program; chown 7:8 program one; chown -h 9:9 link
     setcap cap_net_raw+ep one 2>/dev/null; python3 -c 'import os; os.setxattr("deep", "user.colour", b"blue")' 2>/dev/null
     truncate -s 8M hole; echo end >> hole; touch -d '2001-02-03 04:05:06.789' one deep/er pipe
     touch -h -d '2002-02-02' link; chmod 1777 deep; touch -d '2003-03-03' deep .; chown 5:6 .; chmod 2750 .`,
  ]);
  const { status } = await runCopy(copy(root, "/data", target));
  expect(status).toBe(0);
  expect(describeTree(target)).toBe(describeTree(source));
  expect(statSync(join(target, "hole")).blocks).toBeLessThan(2048);
  expect(statSync(join(target, "one")).ino).toBe(statSync(join(target, "deep/two")).ino);
});

/** In a child, as the plan has it. */
async function runCopy(steps: Bare[], env: Environment = {}) {
  const { status } = await runWithMounts({ steps, run: "true", env });
  return { status };
}

for (const [way, env] of [
  ["openat2", {}],
  ["a walk without openat2", { ORLOP_NO_OPENAT2: "1" }],
] as const) {
  kernelTest(
    `by ${way}: links on the way to it are the image's own; missing is nothing, a file is ENOTDIR`,
    needs,
    async (scratch) => {
      const [root, target, outside] = ["root", "target", "outside"].map((name) => join(scratch.directory, name)) as [
        string,
        string,
        string,
      ];
      for (const path of [join(root, "real"), target, outside]) mkdirSync(path, { recursive: true });
      writeFileSync(join(root, "real/file"), "inside");
      writeFileSync(join(outside, "secret"), "secret");
      writeFileSync(join(root, "plain"), "");
      symlinkSync("/real", join(root, "link"));
      symlinkSync(outside, join(root, "away"));
      await runCopy(copy(root, "/none", target), env);
      await runCopy(copy(root, "/away", target), env);
      expect(execFileSync("ls", ["-A", target], { encoding: "utf8" })).toBe("");
      const over = runCopy(copy(root, "/plain", target), env);
      await expect(over).rejects.toMatchObject({ errno: "ENOTDIR", detail: "/plain" });
      await runCopy(copy(root, "/link", target), env);
      expect(readFileSync(join(target, "file"), "utf8")).toBe("inside");
      // Not empty any more: what is there is never overwritten.
      const again = runCopy(copy(root, "/real", target), env);
      await expect(again).rejects.toMatchObject({ errno: "EEXIST", detail: "file" });
    },
  );
}

kernelTest("what is mounted below stays out, as does a target that is a link", needs, async ({ directory }) => {
  const [root, target] = [join(directory, "root"), join(directory, "target")];
  for (const path of [join(root, "data/mnt"), target]) mkdirSync(path, { recursive: true });
  const mnt = join(root, "data/mnt");
  await runWithMounts({
    steps: [
      { op: "mount", fstype: "tmpfs", source: "t", target: mnt, attributes: 0, options: [] },
      ...copy(root, "/data", target),
    ],
    run: "true",
  });
  expect(execFileSync("ls", ["-AR", target], { encoding: "utf8" })).toBe(`${target}:\nmnt\n\n${target}/mnt:\n`);
  symlinkSync("target", join(directory, "to-target"));
  const linked = runSteps(copy(root, "/data", join(directory, "to-target")));
  await expect(linked).rejects.toMatchObject({ errno: "ENOTDIR" });
});
