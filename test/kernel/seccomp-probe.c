/* Makes system calls and tells what became of each: one line per argument.
 *
 *   seccomp-probe ABI:NUMBER[:ARGUMENT...] ...     numbers as strtoull reads them; ABI: 64, or 32 for int 0x80 (x86-64 only)
 *
 *   "ok", "errno N", "trap N" (SIGSYS was delivered for call N) or "signal N" (the process was killed) */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS = 6, TRAPPED = 99 };

static void trapped(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)context;
  dprintf(1, "trap %d\n", info->si_syscall);
  _exit(TRAPPED);
}

static long call32(uint64_t number, const uint64_t *arg) {
#ifdef __x86_64__
  long result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(number), "b"(arg[0]), "c"(arg[1]), "d"(arg[2]), "S"(arg[3]), "D"(arg[4])
                   : "memory", "r8", "r9", "r10", "r11");
  return (int32_t)result;
#else
  (void)number;
  (void)arg;
  return -ENOSYS;
#endif
}

static void probe(char *text) {
  uint64_t value[2 + ARGUMENTS] = {0};
  int count = 0;
  for (char *part = strtok(text, ":"); part != NULL && count < 2 + ARGUMENTS; part = strtok(NULL, ":"))
    value[count++] = strtoull(part, NULL, 0);
  const uint64_t *arg = value + 2;
  long result;
  if (value[0] == 32) {
    result = call32(value[1], arg);
  } else {
    errno = 0;
    result = syscall((long)value[1], arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    if (result == -1)
      result = -errno;
  }
  if (result < 0 && result > -4096)
    dprintf(1, "errno %ld\n", -result);
  else
    dprintf(1, "ok\n");
}

int main(int argc, char **argv) {
  struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &action, NULL);
  for (int i = 1; i < argc; i++) {
    pid_t child = fork();
    if (child == 0) {
      probe(argv[i]);
      _exit(0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0)
      return 1;
    if (WIFSIGNALED(status))
      dprintf(1, "signal %d\n", WTERMSIG(status));
  }
  return 0;
}
