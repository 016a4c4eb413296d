/* Memory shared with the sender of a plan, for the content of layers: through the socket it would be copied twice. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "steps.h"

enum { SHARED_MAX = 64 << 20 };

static struct span shared;

/* size: bytes. VALUE: the path at which the sender opens the memory while this task lives. */
int step_shared_memory(struct task *task, union argument *arg) {
  char path[64];
  uint64_t size = arg[0].n;
  if (shared.at != NULL || size == 0 || size > SHARED_MAX)
    return fail(task, EINVAL, "shared memory of %llu bytes", (unsigned long long)size);
  int fd = memfd_create("orlop-layer", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
    return -1;
  void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED)
    return -1;
  shared = (struct span){at, size};
  int length = snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
  return task->conn < 0 ? 0 : send_value(task->conn, task->step, (struct span){(uint8_t *)path, (size_t)length});
}

/* Answers, with an empty VALUE, that all steps before it were carried out: the sender may reuse the memory that they read. */
int step_taken(struct task *task, union argument *arg) {
  static uint8_t nothing[1];
  (void)arg;
  return task->conn < 0 ? 0 : send_value(task->conn, task->step, (struct span){nothing, 0});
}

bool shared_part(uint64_t at, uint64_t size, struct span *part) {
  if (at > shared.size || size > shared.size - at) {
    errno = EFAULT;
    return false;
  }
  *part = (struct span){shared.at + at, (size_t)size};
  return true;
}
