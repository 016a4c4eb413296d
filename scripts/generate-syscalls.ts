/**
 * Writes src/kernel/seccomp/syscall-tables.ts from the kernel's own headers, so that the product needs none.
 *
 *   bun scripts/generate-syscalls.ts X86_INCLUDE ARM64_INCLUDE ARM_INCLUDE > src/kernel/seccomp/syscall-tables.ts
 *
 * The three are the include folders of Debian's linux-libc-dev (/usr/include and /usr/include/x86_64-linux-gnu together:
 * pass the second), linux-libc-dev-arm64-cross (usr/aarch64-linux-gnu/include) and linux-libc-dev-armhf-cross
 * (usr/arm-linux-gnueabihf/include). Numbers that are newer than those headers come from `newer` below.
 */

/** Since 5.1 a new call has one number on all architectures (Documentation/process/adding-syscalls.rst). */
const newer: Readonly<Record<string, number>> = {
  cachestat: 451, // 6.5
  fchmodat2: 452, // 6.6
  map_shadow_stack: 453, // 6.6
  futex_wake: 454, // 6.7
  futex_wait: 455, // 6.7
  futex_requeue: 456, // 6.7
  statmount: 457, // 6.8
  listmount: 458, // 6.8
  lsm_get_self_attr: 459, // 6.8
  lsm_set_self_attr: 460, // 6.8
  lsm_list_modules: 461, // 6.8
  mseal: 462, // 6.10
  setxattrat: 463, // 6.13
  getxattrat: 464, // 6.13
  listxattrat: 465, // 6.13
  removexattrat: 466, // 6.13
  open_tree_attr: 467, // 6.15
  file_getattr: 468, // 6.17
  file_setattr: 469, // 6.17
};

/** Entered only by a trampoline of the kernel's, on x86-64 alone. */
const newerX86: Readonly<Record<string, number>> = { uretprobe: 335 /* 6.11 */, uprobe: 336 /* 6.18 */ };

/** asm/unistd.h of arm: calls of the architecture itself start here. */
const armPrivate = 0xf0000;

type Table = Map<string, number>;

/** The macros that a header defines, as the preprocessor sees them. */
function macrosOf(include: string, header: string): Map<string, string> {
  const argv = [
    "cc",
    "-E",
    "-dM",
    "-undef",
    "-nostdinc",
    "-D__ARM_EABI__",
    "-I",
    include,
    "-include",
    header,
    "-x",
    "c",
  ];
  const { stdout, stderr, success } = Bun.spawnSync([...argv, "/dev/null"]);
  if (!success) throw new Error(`cc cannot read ${header} in ${include}: ${stderr}`);
  const macros = new Map<string, string>();
  for (const [, name = "", value = ""] of stdout.toString().matchAll(/^#define (\w+) (.+)$/gm)) macros.set(name, value);
  return macros;
}

/** The value of `NUMBER`, `MACRO` or `(MACRO + NUMBER)`. */
function evaluate(macros: ReadonlyMap<string, string>, expression: string): number {
  const sum = expression.replace(/[()\s]/g, "").split("+");
  return sum.reduce((total, term) => {
    if (/^(0x[0-9a-f]+|\d+)$/i.test(term)) return total + Number(term);
    const value = macros.get(term);
    if (value === undefined) throw new Error(`${term} in ${expression} has no value`);
    return total + evaluate(macros, value);
  }, 0);
}

/** Names without the prefix and their numbers. `offset` is what the header adds to each (x32: its bit). */
function tableOf(macros: ReadonlyMap<string, string>, prefix: string, offset = 0): Table {
  const table: Table = new Map();
  for (const [macro, value] of macros) {
    const name = macro.slice(prefix.length);
    if (
      !macro.startsWith(prefix) ||
      /^(syscalls|arch_specific_syscall|SYSCALL_MASK|BASE|SYSCALL_BASE|OABI_SYSCALL_BASE)$/.test(name)
    )
      continue;
    table.set(name, evaluate(macros, value) - offset);
  }
  return table;
}

/** "3 close stat 8 lseek": a number says what the next name has, each further name has one more. */
function encode(table: Table): string {
  const names = new Map<number, string[]>();
  for (const [name, number] of table) names.set(number, [...(names.get(number) ?? []), name]);
  const words: string[] = [];
  let next = -1;
  for (const number of [...names.keys()].sort((a, b) => a - b)) {
    for (const name of (names.get(number) ?? []).sort()) {
      if (number !== next) words.push(String(number));
      words.push(name);
      next = number + 1;
    }
  }
  const lines = [""];
  for (const word of words) {
    const line = lines[lines.length - 1] ?? "";
    if (line.length + word.length > 118) lines.push(`  ${word}`);
    else lines[lines.length - 1] = line === "" ? `  ${word}` : `${line} ${word}`;
  }
  return lines.join("\n");
}

function withNewer(table: Table, more: Readonly<Record<string, number>>): Table {
  for (const [name, number] of Object.entries(more)) {
    const known = table.get(name);
    if (known !== undefined && known !== number) throw new Error(`${name} is ${known} in the headers, not ${number}`);
    table.set(name, number);
  }
  return table;
}

const [x86, arm64, arm] = process.argv.slice(2);
if (x86 === undefined || arm64 === undefined || arm === undefined) {
  throw new Error("usage: generate-syscalls.ts X86_INCLUDE ARM64_INCLUDE ARM_INCLUDE");
}
const x32Bit = 0x40000000;
const x32 = macrosOf(x86, "asm/unistd_x32.h").set("__X32_SYSCALL_BIT", String(x32Bit));
const armMacros = macrosOf(arm, "asm/unistd.h").set("__NR_SYSCALL_BASE", "0");
const armTable = new Map([...tableOf(armMacros, "__NR_"), ...tableOf(armMacros, "__ARM_NR_")]);
// Two spellings of one number, both in use: libseccomp and Docker's profile know the first, the kernel's table the second.
armTable.set("arm_sync_file_range", armTable.get("sync_file_range2") ?? 341);

const tables = {
  x86_64: withNewer(withNewer(tableOf(macrosOf(x86, "asm/unistd_64.h"), "__NR_"), newer), newerX86),
  x32: withNewer(tableOf(x32, "__NR_", x32Bit), newer),
  x86: withNewer(tableOf(macrosOf(x86, "asm/unistd_32.h"), "__NR_"), newer),
  aarch64: withNewer(tableOf(macrosOf(arm64, "asm/unistd.h"), "__NR_"), newer),
  arm: withNewer(armTable, newer),
};
for (const [name, number] of tables.arm) {
  if (number >= 500 && number < armPrivate) throw new Error(`${name} has an unexpected number on arm: ${number}`);
}

process.stdout.write(`/**
 * System call numbers by architecture, up to Linux 6.18. Made by scripts/generate-syscalls.ts: do not edit.
 *
 * A number says what the next name has; each further name has one more. x32 numbers are without its bit (1 << 30).
 */
export const syscallTables = {
${Object.entries(tables)
  .map(([name, table]) => `  ${name}: \`\n${encode(table)}\n\`,\n`)
  .join("")}} as const;
`);
