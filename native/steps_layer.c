/* `layer-*`: the entries of a layer, one per step, made only below the layer's directory (layer_way.c sees to that). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "layer.h"
#include "steps.h"

/* A later entry of the same name replaces an earlier one; a directory only when it is empty. */
static int clear_place(void) {
  if (unlinkat(layer.parent, layer.name, 0) == 0)
    return 0;
  return errno == EISDIR ? unlinkat(layer.parent, layer.name, AT_REMOVEDIR) : -1;
}

static int set_owner(uint64_t uid, uint64_t gid) {
  if (uid == geteuid() && gid == getegid())
    return 0;
  return fchownat(layer.parent, layer.name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW);
}

static int set_time(int64_t mtime) {
  struct timespec times[2];
  set_times(times, mtime);
  return utimensat(layer.parent, layer.name, times, AT_SYMLINK_NOFOLLOW);
}

/* Sets the mode of a node that was just made. A running container may have replaced it by a link meanwhile, which fchmodat(2) would
 * follow, from a volume even to the machine's files: so the node is opened without following links, and its type is checked. */
static int set_node_mode(struct task *task, mode_t kind, mode_t mode) {
  char link[32];
  struct stat stat;
  int node = openat(layer.parent, layer.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (node < 0)
    return -1;
  int proc = private_proc(task), result = proc < 0 || fstat(node, &stat) < 0 ? -1 : 0;
  if (result == 0 && (stat.st_mode & S_IFMT) != kind) {
    errno = ESTALE;
    result = -1;
  }
  snprintf(link, sizeof link, "self/fd/%d", node);
  if (result == 0)
    result = fchmodat(proc, link, mode, 0);
  return close_after(node, result);
}

static int is_whiteout(const struct stat *stat) { return S_ISCHR(stat->st_mode) && stat->st_rdev == 0; }

/* Marks a directory so that overlayfs shows nothing of the layers below in it. */
static int make_opaque(int fd) { return fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0); }

