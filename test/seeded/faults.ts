/** One fault for each kind of test, which that kind must notice. Only a test build can be told to have it. */

import type { Need } from "../kernel/harness.ts";

export interface SeededFault {
  /** The folder of the kind. */
  readonly kind: string;
  readonly file: string;
  /** Which of its tests. */
  readonly test: string;
  /** What turns the fault on: a step of the executor that is skipped, or a place in TypeScript (src/base/point.ts). */
  readonly env: Readonly<Record<string, string>>;
  /** How the tests say that they noticed. */
  readonly notices: RegExp;
  /** What is then wrong. */
  readonly what: string;
  /** What the test needs of the machine. */
  readonly needs?: readonly Need[];
  /** More than a few seconds: only with ORLOP_TEST_SEEDED=all. */
  readonly isSlow?: true;
}

/** A step, or a point of the executor, that is passed over each time: `bun scripts/build.ts --test`, then dist/test/orlop-executor points. */
const skipped = (name: string) => ({ ORLOP_POINT: `${name}:skip:*` });
/** A place in TypeScript: the program's, and that of sources which a test runs itself. */
const seeded = (name: string) => ({ ORLOP_SEEDED_FAULT: name });

export const faults: readonly SeededFault[] = [
  {
    kind: "kernel",
    file: "test/kernel/masks.test.ts",
    test: "a masked file is an empty one",
    env: skipped("step.root-mask"),
    notices: /expect\(received\)/,
    what: "what must be hidden is not",
  },
  {
    kind: "leakcheck",
    file: "test/kernel/cgroup1.test.ts",
    test: "it is in its own group in every hierarchy",
    env: skipped("step.rmdir"),
    notices: /left behind:\n\s+cgroup: /,
    what: "a cleanup is skipped",
  },
  {
    kind: "golden",
    file: "test/golden/container.test.ts",
    test: "container default-v1",
    env: seeded("golden.masks"),
    notices: /root-mask/,
    what: "a plan lacks steps",
  },
  {
    kind: "conformance",
    file: "test/conformance/tar/oracles.test.ts",
    test: "tree 1 reads as the file system has it",
    env: seeded("conformance.long-name"),
    notices: /expect\(received\)/,
    what: "names that do not fit tar's header are cut off",
  },
  {
    kind: "registry",
    file: "test/registry/hostile-content.test.ts",
    test: "about the content",
    env: seeded("registry.digest"),
    notices: /this should have failed/,
    what: "a blob is taken without a look at its digest",
  },
  {
    kind: "fuzz",
    file: "test/fuzz/plan-decoder.test.ts",
    test: "no bytes on a connection",
    env: seeded("fuzz.bounds"),
    notices: /AddressSanitizer|libFuzzer/,
    what: "a length is believed",
    isSlow: true,
  },
  {
    kind: "posture",
    file: "test/posture/posture.test.ts",
    test: "keyring",
    env: skipped("step.keyring"),
    notices: /expect\(received\)/,
    what: "a container has the supervisor's keyring",
  },
  {
    kind: "exec",
    file: "test/exec/exec.test.ts",
    test: "is who, where and with what was asked for",
    env: skipped("step.user"),
    notices: /expect\(received\)|exit code/,
    what: "an exec is root whatever was asked for",
  },
  {
    kind: "stream",
    file: "test/stream/stream.test.ts",
    test: "logs -f: followed while it is written",
    env: { ORLOP_POINT: "monitor.log.append:5" },
    notices: /byte 0: ".*", not /,
    what: "the disk fails once, and a line is lost without a word",
  },
  {
    kind: "values",
    file: "test/values/create.test.ts",
    test: "^Hostname acts",
    env: skipped("step.hostname"),
    notices: /"wanted": /,
    what: "a field of the body is accepted and ignored",
  },
  {
    kind: "api",
    file: "test/api/mounts.test.ts",
    test: "a read-only root with places to write",
    env: skipped("step.root-attributes"),
    notices: /expect\(received\)/,
    what: "a read-only root can be written",
  },
  {
    kind: "images",
    file: "test/images/run-image.test.ts",
    test: "a user is looked up",
    env: skipped("step.layer-whiteout"),
    notices: /expect\(received\)/,
    what: "a file that a layer took away is there",
  },
  {
    kind: "cli",
    file: "test/cli/archives.test.ts",
    test: "cp takes a tree in and out again",
    env: skipped("step.layer-symlink"),
    notices: /expect\(received\)|exit code/,
    what: "links are lost on the way",
  },
  {
    kind: "library",
    file: "test/library/library.test.ts",
    test: "a program is run as its options say",
    env: skipped("step.hostname"),
    notices: /expect\(received\)/,
    what: "an option is passed on and does not act",
  },
  {
    kind: "docker-cli",
    needs: ["docker"],
    file: "test/docker-cli/docker-cli.test.ts",
    test: "logs, ps, inspect, wait, stop, rm",
    env: { ORLOP_POINT: "monitor.log.append:5" },
    notices: /not within \d+ s: the log has a line/,
    what: "docker logs lacks a line",
  },
  {
    kind: "crash",
    file: "test/crash/crash.test.ts",
    test: "killed at monitor.exit.recorded",
    env: skipped("step.rmdir"),
    notices: /left behind|cgroup/,
    what: "groups of containers stay",
  },
  {
    kind: "chaos",
    file: "test/chaos/chaos.test.ts",
    test: "clients for",
    env: { ...skipped("step.rmdir"), ORLOP_CHAOS_SECONDS: "3" },
    notices: /left behind|expect\(received\)/,
    what: "groups of containers stay",
    isSlow: true,
  },
  {
    kind: "power",
    file: "test/power/power.test.ts",
    test: "states that a power loss could leave",
    env: { ...seeded("power.sync"), ORLOP_POWER_STATES: "30", ORLOP_POWER_SEED: "7" },
    notices: /entry \d+|SQLITE_CORRUPT/,
    what: "what was acknowledged was not synced",
    isSlow: true,
  },
  {
    kind: "network",
    file: "test/network/reach.test.ts",
    test: "a published port is reached from everywhere",
    env: seeded("network.forward"),
    notices: /expect\(received\)/,
    what: "what is not published is reached from outside",
    isSlow: true,
  },
];
