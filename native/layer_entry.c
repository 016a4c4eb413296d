/* The entry under way, and the way to it. Names come from a stranger's archive: every directory on the way is
 * opened by itself, never through a link, so no name leads out and no link is written through (posture rule 7). A component
 * at a time, not openat2: where links are refused anyway the walk is as safe, works on every kernel, and most entries lie in
 * the directory of the one before, which stays open. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layer.h"

struct layer layer = {.root = -1, .parent = -1, .fd = -1};

static struct timespec time_of(int64_t ns) {
  int64_t seconds = ns / 1000000000, rest = ns % 1000000000;
  return rest < 0 ? (struct timespec){seconds - 1, rest + 1000000000} : (struct timespec){seconds, rest};
}

void set_times(struct timespec times[2], int64_t mtime) {
  times[0] = (struct timespec){0, UTIME_OMIT};
  times[1] = time_of(mtime);
}

/* Smaller files are left to the file system, which puts several into one request; of a larger one, pieces of this size. */
enum { SENT_MIN = 128 << 10, SENT_AT_ONCE = 4 << 20 };

static void send_to(uint64_t end) {
  sync_file_range(layer.fd, (off_t)layer.sent, (off_t)(end - layer.sent), SYNC_FILE_RANGE_WRITE);
  layer.sent = end;
}

void send_content(void) {
  if (layer.written >= layer.sent + SENT_AT_ONCE && !layer.follows)
    send_to(layer.written / SENT_MIN * SENT_MIN);
}

int finish_entry(void) {
  struct timespec times[2];
  int result = 0;
  if (layer.fd >= 0 && layer.is_file) {
    set_times(times, layer.mtime);
    if (layer.written >= SENT_MIN && layer.written > layer.sent && !layer.follows)
      send_to(layer.written);
    if (layer.written < layer.size)
      result = ftruncate(layer.fd, (off_t)layer.size);
    if (result == 0 && (layer.mode & (S_ISUID | S_ISGID | S_ISVTX)) != 0)
      result = fchmod(layer.fd, layer.mode);
    if (result == 0)
      result = futimens(layer.fd, times);
  }
  result = close_after(layer.fd, result);
  layer.fd = -1;
  layer.name[0] = 0;
  return result;
}

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

int walk_to(struct task *task, const char *path, size_t size) {
  char name[NAME_MAX + 1];
  if (layer.follows && size > 0)
    return follow_to(task, path, size);
  int here = fcntl(layer.root, F_DUPFD_CLOEXEC, 0);
  while (here >= 0 && size > 0) {
    size_t length = 0;
    while (length < size && path[length] != '/')
      length++;
    bool dots = length == 0 || (path[0] == '.' && (length == 1 || (length == 2 && path[1] == '.')));
    int next = -1;
    if (dots || length > NAME_MAX) {
      errno = dots ? EINVAL : ENAMETOOLONG;
    } else {
      memcpy(name, path, length);
      name[length] = 0;
      next = open_directory(here, name);
    }
    here = close_after(here, next);
    path += length;
    size -= length;
    if (size > 0) { /* the slash */
      path++;
      size--;
    }
  }
  return here;
}

bool last_name(struct span path, size_t *start) {
  const char *text = (const char *)path.at;
  *start = path.size;
  while (*start > 0 && text[*start - 1] != '/')
    (*start)--;
  size_t length = path.size - *start;
  bool dots = text[*start] == '.' && (length == 1 || (length == 2 && text[*start + 1] == '.'));
  bool bad = length == 0 || dots || memchr(text, 0, path.size) != NULL;
  errno = bad ? EINVAL : ENAMETOOLONG;
  return !bad && length <= NAME_MAX && path.size < PATH_MAX;
}

int begin_entry(struct task *task, struct span path) {
  size_t start;
  if (layer.root < 0)
    return fail(task, EBADF, "no layer");
  if (finish_entry() < 0)
    return fail(task, errno, "the entry before %.200s", (const char *)path.at);
  if (!last_name(path, &start))
    return fail(task, errno, "%.200s", (const char *)path.at);
  size_t length = start > 0 ? start - 1 : 0;
  if (layer.parent < 0 || strlen(layer.parent_path) != length || memcmp(layer.parent_path, path.at, length) != 0) {
    int parent = walk_to(task, (const char *)path.at, length);
    if (parent < 0)
      return fail(task, errno, "the directory of %.200s", (const char *)path.at);
    if (layer.parent >= 0)
      close(layer.parent);
    layer.parent = parent;
    memcpy(layer.parent_path, path.at, length);
    layer.parent_path[length] = 0;
  }
  memcpy(layer.name, path.at + start, path.size - start);
  layer.name[path.size - start] = 0;
  return 0;
}

int report_entry(struct task *task, int result, struct span path) {
  return result < 0 ? fail(task, errno, "%.200s", (const char *)path.at) : 0;
}
