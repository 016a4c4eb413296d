/* Never more than one engine is at work in a state directory. */
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

/* Whether somebody else holds the lock, and who: 0 for a process of another PID namespace. */
static bool is_held(int lock, pid_t *holder) {
  struct flock held = whole_file();
  bool found = fcntl(lock, F_GETLK, &held) == 0 && held.l_type != F_UNLCK;
  *holder = found && held.l_pid > 0 ? held.l_pid : 0;
  return found;
}

/* Nobody waits for it any more: its supervisor is gone, or there would be no other. Returns when it has ended. */
static void end_holder(int lock) {
  pid_t holder, again;
  if (!is_held(lock, &holder))
    return;
  int fd = holder > 0 ? (int)syscall(SYS_pidfd_open, holder, 0) : -1;
  /* asked again, so that the descriptor is of that very process, not of a later one with its number */
  if (fd >= 0 && is_held(lock, &again) && again == holder)
    syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
  struct pollfd end = {.fd = fd, .events = POLLIN};
  poll(&end, 1, fd >= 0 ? -1 : FOREIGN_PAUSE_MS);
  if (fd >= 0)
    close(fd);
}

/* An engine that lost its supervisor ends by itself, but not before it notices. Until then it goes on with what it was doing,
 * and the next one would wait for the database that it has open, and give up. The lock is the process's own (fcntl, not flock):
 * it stays over execve, no child inherits it, it ends with the process or when that closes the file, and the kernel says who
 * has it. */
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
