/* Where entries are made: in a layer's directory, or in a root, for an archive that a user copies in. Beginning and end of both. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "layer.h"
#include "steps.h"

/* path: the layer's directory, which exists. */
int step_layer(struct task *task, union argument *arg) {
  if (layer.root >= 0)
    return fail(task, EBUSY, "a task unpacks one layer");
  umask(0);
  layer.root = open(arg[0].s, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return layer.root < 0 ? -1 : 0;
}

/* path: a directory below the root that an archive is copied into. Links are followed, the last component included. */
int step_layer_into(struct task *task, union argument *arg) {
  if (layer.root >= 0)
    return fail(task, EBUSY, "a task unpacks one layer");
  if (strlen(arg[0].s) >= sizeof layer.base)
    return fail(task, ENAMETOOLONG, "%.200s", arg[0].s);
  umask(0);
  layer.root = root_open(task, arg[0].s, O_RDONLY | O_DIRECTORY);
  if (layer.root < 0)
    return fail(task, errno, "%.200s", arg[0].s);
  layer.follows = true;
  strcpy(layer.base, arg[0].s);
  return 0;
}

/* path: a directory that the archive has entries in but no entry for. Made when missing; an existing one is left as it is. */
int step_layer_parent(struct task *task, union argument *arg) {
  char full[2 * PATH_MAX];
  struct stat stat;
  if (!layer.follows || finish_entry() < 0)
    return fail(task, layer.follows ? errno : EBADF, "the entry before");
  if (memchr(arg[0].b.at, 0, arg[0].b.size) != NULL || !below_root((const char *)arg[0].b.at, arg[0].b.size, full))
    return fail(task, ENAMETOOLONG, "%.200s", (const char *)arg[0].b.at);
  int fd = root_make(task, full, S_IFDIR, 0755);
  if (fd < 0)
    return report_entry(task, -1, arg[0].b);
  int result = fstat(fd, &stat);
  if (result == 0 && !S_ISDIR(stat.st_mode)) {
    errno = ENOTDIR;
    result = -1;
  }
  return close_after(fd, report_entry(task, result, arg[0].b));
}

/* path; directory: 1 = the next entry of this path is a directory. When what exists there is of the other kind, it is removed, a
 * whole tree if need be; with strict 1 that fails instead (EISDIR: a directory exists, ENOTDIR: something else). */
int step_layer_place(struct task *task, union argument *arg) {
  struct stat stat;
  if (begin_entry(task, arg[0].b) < 0)
    return -1;
  if (fstatat(layer.parent, layer.name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? 0 : report_entry(task, -1, arg[0].b);
  bool directory = S_ISDIR(stat.st_mode);
  if (directory == (arg[1].n != 0))
    return 0;
  if (arg[2].n != 0) {
    errno = directory ? EISDIR : ENOTDIR;
    return report_entry(task, -1, arg[0].b);
  }
  return report_entry(task, remove_tree(layer.parent, layer.name), arg[0].b);
}

/* The layer is whole: completes the last entry. sync: 1 = everything of its file system reaches the disk. */
int step_layer_end(struct task *task, union argument *arg) {
  if (layer.root < 0)
    return fail(task, EBADF, "no layer");
  if (finish_entry() < 0)
    return -1;
  return arg[0].n == 1 ? syncfs(layer.root) : 0;
}
