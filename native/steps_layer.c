/* Unpacking a layer, and only below its directory. Names come from a stranger's archive: every directory on the way is
 * opened by itself, never through a link, so no name leads out and no link is written through (posture rule 7). A component
 * at a time, not openat2: where links are refused anyway the walk is as safe, works on every kernel, and most entries lie in
 * the directory of the one before, which stays open. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "orlop.h"
#include "steps.h"

/* The layer under way. A task unpacks one. */
static struct {
  int root;                     /* the layer's directory; -1 before `layer` */
  int parent;                   /* the directory of the last entry */
  char parent_path[PATH_MAX];   /* "" is the layer's directory itself */
  bool follows;                 /* not a layer but a place in a root: links on the way lead to where they lead in there */
  char base[PATH_MAX];          /* that place's path below the root */
  /* the last entry, for layer-data and layer-xattr */
  int fd;                       /* a file (for writing) or a directory; -1 for others */
  char name[NAME_MAX + 1];
  bool is_file;
  mode_t mode;
  uint64_t size, written;       /* written: up to which offset */
  int64_t mtime;
} layer = {.root = -1, .parent = -1, .fd = -1};

static struct timespec time_of(int64_t ns) {
  int64_t seconds = ns / 1000000000, rest = ns % 1000000000;
  return rest < 0 ? (struct timespec){seconds - 1, rest + 1000000000} : (struct timespec){seconds, rest};
}

/* access time left alone: a layer's is nobody's business. */
static void set_times(struct timespec times[2], int64_t mtime) {
  times[0] = (struct timespec){0, UTIME_OMIT};
  times[1] = time_of(mtime);
}

/* ── the last entry ────────────────────────────────────────────────────────────────────────────────────────────── */

/* Completes the last file: its size (a hole at the end), what writing or chown took from its mode, its time. */
static int finish_entry(void) {
  struct timespec times[2];
  int result = 0;
  if (layer.fd >= 0 && layer.is_file) {
    set_times(times, layer.mtime);
    if (layer.written < layer.size)
      result = ftruncate(layer.fd, (off_t)layer.size);
    if (result == 0 && (layer.mode & (S_ISUID | S_ISGID | S_ISVTX)) != 0)
      result = fchmod(layer.fd, layer.mode);
    if (result == 0)
      result = futimens(layer.fd, times);
  }
  int error = errno;
  if (layer.fd >= 0)
    close(layer.fd);
  layer.fd = -1;
  layer.name[0] = 0;
  errno = error;
  return result;
}

