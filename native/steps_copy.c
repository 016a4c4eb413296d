/* `root-copy`: copies a tree of the new root into a volume, by descriptor, with all metadata. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "steps.h"

enum {
  DEPTH_MAX = 512,
  LINKS_MAX = 1 << 16,      /* files with several names that are remembered: a power of two */
  LINK_NAMES_MAX = 8 << 20, /* bytes of their first names */
  XATTR_NAMES_MAX = 64 << 10,
  XATTR_MAX = 64 << 10,
};

/* The first name that a file with several names got in the copy. name: offset in `names`, 0 = free. */
struct first { dev_t device; ino_t inode; uint32_t name; };

struct copying {
  struct task *task;
  dev_t device; /* of the source: nothing that is mounted below it is entered */
  int target;   /* the copy's top */
  struct first *firsts;
  char *names;
  size_t named;
  char path[PATH_MAX]; /* of the entry at hand, from the copy's top: for `detail` and links */
};

static int close_both(int a, int b, int result) {
  int error = errno;
  close(a);
  close(b);
  errno = error;
  return result;
}

/* ── metadata ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Overlay's own attributes are left out, and those that the target's file system does not support. */
static int copy_xattrs(int from, int to) {
  static char names[XATTR_NAMES_MAX], value[XATTR_MAX];
  ssize_t size = flistxattr(from, names, sizeof names);
  if (size < 0)
    return errno == EOPNOTSUPP ? 0 : -1;
  for (char *name = names; name < names + size; name += strlen(name) + 1) {
    if (strncmp(name, "trusted.overlay.", 16) == 0)
      continue;
    ssize_t length = fgetxattr(from, name, value, sizeof value);
    if (length < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
      continue;
    if (length < 0 || (fsetxattr(to, name, value, (size_t)length, 0) < 0 && errno != EOPNOTSUPP && errno != EPERM))
      return -1;
  }
  return 0;
}

/* Owner before mode (it clears set-user-ID bits), both before xattrs (security.capability), times last. */
static int copy_metadata(int from, int to, const struct stat *stat) {
  struct timespec times[2] = {stat->st_atim, stat->st_mtim};
  if (fchown(to, stat->st_uid, stat->st_gid) < 0 || fchmod(to, stat->st_mode & 07777) < 0)
    return -1;
  return copy_xattrs(from, to) < 0 ? -1 : futimens(to, times);
}

/* ── content ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static int copy_range(int from, int to, off_t start, off_t end) {
  if (lseek(from, start, SEEK_SET) < 0 || lseek(to, start, SEEK_SET) < 0)
    return -1;
  while (start < end) {
    ssize_t moved = sendfile(to, from, NULL, (size_t)(end - start));
    if (moved < 0 && errno == EINTR)
      continue;
    if (moved <= 0)
      return moved < 0 ? -1 : 0; /* the file was truncated meanwhile */
    start += moved;
  }
  return 0;
}

/* Shares the blocks where the file system can (FICLONE); holes stay holes. */
static int copy_content(int from, int to, off_t size) {
  if (ioctl(to, FICLONE, from) == 0)
    return 0;
  off_t at = 0;
  while (at < size) {
    off_t data = lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO)
      break; /* a hole to the end */
    off_t hole = data < 0 ? size : lseek(from, data, SEEK_HOLE);
    if (copy_range(from, to, data < 0 ? at : data, hole < 0 ? size : hole) < 0)
      return -1;
    at = hole < 0 ? size : hole;
  }
  return ftruncate(to, size);
}

/* ── files with several names ──────────────────────────────────────────────────────────────────────────────────── */

/* Links `name` to the file's first name in the copy. 1: linked; 0: this is its first name, or the table is full: copy it. */
static int link_to_first(struct copying *c, int directory, const char *name, const struct stat *stat) {
  size_t at = (size_t)((stat->st_ino ^ stat->st_dev) * 0x9e3779b97f4a7c15u >> 40) & (LINKS_MAX - 1);
  for (int tries = 0; tries < 64; tries++, at = (at + 1) & (LINKS_MAX - 1)) {
    struct first *first = &c->firsts[at];
    if (first->name != 0 && first->inode == stat->st_ino && first->device == stat->st_dev)
      return linkat(c->target, c->names + first->name, directory, name, 0) < 0 ? -1 : 1;
    size_t size = strlen(c->path) + 1;
    if (first->name != 0)
      continue;
    if (c->named + size > LINK_NAMES_MAX)
      return 0;
    *first = (struct first){stat->st_dev, stat->st_ino, (uint32_t)c->named};
    memcpy(c->names + c->named, c->path, size);
    c->named += size;
    return 0;
  }
  return 0;
}

