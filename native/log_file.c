/* The log's file: whole records or nothing, and rotation. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor.h"

enum { LOG_MODE = 0640, AHEAD_LEAST = 4 << 10, AHEAD_MOST = 1 << 20 };

/* Allocates disk space beyond what is about to be written, so that the notice of lost records can still be written when the disk is
 * full. -1 with errno: there is no space for both. */
static int reserve(struct log_file *file, size_t size) {
  uint64_t need = size + NOTICE_MAX, ahead = file->size / 4;
  if (file->size + need <= file->reserved)
    return 0;
  ahead = ahead < AHEAD_LEAST ? AHEAD_LEAST : ahead > AHEAD_MOST ? AHEAD_MOST : ahead;
  for (uint64_t length = need + ahead;; length = need) {
    if (fallocate(file->fd, FALLOC_FL_KEEP_SIZE, (off_t)file->size, (off_t)length) == 0) {
      file->reserved = file->size + length;
      return 0;
    }
    if (errno != ENOSPC && errno != EDQUOT)
      break;
    if (length == need)
      return -1;
  }
  file->reserved = UINT64_MAX; /* this file system reserves nothing */
  return 0;
}

void log_file_finish(struct log_file *file) {
  if (file->reserved != UINT64_MAX && file->reserved > file->size + 2 * AHEAD_LEAST)
    (void)!ftruncate(file->fd, (off_t)file->size);
}

/* Cuts off the partial record that a monitor which was killed in a write may have left. */
static int repair(struct log_file *file) {
  size_t size = (size_t)file->size;
  if (size == 0)
    return 0;
  void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file->fd, 0);
  if (bytes == MAP_FAILED)
    return -1;
  size_t whole = file->measure(bytes, size);
  munmap(bytes, size);
  if (whole == size)
    return 0;
  file->size = whole;
  return ftruncate(file->fd, (off_t)whole);
}

int log_file_open(struct log_file *file, const char *path) {
  struct stat stat;
  file->dir = open_parent(path, file->name, sizeof file->name);
  if (file->dir < 0)
    return -1;
  file->fd = openat(file->dir, file->name, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, LOG_MODE);
  file->created = file->fd >= 0;
  if (file->fd < 0 && errno == EEXIST)
    file->fd = openat(file->dir, file->name, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
  if (file->fd < 0 || fstat(file->fd, &stat) < 0)
    return -1;
  if (!S_ISREG(stat.st_mode)) {
    errno = EINVAL;
    return -1;
  }
  file->size = (uint64_t)stat.st_size;
  if (repair(file) < 0)
    return -1;
  (void)reserve(file, 0); /* so that the file can take a notice even if nothing else can ever be written */
  return 0;
}

int log_file_append(struct log_file *file, const uint8_t *bytes, size_t size) {
  return log_file_notice(file, bytes, size, false);
}

int log_file_notice(struct log_file *file, const uint8_t *bytes, size_t size, bool last) {
  size_t done = 0;
  if (POINT("monitor.log.append") < 0 || (!last && reserve(file, size) < 0))
    return -1;
  while (done < size) {
    ssize_t written = write(file->fd, bytes + done, size - done);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0) {
      int error = errno;
      if (done > 0 && ftruncate(file->fd, (off_t)file->size) < 0)
        error = errno;
      errno = error;
      return -1;
    }
    done += (size_t)written;
  }
  file->size += size;
  return 0;
}

static void number_name(const struct log_file *file, uint32_t number, char name[NUMBERED_NAME_MAX]) {
  if (number == 0)
    snprintf(name, NUMBERED_NAME_MAX, "%s", file->name);
  else
    snprintf(name, NUMBERED_NAME_MAX, "%s.%u", file->name, number);
}

/* file.8 → file.9 … file → file.1. A gap (an earlier run kept fewer files) is no error. */
static int shift(const struct log_file *file) {
  for (uint32_t to = file->max_files - 1; to > 0; to--) {
    char old[NUMBERED_NAME_MAX], new[NUMBERED_NAME_MAX];
    number_name(file, to - 1, old);
    number_name(file, to, new);
    if (renameat(file->dir, old, file->dir, new) < 0 && errno != ENOENT)
      return -1;
    if (POINT("monitor.log.shifted") < 0)
      return -1;
  }
  return 0;
}

/* The new file is a new inode even when no older files are kept (max_files 1): readers of the old one can finish it. */
int log_file_rotate(struct log_file *file) {
  char temporary[NUMBERED_NAME_MAX];
  snprintf(temporary, sizeof temporary, "%s.new", file->name);
  unlinkat(file->dir, temporary, 0);
  int fd = openat(file->dir, temporary, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, LOG_MODE);
  if (fd < 0)
    return -1;
  if (POINT("monitor.log.rotate") < 0 || shift(file) < 0 || renameat(file->dir, temporary, file->dir, file->name) < 0) {
    int error = errno;
    unlinkat(file->dir, temporary, 0);
    close(fd);
    errno = error;
    return -1;
  }
  log_file_finish(file);
  close(file->fd);
  file->fd = fd;
  file->size = file->reserved = 0;
  (void)reserve(file, 0);
  file->created = false; /* what was logged is worth keeping */
  return POINT("monitor.log.rotated") < 0 ? -1 : 0;
}

void log_file_abandon(struct log_file *file) {
  if (file->created)
    unlinkat(file->dir, file->name, 0);
}