static int open_directory(int parent, const char *name) {
  return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* `path` (its first `size` bytes) as a path below the root. */
static bool below_root(const char *path, size_t size, char full[2 * PATH_MAX]) {
  return snprintf(full, 2 * PATH_MAX, "%s/%.*s", layer.base, (int)size, path) < PATH_MAX;
}

static int follow_to(struct task *task, const char *path, size_t size) {
  char full[2 * PATH_MAX];
  if (!below_root(path, size, full)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  return root_open(task, full, O_RDONLY | O_DIRECTORY);
}

/* The directory that `path` (its first `size` bytes) names below the layer's. The caller closes it. */
static int walk_to(struct task *task, const char *path, size_t size) {
  char name[NAME_MAX + 1];
  if (layer.follows && size > 0)
    return follow_to(task, path, size);
  int here = fcntl(layer.root, F_DUPFD_CLOEXEC, 0);
  while (here >= 0 && size > 0) {
    size_t length = 0;
    while (length < size && path[length] != '/')
      length++;
    bool dots = length == 0 || (path[0] == '.' && (length == 1 || (length == 2 && path[1] == '.')));
    int next = -1;
    if (dots || length > NAME_MAX) {
      errno = dots ? EINVAL : ENAMETOOLONG;
    } else {
      memcpy(name, path, length);
      name[length] = 0;
      next = open_directory(here, name);
    }
    int error = errno;
    close(here);
    errno = error;
    here = next;
    path += length;
    size -= length;
    if (size > 0) { /* the slash */
      path++;
      size--;
    }
  }
  return here;
}

/* Where the last name of a path begins; false (EINVAL, ENAMETOOLONG) when it is none that a directory could hold. */
static bool split(struct span path, size_t *start) {
  const char *text = (const char *)path.at;
  *start = path.size;
  while (*start > 0 && text[*start - 1] != '/')
    (*start)--;
  size_t length = path.size - *start;
  bool dots = text[*start] == '.' && (length == 1 || (length == 2 && text[*start + 1] == '.'));
  bool bad = length == 0 || dots || memchr(text, 0, path.size) != NULL;
  errno = bad ? EINVAL : ENAMETOOLONG;
  return !bad && length <= NAME_MAX && path.size < PATH_MAX;
}

/* Completes the entry before, and makes `path` the one that is worked on: layer.parent and layer.name. */
static int begin_entry(struct task *task, struct span path) {
  size_t start;
  if (layer.root < 0)
    return fail(task, EBADF, "no layer");
  if (finish_entry() < 0)
    return fail(task, errno, "the entry before %.200s", (const char *)path.at);
  if (!split(path, &start))
    return fail(task, errno, "%.200s", (const char *)path.at);
  size_t length = start > 0 ? start - 1 : 0;
  if (layer.parent < 0 || strlen(layer.parent_path) != length || memcmp(layer.parent_path, path.at, length) != 0) {
    int parent = walk_to(task, (const char *)path.at, length);
    if (parent < 0)
      return fail(task, errno, "the directory of %.200s", (const char *)path.at);
    if (layer.parent >= 0)
      close(layer.parent);
    layer.parent = parent;
    memcpy(layer.parent_path, path.at, length);
    layer.parent_path[length] = 0;
  }
  memcpy(layer.name, path.at + start, path.size - start);
  layer.name[path.size - start] = 0;
  return 0;
}

/* A later entry of the same name replaces an earlier one; a directory only when it is empty. */
static int clear_place(void) {
  if (unlinkat(layer.parent, layer.name, 0) == 0)
    return 0;
  return errno == EISDIR ? unlinkat(layer.parent, layer.name, AT_REMOVEDIR) : -1;
}

static int said(struct task *task, int result, struct span path) {
  return result < 0 ? fail(task, errno, "%.200s", (const char *)path.at) : 0;
}

/* Owner, and the mode that chown and mkdir do not keep. */
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

/* ── the steps ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* path: the layer's directory, which exists. */
int step_layer(struct task *task, union argument *arg) {
  if (layer.root >= 0)
    return fail(task, EBUSY, "a task unpacks one layer");
  umask(0);
  layer.root = open(arg[0].s, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return layer.root < 0 ? -1 : 0;
}

/* path: a directory below the root, where an archive goes that somebody copies in. The last link is followed too. */
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

/* path: a directory in which entries lie and that no entry describes; made where it is missing, and left as it is. */
int step_layer_parent(struct task *task, union argument *arg) {
  char full[2 * PATH_MAX];
  struct stat stat;
  if (!layer.follows || finish_entry() < 0)
    return fail(task, layer.follows ? errno : EBADF, "the entry before");
  if (memchr(arg[0].b.at, 0, arg[0].b.size) != NULL || !below_root((const char *)arg[0].b.at, arg[0].b.size, full))
    return fail(task, ENAMETOOLONG, "%.200s", (const char *)arg[0].b.at);
  int fd = root_make(task, full, S_IFDIR, 0755);
  if (fd < 0)
    return said(task, -1, arg[0].b);
  int result = fstat(fd, &stat);
  if (result == 0 && !S_ISDIR(stat.st_mode)) {
    errno = ENOTDIR;
    result = -1;
  }
  int error = errno;
  close(fd);
  errno = error;
  return said(task, result, arg[0].b);
}

/* path, directory: 1 = one comes here; strict: 1 = a directory never takes the place of something else, nor the other way
 * round (EISDIR: a directory is there; ENOTDIR: something else). Makes room otherwise, a whole tree if need be. */
int step_layer_place(struct task *task, union argument *arg) {
  struct stat stat;
  if (begin_entry(task, arg[0].b) < 0)
    return -1;
  if (fstatat(layer.parent, layer.name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? 0 : said(task, -1, arg[0].b);
  bool directory = S_ISDIR(stat.st_mode);
  if (directory == (arg[1].n != 0))
    return 0;
  if (arg[2].n != 0) {
    errno = directory ? EISDIR : ENOTDIR;
    return said(task, -1, arg[0].b);
  }
  return said(task, remove_tree(layer.parent, layer.name), arg[0].b);
}

static int is_whiteout(const struct stat *stat) { return S_ISCHR(stat->st_mode) && stat->st_rdev == 0; }

/* A directory that takes the place of what the layers below have: overlayfs looks no further. */
static int make_opaque(int fd) { return fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0); }

/* The directory may be there already (then it is given the new metadata), or its whiteout may. */
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

/* path ("": the layer's own directory), mode, uid, gid. Its time comes last, with layer-time. */
int step_layer_directory(struct task *task, union argument *arg) {
  mode_t mode = (mode_t)arg[1].n & 07777;
  bool opaque = false;
  if (arg[0].b.size == 0) {
    if (layer.root < 0 || finish_entry() < 0 || (layer.fd = fcntl(layer.root, F_DUPFD_CLOEXEC, 0)) < 0)
      return fail(task, errno, "the layer's directory");
  } else if (begin_entry(task, arg[0].b) < 0 || make_directory(mode, &opaque) < 0) {
    return task->detail[0] != 0 ? -1 : said(task, -1, arg[0].b);
  }
  layer.is_file = false;
  int result = fchown(layer.fd, (uid_t)arg[2].n, (gid_t)arg[3].n);
  if (result == 0)
    result = fchmod(layer.fd, mode);
  if (result == 0 && opaque)
    result = make_opaque(layer.fd);
  return said(task, result, arg[0].b);
}

/* path, mode, uid, gid, mtime (ns, signed), size. Its content follows in layer-data. */
int step_layer_file(struct task *task, union argument *arg) {
  if (begin_entry(task, arg[0].b) < 0)
    return -1;
  layer.mode = (mode_t)arg[1].n & 07777;
  layer.mtime = (int64_t)arg[4].n;
  layer.size = arg[5].n;
  layer.written = 0;
  layer.is_file = true;
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  layer.fd = openat(layer.parent, layer.name, flags, layer.mode & 0777);
  if (layer.fd < 0 && errno == EEXIST && clear_place() == 0)
    layer.fd = openat(layer.parent, layer.name, flags, layer.mode & 0777);
  if (layer.fd < 0)
    return said(task, -1, arg[0].b);
  bool ours = arg[2].n == geteuid() && arg[3].n == getegid();
  return said(task, ours ? 0 : fchown(layer.fd, (uid_t)arg[2].n, (gid_t)arg[3].n), arg[0].b);
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
  return 0;
}

/* offset, data: content of the last layer-file. What is left out is a hole. */
int step_layer_data(struct task *task, union argument *arg) { return write_content(task, arg[0].n, arg[1].b); }

/* offset, at, size: the same, of what lies at `at` in the shared memory. */
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
  return said(task, result, arg[0].b);
}

/* path, target: both below the layer's directory; the target is an entry that came before, and no link is followed. */
int step_layer_link(struct task *task, union argument *arg) {
  size_t start;
  if (begin_entry(task, arg[0].b) < 0)
    return -1;
  if (!split(arg[1].b, &start))
    return fail(task, errno, "%.200s", (const char *)arg[1].b.at);
  const char *target = (const char *)arg[1].b.at;
  int parent = walk_to(task, target, start > 0 ? start - 1 : 0);
  if (parent < 0)
    return said(task, -1, arg[1].b);
  int result = linkat(parent, target + start, layer.parent, layer.name, 0);
  if (result < 0 && errno == EEXIST && clear_place() == 0)
    result = linkat(parent, target + start, layer.parent, layer.name, 0);
  int error = errno;
  close(parent);
  errno = error;
  return said(task, result, arg[1].b);
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
  if (result == 0) /* not a link: we have just made it */
    result = fchmodat(layer.parent, layer.name, mode, 0);
  if (result == 0)
    result = set_time((int64_t)arg[5].n);
  return said(task, result, arg[0].b);
}

/* name, value: an extended attribute of the last entry. A file system without this kind of attribute is fine. */
int step_layer_xattr(struct task *task, union argument *arg) {
  const char *name = (const char *)arg[0].b.at;
  if (layer.fd < 0 && layer.name[0] == 0)
    return fail(task, EBADF, "no entry");
  int result;
  if (layer.fd >= 0) {
    result = fsetxattr(layer.fd, name, arg[1].b.at, arg[1].b.size, 0);
  } else { /* links and nodes cannot be opened for this; the name is not followed */
    result = fchdir(layer.parent);
    if (result == 0)
      result = lsetxattr(layer.name, name, arg[1].b.at, arg[1].b.size, 0);
  }
  if (result < 0 && errno != EOPNOTSUPP)
    return fail(task, errno, "%s of %s", name, layer.name);
  return 0;
}

/* path: is not in the layers below any more. What this layer itself has there stays; a directory then hides what was. */
int step_layer_whiteout(struct task *task, union argument *arg) {
  struct stat stat;
  if (begin_entry(task, arg[0].b) < 0)
    return -1;
  if (mknodat(layer.parent, layer.name, S_IFCHR, 0) == 0)
    return 0;
  if (errno != EEXIST || fstatat(layer.parent, layer.name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
    return said(task, -1, arg[0].b);
  if (!S_ISDIR(stat.st_mode))
    return 0;
  int fd = open_directory(layer.parent, layer.name);
  int result = fd < 0 ? -1 : make_opaque(fd);
  int error = errno;
  if (fd >= 0)
    close(fd);
  errno = error;
  return said(task, result, arg[0].b);
}

/* path ("": the layer's own directory): shows nothing of the layers below. */
int step_layer_opaque(struct task *task, union argument *arg) {
  if (layer.root < 0 || finish_entry() < 0)
    return fail(task, layer.root < 0 ? EBADF : errno, "the entry before");
  if (memchr(arg[0].b.at, 0, arg[0].b.size) != NULL)
    return fail(task, EINVAL, "a path with NUL");
  int fd = walk_to(task, (const char *)arg[0].b.at, arg[0].b.size);
  int result = fd < 0 ? -1 : make_opaque(fd);
  int error = errno;
  if (fd >= 0)
    close(fd);
  errno = error;
  return said(task, result, arg[0].b);
}

/* path ("": the layer's own directory), mtime: of a directory, once everything in it is made. */
int step_layer_time(struct task *task, union argument *arg) {
  struct timespec times[2];
  set_times(times, (int64_t)arg[1].n);
  if (arg[0].b.size == 0)
    return finish_entry() < 0 ? -1 : futimens(layer.root, times);
  if (begin_entry(task, arg[0].b) < 0)
    return -1;
  return said(task, utimensat(layer.parent, layer.name, times, AT_SYMLINK_NOFOLLOW), arg[0].b);
}

/* The layer is whole: completes the last entry. sync: 1 = everything of its file system reaches the disk. */
int step_layer_end(struct task *task, union argument *arg) {
  if (layer.root < 0)
    return fail(task, EBADF, "no layer");
  if (finish_entry() < 0)
    return -1;
  return arg[0].n == 1 ? syncfs(layer.root) : 0;
}
