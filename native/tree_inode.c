/* One inode of a tree, by its descriptor. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tree.h"

static int proc = -1; /* a procfs of our own: attributes and content of an O_PATH descriptor */

int inode_begin(struct task *task) {
  struct rlimit files;
  proc = private_proc(task);
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) { /* the walk has two open for each level */
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  return proc < 0 ? -1 : fchdir(proc);
}

int inode_open(int directory, const char *name) {
  return openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int inode_look(int fd, struct statx *stat) {
  return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, stat);
}

int inode_open_again(int fd, int flags) {
  char link[32];
  snprintf(link, sizeof link, "self/fd/%d", fd);
  return openat(proc, link, flags | O_CLOEXEC | O_NOCTTY);
}

bool inode_is(const struct statx *stat, mode_t kind) { return (stat->stx_mode & S_IFMT) == kind; }

bool inode_is_whiteout(const struct statx *stat) {
  return inode_is(stat, S_IFCHR) && stat->stx_rdev_major == 0 && stat->stx_rdev_minor == 0;
}

bool is_overlay_mark(const char *name) { return strncmp(name, "trusted.overlay.", 16) == 0; }

/* These calls take only paths: here relative to the working directory, which is our procfs. */
ssize_t inode_xattrs(int fd, char names[TREE_XATTRS_MAX]) {
  char link[32];
  snprintf(link, sizeof link, "self/fd/%d", fd);
  ssize_t size = listxattr(link, names, TREE_XATTRS_MAX);
  return size < 0 && (errno == EOPNOTSUPP || errno == ENOSYS) ? 0 : size;
}

ssize_t inode_xattr(int fd, const char *name, void *value, size_t size) {
  char link[32];
  snprintf(link, sizeof link, "self/fd/%d", fd);
  return getxattr(link, name, value, size);
}

bool inode_is_opaque(int fd) {
  char value;
  return inode_xattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

ssize_t inode_path(int fd, char path[PATH_MAX]) {
  char link[32];
  snprintf(link, sizeof link, "self/fd/%d", fd);
  return readlinkat(proc, link, path, PATH_MAX);
}

bool inode_shows_kernel(int fd) {
  static const unsigned kinds[] = {PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC,
                                   DEBUGFS_MAGIC, TRACEFS_MAGIC, SECURITYFS_MAGIC, BPF_FS_MAGIC, NSFS_MAGIC};
  struct statfs fs;
  if (fstatfs(fd, &fs) < 0)
    return true;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if ((unsigned)fs.f_type == kinds[i])
      return true;
  return false;
}
