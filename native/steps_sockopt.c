/* Reads an option of a socket: the only interface to the rules of iptables-legacy. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "steps.h"

/* family, protocol: of a raw socket; level, option; data: the buffer of getsockopt(2), which reads and writes it. VALUE: the result. */
int step_socket_option(struct task *task, union argument *arg) {
  struct span data = arg[4].b;
  socklen_t size = (socklen_t)data.size;
  int fd = socket((int)arg[0].n, SOCK_RAW | SOCK_CLOEXEC, (int)arg[1].n);
  if (fd < 0)
    return -1;
  int result = getsockopt(fd, (int)arg[2].n, (int)arg[3].n, data.at, &size), error = errno;
  close(fd);
  errno = error;
  if (result < 0 || size > data.size)
    return result < 0 ? -1 : fail(task, EOVERFLOW, "option");
  /* a VALUE is followed by a NUL */
  static uint8_t value[1 << 16];
  if (size >= sizeof value)
    return fail(task, EFBIG, "option");
  memcpy(value, data.at, size);
  value[size] = 0;
  return send_value(task->conn, task->step, (struct span){value, size});
}
