/* `--init`: the container's first process is this program once more, in a small role of its own: it passes signals on to its
 * one child, the program, reaps whatever is left to it, and ends as the child does. */
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

/* While the host's /proc is there: afterwards nobody could find this program, which lies in no container. */
int step_open_init(struct task *task, union argument *arg) {
  (void)arg;
  task->self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
  return task->self < 0 ? fail(task, errno, "/proc/self/exe") : 0;
}

/* Signals from here on wait for the loop of init_main. */
static void block_signals(void) {
  static const int faults[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS};
  sigset_t blocked;
  sigfillset(&blocked);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    sigdelset(&blocked, faults[i]);
  sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* The program has the terminal, not its init: keys that send signals are for it. */
static void take_terminal(void) {
  signal(SIGTTOU, SIG_IGN);
  if (setpgid(0, 0) == 0)
    tcsetpgrp(0, getpgrp()); /* without a terminal there is nothing to take */
  signal(SIGTTOU, SIG_DFL);
}

/* Nothing of ours stays open in the new program but the pid's pipe. */
static int become_init(struct task *task, int pid_pipe, union argument *arg) {
  int self = fcntl(task->self, F_DUPFD_CLOEXEC, CHILD_PID_FD + 1);
  int channel = fcntl(task->channel, F_DUPFD_CLOEXEC, CHILD_PID_FD + 1); /* its end says that both programs run */
  if (self < 0 || channel < 0 || dup2(pid_pipe, CHILD_PID_FD) < 0)
    return -1;
  task->channel = channel;
  if (syscall(SYS_close_range, CHILD_PID_FD + 1U, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
    return -1;
  return (int)syscall(SYS_execveat, self, "", arg[0].l.at, arg[2].l.at, AT_EMPTY_PATH);
}

/* Until then the first process shows the supervisor's words, which are no business of the container's: the pipe ends as the init
 * begins, and has a byte in it where that failed. */
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

/* Until no child is left to reap. The program's wait status, or -1 while it runs. */
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
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* in a PID namespace that is another's it is not process 1 */
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
