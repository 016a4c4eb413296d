/** ./orlop before anything is built: what it says while it works, and what to do where it cannot. npm and gcc are stand-ins here. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "./product.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "orlop-bootstrap-"));
  mkdirSync(join(root, "bin"));
  copyFileSync(join(import.meta.dir, "../orlop"), join(root, "orlop"));
  writeFileSync(join(root, "package-lock.json"), "{}");
  for (const tool of [
    "sh",
    "mkdir",
    "rm",
    "touch",
    "grep",
    "sed",
    "head",
    "tail",
    "sleep",
    "readlink",
    "id",
    "env",
    "flock",
    "cat",
    "chmod",
  ])
    symlinkSync(Bun.which(tool) ?? expect.unreachable(tool), join(root, "bin", tool));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A program on the path that is these lines of shell. */
function standIn(name: string, ...lines: string[]): void {
  writeFileSync(join(root, "bin", name), `#!/bin/sh\n${lines.join("\n")}\n`, { mode: 0o755 });
}

function tools(): void {
  for (const name of ["node", "gcc"]) standIn(name, "exit 0");
}

/** npm's "ci" writes a bun whose build makes a program that tells its arguments. */
const makeBun = `mkdir -p node_modules/bun/bin
cat >node_modules/bun/bin/bun.exe <<'END'
#!/bin/sh
[ "$1" != --version ] || exit 0
mkdir -p dist
printf '#!/bin/sh\\necho started "$@"\\n' >dist/orlop
: >dist/orlop-program
: >dist/orlop-executor
chmod 755 dist/orlop dist/orlop-program dist/orlop-executor
END
chmod 755 node_modules/bun/bin/bun.exe
: >node_modules/.package-lock.json`;

const run = (...words: string[]) => runProgram([join(root, "orlop"), ...words], { env: { PATH: join(root, "bin") } });

test("what is missing is named in one command that can be pasted", async () => {
  standIn("apt-get", "exit 0");
  const { exitCode, stderr } = await run("ps");
  expect(stderr).toMatch(
    /^orlop: to build, packages are missing: apt-get update && apt-get install -y --no-install-recommends nodejs npm gcc libc6-dev\n$/,
  );
  expect(exitCode).toBe(125);
});

test("a machine without apt-get is told Debian's names", async () => {
  standIn("node", "exit 0");
  expect((await run("ps")).stderr).toContain("this is missing: npm gcc libc6-dev (Debian's names");
});

test("a node that is too old is told with its version", async () => {
  standIn("node", '[ "$1" = --version ] && echo v16.1.0', "exit 1");
  for (const name of ["npm", "gcc"]) standIn(name, "exit 0");
  expect((await run("ps")).stderr).toContain("node v16.1.0 is too old to build with: install 18 or newer");
});

test("installs, builds, and is the program; the next time nothing is said", async () => {
  tools();
  standIn("npm", makeBun);
  const first = await run("run", "a b");
  expect(first.stdout).toBe("started run a b\n");
  expect(first.stderr).toContain("orlop: installing what package-lock.json pins");
  expect(first.stderr).toContain("orlop: building");
  const second = await run("ps");
  expect([second.stdout, second.stderr]).toEqual(["started ps\n", ""]);
});

test("while npm works, what it fetched and what it tries again is told", async () => {
  tools();
  const slept = join(root, "slept");
  const soon = `${Bun.which("sleep")} 0.01`;
  writeFileSync(slept, "");
  rmSync(join(root, "bin/sleep"));
  standIn("sleep", `echo >>${slept}`, `exec ${soon}`); // the seconds of this machine
  standIn(
    "npm",
    "echo 'npm http fetch GET 200 https://registry.test/a 3ms'",
    "echo 'npm http fetch GET https://registry.test/b attempt 1 failed with ECONNRESET' >&2",
    `until [ "$(grep -c '' ${slept})" -gt 5 ]; do ${soon}; done`,
    makeBun,
  );
  expect((await run("ps")).stderr).toContain("5 s, 1 packages fetched; attempt 1 failed with ECONNRESET\n");
}, 30_000);

test.each([
  ["SELF_SIGNED_CERT_IN_CHAIN", "NODE_EXTRA_CA_CERTS=FILE ./orlop"],
  ["EAI_AGAIN", "HTTPS_PROXY=URL ./orlop"],
  ["ENOSPC", "no space is left"],
])("a registry that fails with %s is told with what to do, and not asked twice", async (code, advice) => {
  tools();
  standIn(
    "npm",
    `[ "$1" != config ] || exec echo https://registry.test/`,
    `echo "$1" >>asked`,
    `echo "npm ERR! code ${code}"`,
    "exit 1",
  );
  const { exitCode, stderr } = await run("ps");
  expect(stderr).toContain(`orlop: the packages could not be installed: ${code}: `);
  expect(stderr).toContain(advice);
  expect(exitCode).toBe(125);
  expect(await Bun.file(join(root, "asked")).text()).toBe("ci\n");
});

test("without a network npm is ended when that is clear, and not left to try every package for ten minutes", async () => {
  tools();
  standIn(
    "npm",
    '[ "$1" != config ] || { echo https://registry.test/; exit; }',
    'for i in 1 2 3 4 5 6 7 8 9 10; do echo "npm http fetch GET https://registry.test/$i attempt 1 failed with EAI_AGAIN"; done',
    "exec sleep 1000",
  );
  const { exitCode, stderr } = await run("ps");
  expect(stderr).toContain(
    "orlop: the packages could not be installed: EAI_AGAIN: the registry (https://registry.test/) cannot be reached",
  );
  expect(exitCode).toBe(125);
}, 30_000);