/* ── entries ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static int copy_inside(struct copying *c, int from, int to, int depth);

static int copy_directory(struct copying *c, int from, int to, const char *name, int depth) {
  struct stat stat;
  if (depth == DEPTH_MAX)
    return fail(c->task, ELOOP, "%.200s", c->path);
  if (mkdirat(to, name, 0700) < 0)
    return -1;
  int source = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (source < 0)
    return -1;
  int copy = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (copy < 0 || fstat(source, &stat) < 0)
    return close_both(source, copy, -1);
  if (stat.st_dev == c->device && copy_inside(c, source, copy, depth + 1) < 0)
    return close_both(source, copy, -1);
  return close_both(source, copy, copy_metadata(source, copy, &stat));
}

static int copy_file(struct copying *c, int from, int to, const char *name, const struct stat *stat) {
  struct stat opened;
  if (stat->st_nlink > 1) {
    int linked = link_to_first(c, to, name, stat);
    if (linked != 0)
      return linked < 0 ? -1 : 0;
  }
  int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (source < 0)
    return -1;
  int copy = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (copy < 0 || fstat(source, &opened) < 0 || !S_ISREG(opened.st_mode) ||
      copy_content(source, copy, opened.st_size) < 0)
    return close_both(source, copy, -1);
  return close_both(source, copy, copy_metadata(source, copy, &opened));
}

static int copy_link(int from, int to, const char *name) {
  char text[PATH_MAX];
  ssize_t size = readlinkat(from, name, text, sizeof text - 1);
  if (size < 0)
    return -1;
  text[size] = 0;
  return symlinkat(text, to, name);
}

static int copy_entry(struct copying *c, int from, int to, const char *name, int depth) {
  struct stat stat;
  if (fstatat(from, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
    return -1;
  if (S_ISDIR(stat.st_mode))
    return copy_directory(c, from, to, name, depth);
  if (S_ISREG(stat.st_mode))
    return copy_file(c, from, to, name, &stat);
  struct timespec times[2] = {stat.st_atim, stat.st_mtim};
  int made = S_ISLNK(stat.st_mode) ? copy_link(from, to, name) : mknodat(to, name, stat.st_mode, stat.st_rdev);
  if (made < 0 || fchownat(to, name, stat.st_uid, stat.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
    return -1;
  if (!S_ISLNK(stat.st_mode) && fchmodat(to, name, stat.st_mode & 07777, 0) < 0)
    return -1;
  return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW);
}

/* `from` and `to` stay open. */
static int copy_inside(struct copying *c, int from, int to, int depth) {
  DIR *list = fdopendir(openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct dirent *entry;
  size_t length = strlen(c->path);
  int result = 0;
  if (list == NULL)
    return -1;
  while (result == 0 && (errno = 0, entry = readdir(list)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    const char *slash = length == 0 ? "" : "/";
    if (snprintf(c->path + length, sizeof c->path - length, "%s%s", slash, entry->d_name) >=
        (int)(sizeof c->path - length)) {
      errno = ENAMETOOLONG;
      result = -1;
    } else {
      result = copy_entry(c, from, to, entry->d_name, depth);
      if (result < 0 && c->task->detail[0] == 0)
        fail(c->task, errno, "%.200s", c->path);
    }
    c->path[length] = 0;
  }
  if (result == 0 && errno != 0)
    result = -1;
  int error = errno;
  closedir(list);
  errno = error;
  return result;
}

static int copy_tree(struct task *task, int source, int target) {
  static struct copying c;
  struct stat stat;
  size_t table = LINKS_MAX * sizeof(struct first), size = table + LINK_NAMES_MAX;
  if (fstat(source, &stat) < 0)
    return -1;
  uint8_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED)
    return -1;
  c = (struct copying){.task = task, .device = stat.st_dev, .target = target, .firsts = (struct first *)(void *)at};
  c.names = (char *)at + table;
  c.named = 1; /* offset 0 says "free" */
  int result = copy_inside(&c, source, target, 0);
  if (result == 0)
    result = copy_metadata(source, target, &stat);
  int error = errno;
  munmap(at, size);
  errno = error;
  return result;
}

/* source: a path in the root; a missing one is no error. target: an empty host directory. sync: 1 = syncfs. */
int step_root_copy(struct task *task, union argument *arg) {
  int source = root_open(task, arg[0].s, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
  if (source < 0)
    return errno == ENOENT ? 0 : fail(task, errno, "%.200s", arg[0].s);
  int target = open(arg[1].s, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (target < 0)
    return close_both(source, target, fail(task, errno, "%.200s", arg[1].s));
  umask(0);
  int result = copy_tree(task, source, target);
  if (result == 0 && arg[2].n == 1)
    result = syncfs(target);
  return close_both(source, target, result);
}
