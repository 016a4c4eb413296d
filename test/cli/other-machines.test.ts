/** Machines that give less than a whole one: another user, fewer capabilities, a container around us. */

import { afterAll, beforeAll, expect } from "bun:test";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kernelTest, type Need } from "../kernel/harness.ts";
import { Product, runProgram } from "../product.ts";

const needs: readonly Need[] = ["root", "product", "overlay", "setpriv"];
const timeoutMs = 60_000;

let directory = "";
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "orlop-machines-"));
  chmodSync(directory, 0o755); // for the user who is not root
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const script = (text: string): string[] => ["--network", "none", "host", "sh", "-c", text];

kernelTest("a user who is not root is told what works today", [...needs, "build-for-all"], async () => {
  const product = new Product(join(directory, "user"));
  const nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
  const refused = await runProgram([...nobody, ...product.command("run", "--rm", "host", "true")]);
  expect(refused.exitCode).toBe(125);
  expect(refused.stderr.trimEnd().split("\n")).toEqual([
    expect.stringMatching(/^orlop: starting an engine needs root: .*orlop doctor$/),
  ]);
  expect((await runProgram([...nobody, ...product.command("--version")])).exitCode).toBe(0);
});

kernelTest(
  "without systemd a service cannot be installed, and the message says what to do instead",
  needs,
  async () => {
    const product = new Product(join(directory, "no-systemd"));
    const without = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh"];
    const refused = await runProgram([...without, ...product.command("service", "install")]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(
      /^orlop: this machine's first process is not systemd .*orlop info" as root once at boot.*\n$/,
    );
    const status = await runProgram([...without, ...product.command("service", "status")]);
    expect(status).toMatchObject({ exitCode: 3, stdout: expect.stringMatching(/^not installed: /) });
  },
);

kernelTest(
  "without CAP_SYS_RESOURCE containers start; a limit over ours is refused with its value",
  needs,
  async () => {
    const product = new Product(join(directory, "resource"));
    const command = (...words: string[]): string[] => [
      ...["setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource"],
      ...["prlimit", "--nofile=4096:4096", ...product.command(...words)],
    ];
    try {
      const started = await runProgram(command("run", "--rm", "--ulimit", "nofile=1000:2000", ...script("ulimit -n")));
      expect(started).toEqual({ exitCode: 0, stdout: "1000\n", stderr: "" });
      const refused = await runProgram(command("run", "--rm", "--ulimit", "nofile=5000:2000000000", ...script("true")));
      expect(refused.exitCode).toBe(125);
      expect(refused.stderr).toMatch(/ulimit \S*NOFILE=5000:2000000000: EPERM/);
    } finally {
      await product.stop();
    }
  },
  timeoutMs,
);

kernelTest(
  "inside another container: a copy of the copy, its changes in memory where overlay cannot stack",
  needs,
  async () => {
    const product = new Product(join(directory, "outer"));
    try {
      const [program = ""] = product.command();
      const inner = `${program} --run-dir /run/inner --root /var/lib/inner`;
      const text = `${inner} run --rm --network none host sh -c 'touch /etc/inner && cat /proc/1/comm'; code=$?
        ls /etc/inner 2>/dev/null; ${inner} system stop >/dev/null; exit $code`;
      const outcome = await product.run(["run", "--rm", "--privileged", ...script(text)]);
      expect(outcome).toEqual({ exitCode: 0, stdout: "sh\n", stderr: "" });
    } finally {
      await product.stop();
    }
  },
  timeoutMs,
);
