/* Starts netd: one per run directory, whichever supervisor started it. netd holds RUN_DIR/netd.lock while it lives. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor.h"

/* netd gets its lock as descriptor 3, its listening socket as 4, and no other descriptor of ours. */
_Noreturn static void become_netd(pid_t supervisor, int lock, int listener, const char *run) {
  sigset_t none;
  int kept_lock = fcntl(lock, F_DUPFD_CLOEXEC, 5), kept_listener = fcntl(listener, F_DUPFD_CLOEXEC, 5);
  if (kept_lock < 0 || kept_listener < 0 || dup3(kept_lock, 3, O_CLOEXEC) < 0 || dup3(kept_listener, 4, O_CLOEXEC) < 0)
    _exit(1);
  syscall(SYS_close_range, 5U, ~0U, 0U);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (ftruncate(3, 0) < 0 || dprintf(3, "%d\n", (int)getpid()) < 0)
    _exit(1);
  int code = netd_run(4, run);
  if (getppid() != supervisor)
    supervisor_leave_groups(); /* the last one out removes them */
  _exit(code);
}

/* The pid in the lock file, of a netd that runs already. */
static pid_t read_pid(int lock) {
  char text[16] = "";
  if (pread(lock, text, sizeof text - 1, 0) <= 0) {
    errno = EAGAIN; /* it is being started at this moment */
    return -1;
  }
  return (pid_t)strtol(text, NULL, 10);
}

static pid_t start(int lock, const char *run) {
  int listener = supervisor_listen_in(run, "netd.sock");
  if (listener < 0)
    return -1;
  if (fcntl(listener, F_SETFL, O_NONBLOCK) < 0 || POINT("supervisor.netd.fork") < 0) {
    close(listener);
    return -1;
  }
  pid_t supervisor = getpid(), child = fork();
  if (child == 0)
    become_netd(supervisor, lock, listener, run);
  return close_after(listener, child);
}

pid_t supervisor_netd(struct places places, bool *found) {
  char name[PATH_MAX];
  snprintf(name, sizeof name, "%s/netd.lock", places.run);
  int lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0)
    return -1;
  *found = flock(lock, LOCK_EX | LOCK_NB) < 0;
  pid_t pid = *found ? (errno == EWOULDBLOCK ? read_pid(lock) : -1) : start(lock, places.run);
  return close_after(lock, pid);
}