test("Ctrl-C ends npm too, and the next run installs what it left out", async () => {
  tools();
  // npm writes its list first here; the shell that it is started from has it ignore SIGINT.
  standIn("npm", "mkdir -p node_modules", ": >node_modules/.package-lock.json", "echo $$ >npm-pid", "exec sleep 1000");
  const first = Bun.spawn([join(root, "orlop"), "ps"], { env: { PATH: join(root, "bin") }, stderr: "ignore" });
  const pid = join(root, "npm-pid");
  while (!existsSync(pid) || (await Bun.file(pid).text()) === "") await Bun.sleep(5);
  first.kill("SIGINT");
  expect(await first.exited).toBe(130);
  const npm = Number(await Bun.file(pid).text());
  while (existsSync(`/proc/${npm}`)) await Bun.sleep(5);
  standIn("npm", makeBun);
  expect((await run("ps")).stdout).toBe("started ps\n");
}, 30_000);

test.each([
  ["the same packages", { "": {}, a: { integrity: "1" }, b: { integrity: "2", optional: true } }, false],
  ["another package", { "": {}, a: { integrity: "3" } }, true],
  ["one more package", { "": {}, a: { integrity: "1" }, c: { integrity: "4" } }, true],
])("a lock file that is newer and names %s: npm is asked only if it must be", async (_what, packages, isAsked) => {
  standIn("gcc", "exit 0");
  symlinkSync(Bun.which("node") ?? expect.unreachable("node"), join(root, "bin/node"));
  standIn("npm", "echo asked >>asked", makeBun, "echo '{\"packages\":{}}' >node_modules/.package-lock.json");
  expect((await run("ps")).stdout).toBe("started ps\n");
  const installed = join(root, "node_modules/.package-lock.json");
  writeFileSync(installed, JSON.stringify({ packages: { a: { integrity: "1" } } }));
  utimesSync(installed, 1, 1);
  writeFileSync(join(root, "package-lock.json"), JSON.stringify({ packages }));
  utimesSync(join(root, "dist/orlop"), 2, 2);
  expect((await run("ps")).stdout).toBe("started ps\n");
  expect(await Bun.file(join(root, "asked")).text()).toBe(isAsked ? "asked\nasked\n" : "asked\n");
});

test("a registry without other platforms' packages is asked by npm install, which takes the same versions", async () => {
  tools();
  standIn("npm", `[ "$1" = install ] || { echo "npm ERR! code EUSAGE"; exit 1; }`, makeBun);
  expect((await run("ps")).stdout).toBe("started ps\n");
});

test("what npm says at last is shown, and nothing half-made is taken for a program", async () => {
  tools();
  standIn("npm", "echo 'npm ERR! code EODD'; echo 'npm ERR! something odd'; exit 1");
  const { stderr } = await run("ps");
  expect(stderr).toContain("npm ERR! something odd\n");
  expect(stderr).toContain(`could not be installed in ${root}: see above`);
  expect(existsSync(join(root, "dist/orlop"))).toBe(false);
});

test("a build that fails is told", async () => {
  tools();
  standIn(
    "npm",
    makeBun,
    "printf '#!/bin/sh\\n[ \"$1\" = --version ] || { echo broken >&2; exit 1; }\\n' >node_modules/bun/bin/bun.exe",
  );
  const { exitCode, stderr } = await run("ps");
  expect(stderr).toContain("broken\norlop: the build failed: see above\n");
  expect(exitCode).toBe(125);
});

/** What npm makes of the package: this directory as `node_modules/orlop`, without the lock file. */
function asPackage(): string {
  const place = join(root, "node_modules/orlop");
  mkdirSync(place, { recursive: true });
  copyFileSync(join(import.meta.dir, "../orlop"), join(place, "orlop"));
  writeFileSync(join(place, "package.json"), "{}");
  tools();
  standIn("npm", "exit 1");
  return place;
}
const runPackage = (place: string) => runProgram([join(place, "orlop"), "ps"], { env: { PATH: join(root, "bin") } });

test.each([
  ["beside it", "."],
  ["below it", "node_modules/orlop"],
])("as a package it builds with the bun that npm put %s, and installs nothing", async (_where, holder) => {
  const place = asPackage();
  const made = Bun.spawnSync(["sh", "-c", makeBun], { cwd: join(root, holder) });
  expect(made.exitCode).toBe(0);
  const { stdout, stderr } = await runPackage(place);
  expect(stdout).toBe("started ps\n");
  expect(stderr).toStartWith("orlop: building (bun scripts/build.ts)\n");
  expect(stderr).not.toContain("installing");
  expect(existsSync(join(place, "dist/orlop"))).toBe(true);
});

test("as a package without bun it says so", async () => {
  const place = asPackage();
  const missing = join(realpathSync(root), "node_modules/bun");
  expect((await runPackage(place)).stderr).toBe(
    `orlop: bun, which npm installs with this package, is not in ${missing}: install the package again\n`,
  );
});

test("who cannot build it where it is, is told who can", async () => {
  chmodSync(root, 0o555);
  const words = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--clear-groups"] : [];
  const [setpriv = "", ...more] = words;
  const command = [
    ...(words.length > 0 ? [Bun.which(setpriv) ?? expect.unreachable(setpriv), ...more] : []),
    join(root, "orlop"),
  ];
  const { exitCode, stderr } = await runProgram(command, { env: { PATH: join(root, "bin") } });
  expect(stderr).toBe(
    `orlop: ${realpathSync(root)} is not built yet, and only who may write there can do that: run any orlop command as that user once\n`,
  );
  expect(exitCode).toBe(125);
  chmodSync(root, 0o755);
});