/* The directory may exist already, or its whiteout, which it then replaces as an opaque directory. */
static int make_directory(mode_t mode, bool *opaque) {
  struct stat stat;
  if (mkdirat(layer.parent, layer.name, mode) == 0 || errno != EEXIST)
    return layer.fd = open_directory(layer.parent, layer.name);
  if (fstatat(layer.parent, layer.name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
    return -1;
  if (!S_ISDIR(stat.st_mode) &&
      (unlinkat(layer.parent, layer.name, 0) < 0 || mkdirat(layer.parent, layer.name, mode) < 0))
    return -1;
  *opaque = is_whiteout(&stat);
  return layer.fd = open_directory(layer.parent, layer.name);
}

/* path ("": the layer's own directory), mode, uid, gid. Its time is set last, by layer-time. */
int step_layer_directory(struct task *task, union argument *arg) {
  mode_t mode = (mode_t)arg[1].n & 07777;
  bool opaque = false;
  if (arg[0].b.size == 0) {
    if (layer.root < 0 || finish_entry() < 0 || (layer.fd = fcntl(layer.root, F_DUPFD_CLOEXEC, 0)) < 0)
      return fail(task, errno, "the layer's directory");
  } else if (begin_entry(task, arg[0].b) < 0 || make_directory(mode, &opaque) < 0) {
    return task->detail[0] != 0 ? -1 : report_entry(task, -1, arg[0].b);
  }
  layer.is_file = false;
  int result = fchown(layer.fd, (uid_t)arg[2].n, (gid_t)arg[3].n);
  if (result == 0)
    result = fchmod(layer.fd, mode);
  if (result == 0 && opaque)
    result = make_opaque(layer.fd);
  return report_entry(task, result, arg[0].b);
}

/* path, mode, uid, gid, mtime (ns, signed), size. Its content follows in layer-data. */
int step_layer_file(struct task *task, union argument *arg) {
  if (begin_entry(task, arg[0].b) < 0)
    return -1;
  layer.mode = (mode_t)arg[1].n & 07777;
  layer.mtime = (int64_t)arg[4].n;
  layer.size = arg[5].n;
  layer.written = layer.sent = 0;
  layer.is_file = true;
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  layer.fd = openat(layer.parent, layer.name, flags, layer.mode & 0777);
  if (layer.fd < 0 && errno == EEXIST && clear_place() == 0)
    layer.fd = openat(layer.parent, layer.name, flags, layer.mode & 0777);
  if (layer.fd < 0)
    return report_entry(task, -1, arg[0].b);
  bool ours = arg[2].n == geteuid() && arg[3].n == getegid();
  return report_entry(task, ours ? 0 : fchown(layer.fd, (uid_t)arg[2].n, (gid_t)arg[3].n), arg[0].b);
}

static int write_content(struct task *task, uint64_t offset, struct span data) {
  if (layer.fd < 0 || !layer.is_file)
    return fail(task, EBADF, "no file");
  if (offset > layer.size || data.size > layer.size - offset)
    return fail(task, EFBIG, "%s", layer.name);
  while (data.size > 0) {
    ssize_t wrote = pwrite(layer.fd, data.at, data.size, (off_t)offset);
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote < 0)
      return fail(task, errno, "%s", layer.name);
    data.at += wrote;
    data.size -= (size_t)wrote;
    offset += (size_t)wrote;
  }
  if (offset > layer.written)
    layer.written = offset;
  send_content();
  return 0;
}

/* offset, data: content of the last layer-file. Ranges that are never written are holes. */
int step_layer_data(struct task *task, union argument *arg) { return write_content(task, arg[0].n, arg[1].b); }

/* offset, at, size: the same, with `size` bytes at offset `at` of the shared memory. */
int step_layer_shared_data(struct task *task, union argument *arg) {
  struct span data;
  if (!shared_part(arg[1].n, arg[2].n, &data))
    return fail(task, errno, "%s", layer.name);
  return write_content(task, arg[0].n, data);
}

/* path, target, uid, gid, mtime. */
int step_layer_symlink(struct task *task, union argument *arg) {
  const char *target = (const char *)arg[1].b.at;
  if (memchr(target, 0, arg[1].b.size) != NULL)
    return fail(task, EINVAL, "a target with NUL");
  if (begin_entry(task, arg[0].b) < 0)
    return -1;
  int result = symlinkat(target, layer.parent, layer.name);
  if (result < 0 && errno == EEXIST && clear_place() == 0)
    result = symlinkat(target, layer.parent, layer.name);
  if (result == 0)
    result = set_owner(arg[2].n, arg[3].n);
  if (result == 0)
    result = set_time((int64_t)arg[4].n);
  return report_entry(task, result, arg[0].b);
}

/* path, target: a hard link to an earlier entry; both are below the layer's directory, and no link is followed. */
int step_layer_link(struct task *task, union argument *arg) {
  size_t start;
  if (begin_entry(task, arg[0].b) < 0)
    return -1;
  if (!last_name(arg[1].b, &start))
    return fail(task, errno, "%.200s", (const char *)arg[1].b.at);
  const char *target = (const char *)arg[1].b.at;
  int parent = walk_to(task, target, start > 0 ? start - 1 : 0);
  if (parent < 0)
    return report_entry(task, -1, arg[1].b);
  int result = linkat(parent, target + start, layer.parent, layer.name, 0);
  if (result < 0 && errno == EEXIST && clear_place() == 0)
    result = linkat(parent, target + start, layer.parent, layer.name, 0);
  return close_after(parent, report_entry(task, result, arg[1].b));
}

/* path, kind (S_IFCHR, S_IFBLK, S_IFIFO), mode, uid, gid, mtime, major, minor. */
int step_layer_node(struct task *task, union argument *arg) {
  mode_t kind = (mode_t)arg[1].n & S_IFMT, mode = (mode_t)arg[2].n & 07777;
  dev_t device = makedev((unsigned)arg[6].n, (unsigned)arg[7].n);
  if (kind != S_IFCHR && kind != S_IFBLK && kind != S_IFIFO)
    return fail(task, EINVAL, "a node of kind %o", kind);
  if (begin_entry(task, arg[0].b) < 0)
    return -1;
  int result = mknodat(layer.parent, layer.name, kind | mode, device);
  if (result < 0 && errno == EEXIST && clear_place() == 0)
    result = mknodat(layer.parent, layer.name, kind | mode, device);
  if (result == 0)
    result = set_owner(arg[3].n, arg[4].n);
  if (result == 0)
    result = POINT("layer-node.made") < 0 ? -1 : set_node_mode(task, kind, mode);
  if (result == 0)
    result = set_time((int64_t)arg[5].n);
  return report_entry(task, result, arg[0].b);
}

/* name, value: an extended attribute of the last entry. No error where the file system does not support it. */
int step_layer_xattr(struct task *task, union argument *arg) {
  const char *name = (const char *)arg[0].b.at;
  if (layer.fd < 0 && layer.name[0] == 0)
    return fail(task, EBADF, "no entry");
  int result;
  if (layer.fd >= 0) {
    result = fsetxattr(layer.fd, name, arg[1].b.at, arg[1].b.size, 0);
  } else { /* links and device nodes cannot be opened for this; lsetxattr does not follow the name */
    result = fchdir(layer.parent);
    if (result == 0)
      result = lsetxattr(layer.name, name, arg[1].b.at, arg[1].b.size, 0);
  }
  if (result < 0 && errno != EOPNOTSUPP)
    return fail(task, errno, "%s of %s", name, layer.name);
  return 0;
}

/* path: hides what the layers below have there. An entry that this layer itself has there stays; a directory becomes opaque. */
int step_layer_whiteout(struct task *task, union argument *arg) {
  struct stat stat;
  if (begin_entry(task, arg[0].b) < 0)
    return -1;
  if (mknodat(layer.parent, layer.name, S_IFCHR, 0) == 0)
    return 0;
  if (errno != EEXIST || fstatat(layer.parent, layer.name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
    return report_entry(task, -1, arg[0].b);
  if (!S_ISDIR(stat.st_mode))
    return 0;
  int fd = open_directory(layer.parent, layer.name);
  int result = fd < 0 ? -1 : make_opaque(fd);
  return close_after(fd, report_entry(task, result, arg[0].b));
}

/* path ("": the layer's own directory): shows nothing of the layers below. */
int step_layer_opaque(struct task *task, union argument *arg) {
  if (layer.root < 0 || finish_entry() < 0)
    return fail(task, layer.root < 0 ? EBADF : errno, "the entry before");
  if (memchr(arg[0].b.at, 0, arg[0].b.size) != NULL)
    return fail(task, EINVAL, "a path with NUL");
  int fd = walk_to(task, (const char *)arg[0].b.at, arg[0].b.size);
  int result = fd < 0 ? -1 : make_opaque(fd);
  return close_after(fd, report_entry(task, result, arg[0].b));
}

/* path ("": the layer's own directory), mtime: of a directory, once everything in it is made. */
int step_layer_time(struct task *task, union argument *arg) {
  struct timespec times[2];
  set_times(times, (int64_t)arg[1].n);
  if (arg[0].b.size == 0)
    return finish_entry() < 0 ? -1 : futimens(layer.root, times);
  if (begin_entry(task, arg[0].b) < 0)
    return -1;
  return report_entry(task, utimensat(layer.parent, layer.name, times, AT_SYMLINK_NOFOLLOW), arg[0].b);
}
