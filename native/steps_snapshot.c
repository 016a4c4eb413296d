/* `copy-tree`: merges layers into a writable root by copying, for file systems on which overlayfs cannot have its upper directory. The
 * layers are read one by one and whiteouts applied, so that no overlay mount is needed (`root-copy` copies what is mounted). The
 * layers lie in our own state directories or were named by an administrator, and nobody else writes to the copy before it is
 * renamed into place: so paths can be used here. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "steps.h"

enum { COPY_DEPTH_MAX = 512, COPY_VALUE_MAX = 64 << 10 };

/* One name in two directories. links: the directory in which files with several names are kept until all names are copied. */
struct pair { int from, to, links; const char *name; };

static bool is_own_mark(const char *name) { return strncmp(name, "trusted.overlay.", 16) == 0; }

/* By names relative to the working directory, because links and device nodes cannot be opened for fsetxattr. */
static int copy_xattrs(struct pair pair) {
  static char names[COPY_VALUE_MAX], value[COPY_VALUE_MAX];
  if (fchdir(pair.from) < 0)
    return -1;
  ssize_t size = llistxattr(pair.name, names, sizeof names);
  if (size < 0)
    return errno == EOPNOTSUPP ? 0 : -1;
  for (char *name = names; name < names + size; name += strlen(name) + 1) {
    if (is_own_mark(name))
      continue;
    if (fchdir(pair.from) < 0)
      return -1;
    ssize_t length = lgetxattr(pair.name, name, value, sizeof value);
    if (length < 0 || fchdir(pair.to) < 0)
      return -1;
    if (lsetxattr(pair.name, name, value, (size_t)length, 0) < 0 && errno != EOPNOTSUPP)
      return -1;
  }
  return 0;
}

