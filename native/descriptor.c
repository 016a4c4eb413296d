/* Descriptors: what several parts do with them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "orlop.h"

int close_after(int fd, int result) {
  int error = errno;
  if (fd >= 0)
    close(fd);
  errno = error;
  return result;
}

void close_fd(int *fd) {
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

int open_parent(const char *path, char *name, size_t size) {
  char directory[4096];
  const char *slash = strrchr(path, '/');
  const char *last = slash == NULL ? path : slash + 1;
  if (last[0] == 0 || strcmp(last, ".") == 0 || strcmp(last, "..") == 0) {
    errno = EINVAL;
    return -1;
  }
  if (strlen(last) >= size || (size_t)(last - path) >= sizeof directory) {
    errno = ENAMETOOLONG;
    return -1;
  }
  snprintf(name, size, "%s", last);
  snprintf(directory, sizeof directory, "%.*s", (int)(last - path), path);
  return open(slash == NULL ? "." : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int write_once(const char *path, struct span data) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  ssize_t written = write(fd, data.at, data.size);
  if (written >= 0 && (size_t)written != data.size)
    errno = EIO;
  return close_after(fd, (size_t)written == data.size ? 0 : -1);
}

bool peer_left(int fd) {
  struct pollfd peer = {.fd = fd};
  return poll(&peer, 1, 0) > 0 && (peer.revents & (POLLHUP | POLLERR)) != 0;
}
