/* The exit record: a file with the container's exit status and time, for an engine that was not connected at the exit. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "monitor.h"

enum { RECORD_MODE = 0600, RECORD_SPACE = 64, WAKE_PATIENCE_S = 1 };

static void temporary_name(const struct exit_record *record, char *name, size_t size) {
  snprintf(name, size, "%s.new", record->name);
}

/* The file is made, at its size, before the container starts: a disk that is full at the exit cannot lose the record. */
int step_exit_record(struct task *task, union argument *arg) {
  struct exit_record *record = &monitor_of(task)->record;
  char temporary[sizeof record->name + 8], space[RECORD_SPACE];
  if (record->on || strlen(arg[2].s) >= sizeof record->wake)
    return fail(task, EINVAL, "exit-record");
  record->dir = open_parent(arg[0].s, record->name, sizeof record->name);
  if (record->dir < 0)
    return fail(task, errno, "%.200s", arg[0].s);
  record->sync = arg[1].n == 1;
  snprintf(record->wake, sizeof record->wake, "%s", arg[2].s);
  temporary_name(record, temporary, sizeof temporary);
  int fd = openat(record->dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, RECORD_MODE);
  if (fd < 0)
    return fail(task, errno, "%.200s", temporary);
  record->on = true;
  unlinkat(record->dir, record->name, 0); /* of an earlier run: it would be taken for this run's */
  memset(space, '\n', sizeof space);
  ssize_t written = write(fd, space, sizeof space);
  int error = errno;
  close(fd);
  return written == sizeof space ? 0 : fail(task, written < 0 ? error : ENOSPC, "%.200s", temporary);
}

static int write_content(int fd, bool sync, int status, uint64_t ended) {
  char text[RECORD_SPACE];
  int size = snprintf(text, sizeof text, "status=%d ended=%llu\n", status, (unsigned long long)ended);
  if (pwrite(fd, text, (size_t)size, 0) != size || ftruncate(fd, size) < 0)
    return -1;
  return sync ? fsync(fd) : 0;
}

/* heard: an engine is connected. It stores the exit itself, synced, before it tells anybody, so one sync is enough: should it die
 * before that, the next engine still finds this record, because no power was lost. */
int exit_record_write(struct exit_record *record, int status, uint64_t ended, bool heard) {
  char temporary[sizeof record->name + 8];
  bool sync = record->sync && !heard;
  if (!record->on)
    return 0;
  if (POINT("monitor.record.write") < 0)
    return -1;
  temporary_name(record, temporary, sizeof temporary);
  int fd = openat(record->dir, temporary, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, RECORD_MODE);
  if (fd < 0)
    return -1;
  int result = write_content(fd, sync, status, ended);
  close(fd);
  if (result < 0 || POINT("monitor.record.written") < 0)
    return -1;
  if (renameat(record->dir, temporary, record->dir, record->name) < 0)
    return -1;
  if (POINT("monitor.record.renamed") < 0)
    return -1;
  return sync ? fsync(record->dir) : 0;
}

void exit_record_abandon(struct exit_record *record) {
  char temporary[sizeof record->name + 8];
  if (!record->on)
    return;
  temporary_name(record, temporary, sizeof temporary);
  unlinkat(record->dir, temporary, 0);
}

void exit_record_wake(const struct exit_record *record) {
  if (record->wake[0] != 0)
    wake_engine(record->wake, WAKE_PATIENCE_S);
}
