/* The executor runs from a copy of itself that nobody can write, because a container's program can reach the executable that started
 * it through /proc/PID/exe (CVE-2019-5736). The copy's mode must not be changed either, which would affect all
 * containers at once. So it lies on a read-only mount that is attached nowhere; a memfd's seals alone do not protect the mode. */
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

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20 /* Linux 6.3 */
#endif

static const char name[] = "orlop-executor";
static const int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

/* Whether this file is sealed against writing, or on a read-only mount. */
static bool is_protected(int self) {
  struct statvfs fs;
  int seals = fcntl(self, F_GET_SEALS);
  if (seals >= 0 && (seals & F_SEAL_WRITE) != 0)
    return true;
  return fstatvfs(self, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

static int copy_into(int copy, int self) {
  struct stat stat;
  if (fstat(self, &stat) < 0)
    return -1;
  for (off_t left = stat.st_size; left > 0;) {
    ssize_t sent = sendfile(copy, self, NULL, (size_t)left);
    if (sent <= 0)
      return -1;
    left -= sent;
  }
  return fchmod(copy, 0711); /* an init (init.c) executes it as its container's user */
}

/* On a tmpfs that holds nothing else. */
static int copy_on_mount(int self) {
  struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
  int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), copy = -1;
  if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
    return -1;
  int mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  close(fs);
  if (mount < 0 || (copy = openat(mount, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700)) < 0)
    return -1;
  int copied = copy_into(copy, self);
  close(copy); /* an open writer would make both execve (ETXTBSY) and the read-only mount (EBUSY) fail */
  if (copied < 0 || mount_setattr(mount, "", AT_EMPTY_PATH, &read_only, sizeof read_only) < 0)
    return -1;
  copy = openat(mount, name, O_PATH | O_CLOEXEC);
  close(mount);
  return copy;
}

/* Where no tmpfs may be mounted: inside another engine's container. */
static int sealed_copy(int self) {
  int copy = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (copy < 0 && errno == EINVAL) /* a kernel without MFD_EXEC: all memfds are executable */
    copy = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (copy < 0 || copy_into(copy, self) < 0)
    return -1;
  fcntl(copy, F_ADD_SEALS, F_SEAL_EXEC); /* Linux 6.3 */
  return fcntl(copy, F_ADD_SEALS, all_seals) < 0 ? -1 : copy;
}

int run_sealed(char **argv) {
  int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (self < 0)
    return -1;
  if (is_protected(self)) {
    close(self);
    return 0;
  }
  int copy = copy_on_mount(self);
  if (copy < 0)
    copy = sealed_copy(self);
  if (copy >= 0)
    execveat(copy, "", argv, environ, AT_EMPTY_PATH);
  return -1;
}
