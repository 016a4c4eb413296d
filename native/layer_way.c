/* Opens the directories on the way to an entry. Names come from an untrusted archive, so each component is opened by itself and never
 * through a link: no name leads out of the layer, and nothing is written through a link. Without openat2: when links are refused
 * anyway, the walk is as safe and works on every kernel, and the directories on the way to the last entry stay open, most of which
 * the next entry needs too. They are still the right ones: an entry that replaces a directory is in its parent, so preparing it
 * has closed that directory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layer.h"

enum { WAY_MAX = 64 };

/* Open directories, each in the one before. end: where its name ends in `path`. Directories deeper than WAY_MAX share the last
 * place. */
static struct { int count, fd[WAY_MAX]; size_t end[WAY_MAX]; char path[PATH_MAX]; } way;

int open_directory(int parent, const char *name) {
  return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool below_root(const char *path, size_t size, char full[2 * PATH_MAX]) {
  return snprintf(full, 2 * PATH_MAX, "%s/%.*s", layer.base, (int)size, path) < PATH_MAX;
}

static int follow_to(struct task *task, const char *path, size_t size) {
  char full[2 * PATH_MAX];
  if (!below_root(path, size, full)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  return root_open(task, full, O_RDONLY | O_DIRECTORY);
}

/* Opens the first component; *length: of its name. */
static int open_first(int here, const char *path, size_t size, size_t *length) {
  char name[NAME_MAX + 1];
  *length = 0;
  while (*length < size && path[*length] != '/')
    (*length)++;
  bool dots = *length == 0 || (path[0] == '.' && (*length == 1 || (*length == 2 && path[1] == '.')));
  if (dots || *length > NAME_MAX) {
    errno = dots ? EINVAL : ENAMETOOLONG;
    return -1;
  }
  memcpy(name, path, *length);
  name[*length] = 0;
  return open_directory(here, name);
}

int walk_to(struct task *task, const char *path, size_t size) {
  if (layer.follows && size > 0)
    return follow_to(task, path, size);
  int here = fcntl(layer.root, F_DUPFD_CLOEXEC, 0);
  size_t length;
  for (size_t at = 0; here >= 0 && at < size; at += length + 1)
    here = close_after(here, open_first(here, path + at, size - at, &length));
  return here;
}

static void leave_way(int count) {
  while (way.count > count)
    close(way.fd[--way.count]);
}

/* How many of the open directories are on the way to `path` too. */
static int shared_way(const char *path, size_t size) {
  size_t start = 0;
  for (int i = 0; i < way.count; i++) {
    size_t end = way.end[i];
    bool same = end <= size && memcmp(way.path + start, path + start, end - start) == 0;
    if (!same || (end < size && path[end] != '/'))
      return i;
    start = end;
  }
  return way.count;
}

/* Goes one directory further. */
static int go_on(int fd, size_t end) {
  if (fd < 0)
    return -1;
  if (way.count == WAY_MAX)
    leave_way(WAY_MAX - 1);
  way.fd[way.count] = fd;
  way.end[way.count++] = end;
  return 0;
}

int way_to(struct task *task, const char *path, size_t size) {
  leave_way(shared_way(path, size));
  memcpy(way.path, path, size);
  size_t at = way.count > 0 ? way.end[way.count - 1] + 1 : 0, length;
  if (layer.follows && at < size) { /* with links followed, an open directory does not say where the next component leads */
    leave_way(0);
    if (go_on(follow_to(task, path, size), size) < 0)
      return -1;
    at = size;
  }
  for (; at < size; at += length + 1) {
    int here = way.count > 0 ? way.fd[way.count - 1] : layer.root;
    int next = open_first(here, path + at, size - at, &length);
    if (go_on(next, at + length) < 0)
      return -1;
  }
  layer.parent = way.count > 0 ? way.fd[way.count - 1] : layer.root;
  return 0;
}