static bool is_opaque(struct pair pair) {
  char value;
  return fchdir(pair.from) == 0 && lgetxattr(pair.name, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/* Copies the data between holes inside the kernel. */
static int copy_ranges(int from, int to, off_t size) {
  for (off_t at = 0; at < size;) {
    off_t start = lseek(from, at, SEEK_DATA);
    if (start < 0)
      return errno == ENXIO ? 0 : -1;
    off_t end = lseek(from, start, SEEK_HOLE), in = start, out = start;
    while (end >= 0 && in < end) {
      ssize_t copied = copy_file_range(from, &in, to, &out, (size_t)(end - in), 0);
      if (copied <= 0)
        return copied < 0 ? -1 : 0;
    }
    if (end < 0)
      return -1;
    at = end;
  }
  return 0;
}

/* Shared blocks where the file system has them (btrfs, xfs), else a copy. */
static int copy_content(int from, int to, off_t size) {
  if (ioctl(to, FICLONE, from) == 0)
    return 0;
  return copy_ranges(from, to, size) < 0 || ftruncate(to, size) < 0 ? -1 : 0;
}

static int copy_file(struct pair pair, const struct stat *stat) {
  int from = openat(pair.from, pair.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (from < 0)
    return -1;
  int to = openat(pair.to, pair.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  return close_after(from, to < 0 ? -1 : close_after(to, copy_content(from, to, stat->st_size)));
}

static int copy_link(struct pair pair) {
  char text[PATH_MAX];
  ssize_t size = readlinkat(pair.from, pair.name, text, sizeof text - 1);
  if (size < 0)
    return -1;
  text[size] = 0;
  return symlinkat(text, pair.to, pair.name);
}

/* Owner first: chown clears set-user-ID bits and file capabilities. */
static int copy_metadata(struct pair pair, const struct stat *stat) {
  struct timespec times[2] = {{0, UTIME_OMIT}, stat->st_mtim};
  if (fchownat(pair.to, pair.name, stat->st_uid, stat->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
    return -1;
  if (!S_ISLNK(stat->st_mode) && fchmodat(pair.to, pair.name, stat->st_mode & 07777, 0) < 0)
    return -1;
  if (copy_xattrs(pair) < 0)
    return -1;
  return utimensat(pair.to, pair.name, times, AT_SYMLINK_NOFOLLOW);
}

static int copy_inside(struct pair pair, int depth);

static int copy_directory(struct pair pair, const struct stat *stat, int depth) {
  struct stat there;
  if (depth >= COPY_DEPTH_MAX) {
    errno = ELOOP;
    return -1;
  }
  bool exists = fstatat(pair.to, pair.name, &there, AT_SYMLINK_NOFOLLOW) == 0;
  if (exists && (!S_ISDIR(there.st_mode) || is_opaque(pair)) && remove_tree(pair.to, pair.name) < 0)
    return -1;
  if (mkdirat(pair.to, pair.name, 0700) < 0 && errno != EEXIST)
    return -1;
  struct pair inside = {openat(pair.from, pair.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), -1, pair.links, NULL};
  if (inside.from < 0)
    return -1;
  inside.to = openat(pair.to, pair.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int result = inside.to < 0 ? -1 : copy_inside(inside, depth + 1);
  close_after(inside.from, close_after(inside.to, 0));
  return result < 0 ? -1 : copy_metadata(pair, stat);
}

/* Links a further name of a file to the copy that `links` has. 1: linked; 0: it has none yet. */
static int copy_named(struct pair pair, const struct stat *stat) {
  char name[64];
  snprintf(name, sizeof name, "%llx-%llx", (unsigned long long)stat->st_dev, (unsigned long long)stat->st_ino);
  if (linkat(pair.links, name, pair.to, pair.name, 0) == 0)
    return 1;
  return errno == ENOENT ? 0 : -1;
}

static int copy_entry(struct pair pair, int depth) {
  struct stat stat;
  if (fstatat(pair.from, pair.name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? 0 : -1;
  if (S_ISDIR(stat.st_mode))
    return copy_directory(pair, &stat, depth);
  if (remove_tree(pair.to, pair.name) < 0 || S_ISSOCK(stat.st_mode))
    return S_ISSOCK(stat.st_mode) ? 0 : -1;
  if (S_ISCHR(stat.st_mode) && stat.st_rdev == 0) /* a whiteout: the removal above was all */
    return 0;
  bool named = stat.st_nlink > 1;
  int result = named ? copy_named(pair, &stat) : 0;
  if (result != 0)
    return result < 0 ? -1 : 0;
  if (S_ISREG(stat.st_mode))
    result = copy_file(pair, &stat);
  else if (S_ISLNK(stat.st_mode))
    result = copy_link(pair);
  else
    result = mknodat(pair.to, pair.name, stat.st_mode & (S_IFMT | 07777), stat.st_rdev);
  if (result < 0 || copy_metadata(pair, &stat) < 0 || !named)
    return result < 0 ? -1 : 0;
  char name[64];
  snprintf(name, sizeof name, "%llx-%llx", (unsigned long long)stat.st_dev, (unsigned long long)stat.st_ino);
  return linkat(pair.to, pair.name, pair.links, name, 0);
}

/* The descriptors of `pair` stay open. */
static int copy_inside(struct pair pair, int depth) {
  struct dirent *entry;
  int list_fd = openat(pair.from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
  DIR *list = list_fd < 0 ? NULL : fdopendir(list_fd);
  if (list == NULL)
    return close_after(list_fd, -1);
  while (result == 0 && (errno = 0, entry = readdir(list)) != NULL) {
    pair.name = entry->d_name;
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      result = copy_entry(pair, depth);
  }
  if (result == 0 && errno != 0)
    result = -1;
  int error = errno;
  closedir(list);
  errno = error;
  return result;
}

/* Copies one layer over what the copy has so far, with the metadata of its root directory. */
static int copy_layer(struct task *task, const char *layer, int parent, int links) {
  int from = open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (from < 0)
    return fail(task, errno, "%.200s", layer);
  struct pair inside = {from, openat(parent, "tree", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), links, NULL};
  struct stat stat;
  int result = inside.to < 0 || fstat(from, &stat) < 0 ? -1 : copy_inside(inside, 0);
  if (result == 0 && (fchown(inside.to, stat.st_uid, stat.st_gid) < 0 || fchmod(inside.to, stat.st_mode & 07777) < 0))
    result = -1;
  if (result < 0)
    fail(task, errno, "copying %.200s", layer);
  close_after(inside.to, 0);
  return close_after(from, result);
}

/* layers: topmost first; target: made by a rename, whole or not at all; an existing one is left as it is. */
int step_copy_tree(struct task *task, union argument *arg) {
  char temporary[PATH_MAX], made[PATH_MAX + 8];
  struct stat stat;
  if (lstat(arg[1].s, &stat) == 0)
    return 0;
  if (snprintf(temporary, sizeof temporary, "%s.new", arg[1].s) >= (int)sizeof temporary)
    return fail(task, ENAMETOOLONG, "%.200s", arg[1].s);
  umask(0);
  if (remove_tree(AT_FDCWD, temporary) < 0 || mkdir(temporary, 0700) < 0)
    return fail(task, errno, "%.200s", temporary);
  int parent = open(temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (parent < 0 || mkdirat(parent, "tree", 0755) < 0)
    return close_after(parent, fail(task, errno, "%.200s", temporary));
  int result = 0;
  for (size_t i = arg[0].l.count; result == 0 && i > 0; i--) {
    int links = mkdirat(parent, "links", 0700) < 0 ? -1 : openat(parent, "links", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    result = links < 0 ? -1 : copy_layer(task, arg[0].l.at[i - 1], parent, links);
    close_after(links, 0);
    if (result == 0)
      result = remove_tree(parent, "links"); /* the inode numbers of another layer may be of another file system */
  }
  close_after(parent, 0);
  snprintf(made, sizeof made, "%s/tree", temporary);
  if (result < 0 || POINT("copy-tree.whole") < 0 || rename(made, arg[1].s) < 0)
    return task->detail[0] != 0 ? -1 : fail(task, errno, "%.200s", arg[1].s);
  return rmdir(temporary);
}
