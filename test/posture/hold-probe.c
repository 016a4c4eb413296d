/* Tries to keep everybody else from writing files: "lease" them (whoever opens one then waits for 45 s), or "execute" them (whoever
 * opens one for writing is refused meanwhile). Says of each whether it worked, and stays. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int lease(const char *path) {
  const int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
  return fd >= 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
}

/* The file becomes a copy of this program, which without arguments only stays. */
static int execute(const char *path) {
  char buffer[1 << 16];
  const int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  const int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  for (ssize_t got; (got = read(from, buffer, sizeof buffer)) > 0;)
    if (write(to, buffer, (size_t)got) != got) return 0;
  close(from);
  close(to);
  chmod(path, 0755);
  int failed[2];
  char byte = 0;
  if (pipe2(failed, O_CLOEXEC) < 0) return 0;
  if (fork() == 0) {
    execl(path, path, NULL);
    _exit(write(failed[1], &byte, 1) != 1);
  }
  close(failed[1]);
  return read(failed[0], &byte, 1) == 0;
}

int main(int argc, char **argv) {
  signal(SIGIO, SIG_IGN); /* a lease is to be given back */
  for (int i = 2; i < argc; i++)
    printf("%s %s\n", argv[i], (strcmp(argv[1], "lease") == 0 ? lease : execute)(argv[i]) ? "held" : "free");
  if (argc > 1) puts("done");
  fflush(stdout);
  for (;;)
    pause();
}
