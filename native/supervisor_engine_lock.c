/* The engine's lock: never more than one engine works in a state directory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor.h"

enum { LOCK_FAILED = 126, FOREIGN_PAUSE_MS = 10 };

static struct flock whole_file(void) { return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET}; }

/* Whether another process holds the lock. *holder: its pid, 0 for a process of another PID namespace. */
static bool is_held(int lock, pid_t *holder) {
  struct flock held = whole_file();
  bool found = fcntl(lock, F_GETLK, &held) == 0 && held.l_type != F_UNLCK;
  *holder = found && held.l_pid > 0 ? held.l_pid : 0;
  return found;
}

/* Kills the engine that holds the lock, and waits for its end. Nobody needs it: its supervisor is gone, else we would not run. */
static void end_holder(int lock) {
  pid_t holder, again;
  if (!is_held(lock, &holder))
    return;
  int fd = holder > 0 ? (int)syscall(SYS_pidfd_open, holder, 0) : -1;
  /* asked again, so that the pidfd is certain to be of the holder, not of a later process with its pid */
  if (fd >= 0 && is_held(lock, &again) && again == holder)
    syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
  struct pollfd end = {.fd = fd, .events = POLLIN};
  poll(&end, 1, fd >= 0 ? -1 : FOREIGN_PAUSE_MS);
  if (fd >= 0)
    close(fd);
}

/* An engine that lost its supervisor exits when it notices. Until then it goes on working, and the next engine would time out
 * waiting for the database. The lock is a POSIX lock (fcntl, not flock): it is kept over execve, no child inherits it, it ends when
 * the process ends or closes the file, and the kernel says who holds it. */
void supervisor_lock_engine(struct places places) {
  char name[PATH_MAX];
  snprintf(name, sizeof name, "%s/engine.lock", places.state);
  int fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600); /* stays open in the engine */
  struct flock wanted = whole_file();
  while (fd >= 0 && fcntl(fd, F_SETLK, &wanted) < 0) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
      fd = -1;
      break;
    }
    end_holder(fd);
  }
  if (fd >= 0)
    return;
  fprintf(stderr, "orlop: %s: %s\n", name, strerror(errno));
  _exit(LOCK_FAILED);
}
