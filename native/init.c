/* `--init`: the container's first process is this executable again, in a role of its own: it forwards signals to its only child,
 * the program, reaps orphans, and exits with the child's status. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "steps.h"

/* Where the new program finds its child's pid. */
enum { CHILD_PID_FD = 3 };

/* Opened while the host's /proc is visible: inside the container no path leads to this executable. */
int step_open_init(struct task *task, union argument *arg) {
  (void)arg;
  task->self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
  return task->self < 0 ? fail(task, errno, "/proc/self/exe") : 0;
}

/* Signals stay pending until the loop of init_main takes them. Faults of the init itself must still end it. */
static void block_signals(void) {
  static const int faults[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS};
  sigset_t blocked;
  sigfillset(&blocked);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    sigdelset(&blocked, faults[i]);
  sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* Makes the program, not its init, the foreground process group: keys such as ^C send their signals to it. */
static void take_terminal(void) {
  signal(SIGTTOU, SIG_IGN);
  if (setpgid(0, 0) == 0)
    tcsetpgrp(0, getpgrp()); /* without a terminal there is nothing to take */
  signal(SIGTTOU, SIG_DFL);
}

/* Executes this program again as init. The only descriptor that it inherits beyond 2 is the pipe with its child's pid. */
static int become_init(struct task *task, int pid_pipe, union argument *arg) {
  int self = fcntl(task->self, F_DUPFD_CLOEXEC, CHILD_PID_FD + 1);
  int channel = fcntl(task->channel, F_DUPFD_CLOEXEC, CHILD_PID_FD + 1); /* closed by both execve calls: end of file means that both programs run */
  if (self < 0 || channel < 0 || dup2(pid_pipe, CHILD_PID_FD) < 0)
    return -1;
  task->channel = channel;
  if (syscall(SYS_close_range, CHILD_PID_FD + 1U, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
    return -1;
  return (int)syscall(SYS_execveat, self, "", arg[0].l.at, arg[2].l.at, AT_EMPTY_PATH);
}

/* The program starts only after the init: until then /proc/1/cmdline shows the supervisor's command line, which is no business of
 * the container's. End of file: the init runs; a byte: its execve failed. */
static void await_init(const int *begun) {
  char byte;
  ssize_t got;
  close(begun[1]);
  do
    got = read(begun[0], &byte, 1);
  while (got < 0 && errno == EINTR);
  if (got != 0)
    _exit(125);
}

/* argv: what the init is called; program, env: as for `exec`. */
int step_init(struct task *task, union argument *arg) {
  int pid_pipe[2], begun[2];
  if (task->self < 0)
    return fail(task, EINVAL, "init without open-init");
  if (pipe2(pid_pipe, O_CLOEXEC) < 0 || pipe2(begun, O_CLOEXEC) < 0)
    return -1;
  block_signals();
  pid_t child = fork();
  if (child < 0)
    return -1;
  if (child == 0) {
    take_terminal();
    await_init(begun);
    return step_exec(task, &arg[1]);
  }
  if (write(pid_pipe[1], &child, sizeof child) != sizeof child)
    return -1;
  become_init(task, pid_pipe[0], arg);
  int failure = errno;
  (void)!write(begun[1], "", 1);
  return fail(task, failure, "the init");
}

/* Reaps all children that have ended. Returns the program's wait status, or -1 while it runs. */
static int reap(pid_t program) {
  int status, ended = -1;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    if (pid == program)
      ended = status;
  return ended;
}

int init_main(void) {
  pid_t program;
  siginfo_t signal;
  sigset_t all;
  if (read(CHILD_PID_FD, &program, sizeof program) != sizeof program)
    return 125;
  close(CHILD_PID_FD);
  prctl(PR_SET_NAME, "docker-init");
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* where it is not process 1: in a joined PID namespace */
  sigfillset(&all);
  for (;;) {
    int status = reap(program);
    if (status >= 0)
      return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    int number = sigwaitinfo(&all, &signal);
    if (number > 0 && number != SIGCHLD)
      kill(program, number);
  }
}
