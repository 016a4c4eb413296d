// The full program, which lies beside this one.
#include "launcher.h"
#include <linux/fcntl.h>

#define NAME "orlop-program"
#define PATH_BYTES 4096
#define WORDS 4096

// "/proc/self/exe" is this file past every link to it. Without /proc there is no engine either, and nothing to be done.
static bool find_program(char path[static PATH_BYTES]) {
  long size = sys4(__NR_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)path, PATH_BYTES - (long)sizeof NAME);
  while (size > 0 && path[size - 1] != '/')
    size--;
  if (size <= 0)
    return false;
  memcpy(path + size, NAME, sizeof NAME);
  return true;
}

_Noreturn static void execute(const struct call *call, char **argv) {
  char path[PATH_BYTES];
  restore_signals();
  if (find_program(path)) {
    sys3(__NR_execve, (long)path, (long)argv, (long)call->envp);
    complain((const char *const[]){"orlop: cannot run ", path, ": build or install it again", NULL});
  } else
    complain((const char *const[]){"orlop: cannot find the program beside this one: is /proc mounted?", NULL});
  sys_exit(125);
}

_Noreturn void become_program(const struct call *call, const struct session *lost) {
  if (lost == NULL)
    execute(call, call->argv);
  // The same global flags, and the hidden command that goes on: orlop resume STATE STDOUT STDERR FAILURE.
  static char *argv[WORDS];
  static char counts[3][21];
  int at = 0;
  for (; at < call->words && at < WORDS - 7; at++)
    argv[at] = call->argv[at];
  argv[at++] = "resume";
  argv[at++] = (char *)lost->resumable;
  for (int fd = 1; fd <= 2; fd++) {
    put_number(counts[fd - 1], lost->written[fd]);
    argv[at++] = counts[fd - 1];
  }
  put_number(counts[2], (uint64_t)lost->failure);
  argv[at++] = counts[2];
  argv[at] = NULL;
  execute(call, argv);
}
