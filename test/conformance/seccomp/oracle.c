/* The same rules through libseccomp, as an oracle: reads a profile from standard input, writes its BPF program.
 *
 *   default ACTION                                ACTION: a SECCOMP_RET_* value, decimal
 *   arch NAME                                     x86_64, x32, x86, aarch64 or arm; the first replaces the native one
 *   rule ACTION SYSCALL [INDEX OP A B]...         OP: enum scmp_compare, decimal
 *
 * Names that libseccomp does not know are left out, as runc leaves them out. A rule that libseccomp refuses ends the
 * program with status 3. */
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 4096 };

static void fail(const char *what, const char *line, int rc) {
  fprintf(stderr, "%s: %d: %s", what, rc, line);
  exit(3);
}

static uint32_t architecture(const char *name) {
  static const struct { const char *name; uint32_t token; } known[] = {
    {"x86_64", SCMP_ARCH_X86_64}, {"x32", SCMP_ARCH_X32}, {"x86", SCMP_ARCH_X86},
    {"aarch64", SCMP_ARCH_AARCH64}, {"arm", SCMP_ARCH_ARM},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(name, known[i].name) == 0)
      return known[i].token;
  fail("unknown architecture", name, 0);
  return 0;
}

static void add_rule(scmp_filter_ctx filter, const char *line) {
  uint32_t action;
  char name[128];
  int taken;
  if (sscanf(line, "rule %" SCNu32 " %127s%n", &action, name, &taken) != 2)
    fail("not a rule", line, 0);
  struct scmp_arg_cmp args[6];
  unsigned count = 0;
  unsigned index, op;
  uint64_t a, b;
  for (const char *at = line + taken; sscanf(at, " %u %u %" SCNu64 " %" SCNu64 "%n", &index, &op, &a, &b, &taken) == 4; at += taken)
    args[count++] = (struct scmp_arg_cmp){.arg = index, .op = (enum scmp_compare)op, .datum_a = a, .datum_b = b};
  int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR)
    return;
  int rc = seccomp_rule_add_array(filter, action, number, count, args);
  if (rc < 0)
    fail("refused", line, rc);
}

int main(void) {
  scmp_filter_ctx filter = NULL;
  int native = 1;
  char line[LINE], name[32];
  uint32_t action;
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "default %" SCNu32, &action) == 1) {
      filter = seccomp_init(action);
      if (filter == NULL)
        fail("no filter", line, 0);
    } else if (sscanf(line, "arch %31s", name) == 1) {
      uint32_t token = architecture(name);
      if (native && token != seccomp_arch_native()) {
        seccomp_arch_add(filter, token);
        seccomp_arch_remove(filter, SCMP_ARCH_NATIVE);
      } else if (token != seccomp_arch_native()) {
        seccomp_arch_add(filter, token);
      }
      native = 0;
    } else {
      add_rule(filter, line);
    }
  }
  return seccomp_export_bpf(filter, STDOUT_FILENO) < 0 ? 3 : 0;
}
