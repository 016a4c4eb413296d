/* orlop-executor: which role this process has. README.md names them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "orlop.h"

static const char usage[] = "usage: orlop-executor supervisor RUN_DIR STATE_DIR IDLE_SECONDS ENGINE [ARGUMENT...]\n"
                            "       orlop-executor plan      one plan from standard input, answers on standard output\n"
                            "       orlop-executor steps     the table of steps\n"
                            "       orlop-executor points    the step points of a test build\n";

static int print_steps(void) {
  for (const struct step_kind *kind = step_kinds; kind->name != NULL; kind++)
    printf("%s %s\n", kind->name, kind->signature);
  return 0;
}

/* Undoes what our parent ignored (nohup: SIGHUP) or blocked, for us and for the programs that we start. */
static void default_signals(void) {
  sigset_t none;
  for (int number = 1; number < _NSIG; number++)
    signal(number, SIG_DFL); /* SIGKILL and SIGSTOP refuse, and are at their default */
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_IGN); /* writing to a closed connection fails with EPIPE instead */
}

/* Standard output carries answers only: programs of the plan get /dev/null as input, and our standard error as output. */
static int one_shot(void) {
  int in = fcntl(0, F_DUPFD_CLOEXEC, 3), out = fcntl(1, F_DUPFD_CLOEXEC, 3), null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (in < 0 || out < 0 || null < 0 || dup2(null, 0) < 0 || dup2(2, 1) < 0)
    return 125;
  return task_one_shot(in, out);
}

int main(int argc, char **argv) {
  const char *role = argc > 1 ? argv[1] : "";
  if (argc > 0 && strcmp(argv[0], INIT_NAME) == 0)
    return init_main();
  if (strcmp(role, "steps") == 0)
    return print_steps();
  if (strcmp(role, "points") == 0) {
    points_print();
    return 0;
  }
  bool supervisor = strcmp(role, "supervisor") == 0;
  if (!supervisor && (strcmp(role, "plan") != 0 || argc != 2)) {
    fputs(usage, stderr);
    return 125;
  }
  if (run_sealed(argv) < 0) {
    fprintf(stderr, "orlop-executor: no protected copy of itself could be made: %s\n", strerror(errno));
    return 125;
  }
  default_signals();
  return supervisor ? supervisor_main(argc, argv) : one_shot();
}
