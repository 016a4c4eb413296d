/* What every part does with descriptors. */
#include <errno.h>
#include <unistd.h>

#include "orlop.h"

int close_after(int fd, int result) {
  int error = errno;
  if (fd >= 0)
    close(fd);
  errno = error;
  return result;
}
