/* `write-back`: starts the write-back of a file that the engine writes, or waits for it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "steps.h"

/* path, offset, size; sync: 0 = starts writing this range to the disk, without waiting; 1 = fsync of the whole file. A file system that
 * cannot start early writes everything at the fsync. */
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
