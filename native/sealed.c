/* The executor runs from a copy of itself that nobody can write: a container's program can reach the file it was started
 * by through /proc/PID/exe (posture rule 2, CVE-2019-5736). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "orlop.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* Linux 6.3 */
#endif

static const int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

/* Whether this file, or the mount it was reached by, cannot be written any more. */
static bool is_protected(int self) {
  struct statvfs fs;
  int seals = fcntl(self, F_GET_SEALS);
  if (seals >= 0)
    return (seals & F_SEAL_WRITE) != 0;
  return fstatvfs(self, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

static int sealed_copy(int self) {
  struct stat stat;
  int copy = memfd_create("orlop-executor", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (copy < 0 && errno == EINVAL) /* a kernel without MFD_EXEC: all memfds are executable */
    copy = memfd_create("orlop-executor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (copy < 0 || fstat(self, &stat) < 0)
    return -1;
  for (off_t left = stat.st_size; left > 0;) {
    ssize_t sent = sendfile(copy, self, NULL, (size_t)left);
    if (sent <= 0)
      return -1;
    left -= sent;
  }
  if (fcntl(copy, F_ADD_SEALS, all_seals) < 0 || fchmod(copy, 0711) < 0) /* an init runs as its container's user */
    return -1;
  return copy;
}

/* Where vm.memfd_noexec is 2: the same file through a read-only mount that is attached nowhere. */
static int read_only_mount(int self) {
  struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
  int tree = open_tree(self, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &read_only, sizeof read_only) < 0)
    return -1;
  return tree;
}

int run_sealed(char **argv) {
  int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (self < 0)
    return -1;
  if (is_protected(self)) {
    close(self);
    return 0;
  }
  int copy = sealed_copy(self);
  if (copy < 0)
    copy = read_only_mount(self);
  if (copy >= 0)
    execveat(copy, "", argv, environ, AT_EMPTY_PATH);
  return -1;
}
