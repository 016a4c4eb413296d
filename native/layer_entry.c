/* The current entry of a layer, which is completed when the next begins. */
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

/* Bytes. Smaller files are left to the file system, which merges several into one request; larger ones are started in such pieces. */
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
  if (way_to(task, (const char *)path.at, length) < 0)
    return fail(task, errno, "the directory of %.200s", (const char *)path.at);
  memcpy(layer.name, path.at + start, path.size - start);
  layer.name[path.size - start] = 0;
  return 0;
}

int report_entry(struct task *task, int result, struct span path) {
  return result < 0 ? fail(task, errno, "%.200s", (const char *)path.at) : 0;
}
