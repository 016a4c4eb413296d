/* A file that somebody else writes, on its way to the disk. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "steps.h"

/* path, offset, size, sync: 0 = the disk begins to write this part, and nobody waits for it; 1 = the whole file is on it. A file system
 * that cannot begin early writes all of it at the sync. */
int step_write_back(struct task *task, union argument *arg) {
  int fd = open(arg[0].s, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return fail(task, errno, "%.200s", arg[0].s);
  int result = 0;
  if (arg[3].n == 1)
    result = fsync(fd);
  else
    sync_file_range(fd, (off_t)arg[1].n, (off_t)arg[2].n, SYNC_FILE_RANGE_WRITE);
  return close_after(fd, result);
}
