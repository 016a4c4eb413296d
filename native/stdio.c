/* The container's standard streams: pipes, not sockets, so that /dev/stdout can be opened again inside; or a terminal
 * (terminal.c). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "monitor.h"

/* A pipe whose monitor's end is non-blocking. own: which end is the monitor's, 0 for reading, 1 for writing. */
static int make_pipe(int own, int *own_end, int *child_end) {
  int end[2];
  if (pipe2(end, O_CLOEXEC) < 0)
    return -1;
  *own_end = end[own];
  *child_end = end[1 - own];
  return fcntl(*own_end, F_SETFL, O_NONBLOCK);
}

/* streams: STDIN_BIT … for each stream that gets a pipe; with a terminal only STDIN_BIT counts. flags: STDIO_*. */
int step_stdio(struct task *task, union argument *arg) {
  struct monitor *m = monitor_of(task);
  if (m->has_stdio || arg[0].n > 7 || arg[1].n > 3)
    return fail(task, EINVAL, "stdio");
  m->has_stdio = true;
  m->stdio_streams = (uint8_t)arg[0].n;
  m->stdio_flags = (uint8_t)arg[1].n;
  if (m->stdio_flags & STDIO_TERMINAL)
    return 0;
  if (m->stdio_streams & STDIN_BIT && make_pipe(1, &m->input.fd, &m->child_end[0]) < 0)
    return -1;
  if (m->stdio_streams & STDOUT_BIT && make_pipe(0, &m->output[0].fd, &m->child_end[1]) < 0)
    return -1;
  if (m->stdio_streams & STDERR_BIT && make_pipe(0, &m->output[1].fd, &m->child_end[2]) < 0)
    return -1;
  return 0;
}

int monitor_stream(const struct task *task, int stream) {
  return task->monitor == NULL ? -1 : task->monitor->child_end[stream];
}

/* The container's own node: through a descriptor of the host's, root in the container could change the host's node, such as its mode. */
static int open_null(struct task *task) {
  struct open_how how = {.flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
  struct stat stat;
  int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/dev/null", &how, sizeof how);
  if (fd < 0 && errno == ENOSYS)
    fd = open("/dev/null", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return fail(task, errno, "/dev/null");
  if (fstat(fd, &stat) == 0 && S_ISCHR(stat.st_mode) && stat.st_rdev == makedev(1, 3))
    return fd;
  close(fd);
  return fail(task, ENODEV, "/dev/null is not the null device");
}

/* uid, gid: the owner of the pipes, who may open /dev/stdin, /dev/stdout and /dev/stderr again. In a user namespace a pipe of the
 * host's root cannot be given away (EPERM; EINVAL: the id is not mapped) and keeps its owner, as with runc. */
int step_attach_stdio(struct task *task, union argument *arg) {
  struct monitor *m = task->monitor;
  uid_t uid = (uid_t)arg[0].n;
  gid_t gid = (gid_t)arg[1].n;
  if (m == NULL || !m->has_stdio || m->stdio_flags & STDIO_TERMINAL)
    return fail(task, EINVAL, "attach-stdio needs a stdio step without a terminal");
  if (setsid() < 0)
    return -1;
  int null = -1;
  for (int i = 0; i < 3; i++)
    if (m->child_end[i] < 0 && null < 0 && (null = open_null(task)) < 0)
      return -1;
  for (int i = 0; i < 3; i++) {
    int end = m->child_end[i];
    if (end >= 0 && fchown(end, uid, gid) < 0 && errno != EPERM && errno != EINVAL)
      return fail(task, errno, "owner of stream %d", i);
    if (dup2(end >= 0 ? end : null, i) < 0)
      return -1;
  }
  if (null > 2)
    close(null);
  return 0;
}
