/* Reading a tree out: what an archive needs of it, as records in VALUE frames. The tree is hostile and may change while it
 * is read: everything goes by descriptor, from the root that `root` opened. No link is followed on the way, nothing is opened
 * before its kind is known from the very inode that is then opened, and a mount is entered only where the plan says so. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "steps.h"

enum {
  RECORDS_MAX = 128 << 10, /* in one VALUE */
  PIECE_MAX = 64 << 10,    /* of a file's content, in one record */
  XATTRS_MAX = 64 << 10,   /* XATTR_LIST_MAX, XATTR_SIZE_MAX */
  EXTENTS_MAX = 65536,     /* of one file: the rest of it is then one extent */
  DEPTH_MAX = 1024,
};

/* Records: u32 size of what follows, u8 kind, fields. native/README.md has the fields. */
enum { R_ENTRY = 1, R_XATTR, R_EXTENT, R_DATA, R_FILE_END, R_WALK_END };

/* Flags of an entry. */
enum { E_MOUNT = 1, E_WHITEOUT = 2, E_OPAQUE = 4, E_BELOW = 8, E_SAME = 16, E_HIDDEN = 32, E_TOUCHED = 64 };

enum { WALK_CONTENT = 1, WALK_COMPARE = 2, WALK_WHOLE = 4 };

static struct {
  struct task *task;
  int proc;                      /* a procfs of our own: xattrs and content of an O_PATH descriptor */
  int below;                     /* what the walk compares with; -1 */
  uint64_t flags, sparse_min;
  char **enter;
  size_t base;                   /* length of the start's own path in `place` */
  char place[2 * PATH_MAX];      /* the path of the entry as the container sees it */
  size_t used;
  uint8_t records[RECORDS_MAX + 1];
} walk = {.below = -1, .proc = -1};

static int close_after(int fd, int result) {
  int error = errno;
  if (fd >= 0)
    close(fd);
  errno = error;
  return result;
}

/* ── records ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static int flush(void) {
  if (walk.used == 0)
    return 0;
  walk.records[walk.used] = 0;
  int result = send_piece(walk.task->conn, walk.task->step, (struct span){walk.records, walk.used});
  walk.used = 0;
  return result;
}

/* Where a record's `size` bytes of fields go; NULL when the reader is gone. */
static uint8_t *begin_record(uint8_t kind, size_t size) {
  if (walk.used + 5 + size > RECORDS_MAX && flush() < 0)
    return NULL;
  uint8_t *at = walk.records + walk.used;
  uint32_t length = (uint32_t)(1 + size);
  memcpy(at, &length, sizeof length);
  at[4] = kind;
  walk.used += 5 + size;
  return at + 5;
}

static uint8_t *put(uint8_t *at, const void *value, size_t size) {
  memcpy(at, value, size);
  return at + size;
}

static uint8_t *put_u32(uint8_t *at, uint32_t value) { return put(at, &value, sizeof value); }
static uint8_t *put_u64(uint8_t *at, uint64_t value) { return put(at, &value, sizeof value); }

static uint8_t *put_text(uint8_t *at, const char *text, size_t size) {
  uint16_t length = (uint16_t)size;
  return put(put(at, &length, sizeof length), text, size);
}

struct text { const char *at; size_t size; };

static int put_entry(const struct statx *stat, uint8_t flags, struct text path, struct text link, struct text target) {
  uint64_t mtime = (uint64_t)(stat->stx_mtime.tv_sec * 1000000000 + stat->stx_mtime.tv_nsec);
  uint8_t *at = begin_record(R_ENTRY, 8 * 4 + 3 * 8 + 1 + 3 * 2 + path.size + link.size + target.size);
  if (at == NULL)
    return -1;
  at = put_u32(at, stat->stx_mode);
  at = put_u32(at, stat->stx_uid);
  at = put_u32(at, stat->stx_gid);
  at = put_u32(at, stat->stx_nlink);
  at = put_u32(at, stat->stx_dev_major);
  at = put_u32(at, stat->stx_dev_minor);
  at = put_u32(at, stat->stx_rdev_major);
  at = put_u32(at, stat->stx_rdev_minor);
  at = put_u64(at, stat->stx_size);
  at = put_u64(at, mtime);
  at = put_u64(at, stat->stx_ino);
  *at++ = flags;
  at = put_text(at, path.at, path.size);
  at = put_text(at, link.at, link.size);
  put_text(at, target.at, target.size);
  return 0;
}

/* ── one inode ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static int open_path(int directory, const char *name) {
  return openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int look(int fd, struct statx *stat) {
  return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, stat);
}

/* Another descriptor of the same inode, whatever has become of its name. */
static int open_again(int fd, int flags) {
  char link[32];
  snprintf(link, sizeof link, "self/fd/%d", fd);
  return openat(walk.proc, link, flags | O_CLOEXEC | O_NOCTTY);
}

static bool is_kind(const struct statx *stat, mode_t kind) { return (stat->stx_mode & S_IFMT) == kind; }

static bool is_whiteout(const struct statx *stat) {
  return is_kind(stat, S_IFCHR) && stat->stx_rdev_major == 0 && stat->stx_rdev_minor == 0;
}

/* overlayfs's own marks are not the file's. */
static bool is_own_mark(const char *name) { return strncmp(name, "trusted.overlay.", 16) == 0; }

/* The names of an inode's attributes, each with its NUL; 0 where its file system has none. The working directory is our
 * procfs: these calls take paths alone. */
static ssize_t list_xattrs(int fd, char names[XATTRS_MAX]) {
  char link[32];
  snprintf(link, sizeof link, "self/fd/%d", fd);
  ssize_t size = listxattr(link, names, XATTRS_MAX);
  return size < 0 && (errno == EOPNOTSUPP || errno == ENOSYS) ? 0 : size;
}

static ssize_t get_xattr(int fd, const char *name, void *value, size_t size) {
  char link[32];
  snprintf(link, sizeof link, "self/fd/%d", fd);
  return getxattr(link, name, value, size);
}

static int put_xattrs(int fd) {
  static char names[XATTRS_MAX];
  static uint8_t value[XATTRS_MAX];
  ssize_t size = list_xattrs(fd, names);
  if (size < 0)
    return -1;
  for (char *name = names; name < names + size; name += strlen(name) + 1) {
    if (is_own_mark(name))
      continue;
    ssize_t length = get_xattr(fd, name, value, sizeof value);
    if (length < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
      continue; /* taken away meanwhile, or computed by a security module that is not there */
    uint8_t *at = length < 0 ? NULL : begin_record(R_XATTR, 2 + strlen(name) + (size_t)length);
    if (at == NULL)
      return -1;
    put(put_text(at, name, strlen(name)), value, (size_t)length);
  }
  return 0;
}

static bool is_opaque(int fd) {
  char value;
  return get_xattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

/* ── content ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* At most `size` bytes from `offset`, into records. A file that has become shorter ends early. */
static int put_content(int fd, uint64_t offset, uint64_t size) {
  while (size > 0) {
    size_t wanted = size < PIECE_MAX ? (size_t)size : PIECE_MAX;
    uint8_t *at = begin_record(R_DATA, 8 + wanted);
    if (at == NULL)
      return -1;
    ssize_t got = pread(fd, at + 8, wanted, (off_t)offset);
    if (got < 0 && errno != EINTR)
      return -1;
    got = got < 0 ? 0 : got;
    put_u64(at, offset);
    uint32_t length = (uint32_t)(1 + 8 + got);
    memcpy(at - 5, &length, sizeof length);
    walk.used -= wanted - (size_t)got;
    offset += (uint64_t)got;
    size -= (uint64_t)got;
    if (got == 0)
      return 0;
  }
  return 0;
}

struct extent { uint64_t offset, size; };

/* Where content is. The last extent of too many takes the rest of the file. */
static ssize_t find_extents(int fd, uint64_t size, struct extent extents[EXTENTS_MAX]) {
  size_t count = 0;
  off_t at = 0;
  while ((uint64_t)at < size && count < EXTENTS_MAX) {
    off_t start = lseek(fd, at, SEEK_DATA);
    if (start < 0)
      return errno == ENXIO ? (ssize_t)count : -1; /* nothing but a hole is left */
    off_t end = lseek(fd, start, SEEK_HOLE);
    if (end < 0)
      return -1;
    if ((uint64_t)start >= size)
      break;
    uint64_t until = (uint64_t)end < size && count + 1 < EXTENTS_MAX ? (uint64_t)end : size;
    extents[count++] = (struct extent){(uint64_t)start, until - (uint64_t)start};
    at = (off_t)until;
  }
  return (ssize_t)count;
}

static int put_sparse(int fd, uint64_t size) {
  static struct extent extents[EXTENTS_MAX];
  ssize_t count = find_extents(fd, size, extents);
  for (ssize_t i = 0; i < count; i++) {
    uint8_t *at = begin_record(R_EXTENT, 16);
    if (at == NULL)
      return -1;
    put_u64(put_u64(at, extents[i].offset), extents[i].size);
  }
  for (ssize_t i = 0; i < count; i++)
    if (put_content(fd, extents[i].offset, extents[i].size) < 0)
      return -1;
  return count < 0 ? -1 : 0;
}

static int put_file(int fd, const struct statx *stat) {
  int file = open_again(fd, O_RDONLY);
  if (file < 0)
    return -1;
  uint64_t stored = stat->stx_blocks * 512;
  bool sparse = walk.sparse_min > 0 && stored < stat->stx_size && stat->stx_size - stored >= walk.sparse_min;
  int result = sparse ? put_sparse(file, stat->stx_size) : put_content(file, 0, stat->stx_size);
  if (result == 0 && begin_record(R_FILE_END, sizeof(uint8_t)) == NULL)
    result = -1;
  else if (result == 0)
    walk.records[walk.used - 1] = sparse;
  return close_after(file, result);
}

/* ── comparing with what is below ──────────────────────────────────────────────────────────────────────────────── */

static bool same_metadata(const struct statx *a, const struct statx *b) {
  return a->stx_mode == b->stx_mode && a->stx_uid == b->stx_uid && a->stx_gid == b->stx_gid &&
         a->stx_rdev_major == b->stx_rdev_major && a->stx_rdev_minor == b->stx_rdev_minor &&
         (is_kind(a, S_IFDIR) || a->stx_size == b->stx_size);
}

static bool same_time(const struct statx *a, const struct statx *b) {
  return a->stx_mtime.tv_sec == b->stx_mtime.tv_sec && a->stx_mtime.tv_nsec == b->stx_mtime.tv_nsec;
}

static bool same_link(int a, int b) {
  static char text[2][PATH_MAX];
  ssize_t size = readlinkat(a, "", text[0], sizeof text[0]);
  return size >= 0 && size == readlinkat(b, "", text[1], sizeof text[1]) && memcmp(text[0], text[1], (size_t)size) == 0;
}

/* Whether b has each of a's attributes with the same value. */
static bool has_xattrs_of(int a, int b) {
  static char names[XATTRS_MAX];
  static uint8_t value[2][XATTRS_MAX];
  ssize_t size = list_xattrs(a, names);
  if (size < 0)
    return false;
  for (char *name = names; name < names + size; name += strlen(name) + 1) {
    if (is_own_mark(name))
      continue;
    ssize_t length = get_xattr(a, name, value[0], XATTRS_MAX);
    if (length < 0 || get_xattr(b, name, value[1], XATTRS_MAX) != length ||
        memcmp(value[0], value[1], (size_t)length) != 0)
      return false;
  }
  return true;
}

static bool same_bytes(int a, int b) {
  static uint8_t piece[2][PIECE_MAX];
  for (off_t offset = 0;;) {
    ssize_t got = pread(a, piece[0], PIECE_MAX, offset);
    if (got < 0 || pread(b, piece[1], PIECE_MAX, offset) != got || memcmp(piece[0], piece[1], (size_t)got) != 0)
      return false;
    if (got == 0)
      return true;
    offset += got;
  }
}

static bool same_content(int a, int b) {
  int mine = open_again(a, O_RDONLY);
  int other = open_again(b, O_RDONLY);
  bool same = mine >= 0 && other >= 0 && same_bytes(mine, other);
  close_after(mine, 0);
  close_after(other, 0);
  return same;
}

/* Not changed, its time aside: a file that was copied up for nothing, a directory in which something changed. */
static bool is_same(int fd, const struct statx *stat, int other, const struct statx *before) {
  if (!same_metadata(stat, before) || !has_xattrs_of(fd, other) || !has_xattrs_of(other, fd))
    return false;
  if (is_kind(stat, S_IFLNK))
    return same_link(fd, other);
  return !is_kind(stat, S_IFREG) || (same_time(stat, before) && same_content(fd, other));
}

/* ── the walk ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A directory under way: its descriptor, and the one below of the same name, -1 when there is none. */
struct level { int fd, below; bool opaque; int depth; };

static int walk_directory(struct level level);

/* Whether the mount whose top the entry is may be looked into: it is one of `enter`, or lies in one. */
static bool may_enter(void) {
  for (char **path = walk.enter; *path != NULL; path++) {
    size_t size = strlen(*path);
    if (strncmp(walk.place, *path, size) == 0 && (walk.place[size] == 0 || walk.place[size] == '/'))
      return true;
  }
  return false;
}

/* What the kernel shows of itself is no file system to copy: files without end, and files whose reading does something. */
static bool shows_kernel(int fd) {
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

static int put_here(int fd, const struct statx *stat, uint8_t flags) {
  char link[PATH_MAX];
  ssize_t size = is_kind(stat, S_IFLNK) ? readlinkat(fd, "", link, sizeof link) : 0;
  const char *path = walk.place + walk.base;
  path += *path == '/' ? 1 : 0;
  struct text none = {"", 0};
  return size < 0 ? -1 : put_entry(stat, flags, (struct text){path, strlen(path)}, (struct text){link, (size_t)size}, none);
}

/* One entry, and what is in it. fd, below: O_PATH, closed by the caller; below -1 when there is nothing. */
static int walk_entry(int fd, int below, struct level level) {
  struct statx stat, before;
  if (look(fd, &stat) < 0 || POINT("tree.entry") < 0)
    return -1;
  bool compares = (walk.flags & WALK_COMPARE) != 0;
  bool mount = level.depth > 0 && (stat.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  bool stays_out = mount && (!may_enter() || shows_kernel(fd));
  bool directory = is_kind(&stat, S_IFDIR);
  bool opaque = compares && directory && is_opaque(fd);
  bool known = below >= 0 && look(below, &before) == 0;
  bool touched = known && !is_whiteout(&stat) && !opaque && is_same(fd, &stat, below, &before);
  bool same = touched && same_time(&stat, &before);
  int flags = (stays_out ? E_MOUNT : 0) | (compares && is_whiteout(&stat) ? E_WHITEOUT : 0) | (opaque ? E_OPAQUE : 0) |
              (known ? E_BELOW : 0) | (same ? E_SAME : touched ? E_TOUCHED : 0);
  if (put_here(fd, &stat, (uint8_t)flags) < 0 || put_xattrs(fd) < 0)
    return -1;
  if (is_kind(&stat, S_IFREG) && !stays_out && (walk.flags & WALK_CONTENT) != 0 && (!same || level.opaque))
    return put_file(fd, &stat);
  if (!directory || stays_out)
    return 0;
  if (level.depth >= DEPTH_MAX)
    return fail(walk.task, ELOOP, "%.200s: over %d directories deep", walk.place, DEPTH_MAX);
  struct level next = {openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), -1, level.opaque || opaque, level.depth + 1};
  if (next.fd < 0)
    return -1;
  if (known && is_kind(&before, S_IFDIR))
    next.below = openat(below, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return walk_directory(next);
}

/* What is below alone: an opaque directory hides it, or it was removed from a copy. */
static int put_hidden(struct level level) {
  struct dirent *entry;
  struct statx stat;
  int copy = openat(level.below, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *list = copy < 0 ? NULL : fdopendir(copy);
  if (list == NULL)
    return close_after(copy, -1);
  int result = 0;
  size_t length = strlen(walk.place);
  while (result == 0 && (entry = readdir(list)) != NULL) {
    bool dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (dots || faccessat(level.fd, entry->d_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
      continue;
    int fd = open_path(level.below, entry->d_name);
    if (fd >= 0 && look(fd, &stat) == 0 && length + strlen(entry->d_name) + 2 < sizeof walk.place) {
      snprintf(walk.place + length, sizeof walk.place - length, "/%s", entry->d_name);
      result = put_here(fd, &stat, E_HIDDEN);
      walk.place[length] = 0;
    }
    close_after(fd, 0);
  }
  closedir(list);
  return result;
}

static int walk_name(const char *name, struct level level) {
  size_t length = strlen(walk.place);
  if (length - walk.base + strlen(name) + 2 > PATH_MAX)
    return fail(walk.task, ENAMETOOLONG, "%.200s", walk.place);
  int fd = open_path(level.fd, name);
  if (fd < 0)
    return errno == ENOENT ? 0 : fail(walk.task, errno, "%.200s/%.100s", walk.place, name); /* gone meanwhile */
  snprintf(walk.place + length, sizeof walk.place - length, "/%s", name);
  int below = level.below < 0 ? -1 : open_path(level.below, name);
  int result = walk_entry(fd, below, level);
  if (result < 0 && walk.task->detail[0] == 0)
    fail(walk.task, errno, "%.200s", walk.place);
  walk.place[length] = 0;
  return close_after(fd, close_after(below, result));
}

/* Takes the level's descriptors. */
static int walk_directory(struct level level) {
  struct dirent *entry;
  int result = 0;
  DIR *list = fdopendir(level.fd);
  if (list == NULL)
    return close_after(level.fd, close_after(level.below, -1));
  while (result == 0 && (errno = 0, entry = readdir(list)) != NULL)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      result = walk_name(entry->d_name, level);
  if (result == 0 && errno != 0)
    result = -1;
  if (result == 0 && (level.opaque || (walk.flags & WALK_WHOLE) != 0) && level.below >= 0)
    result = put_hidden(level);
  int error = errno;
  closedir(list);
  errno = error;
  return close_after(level.below, result);
}

/* ── the steps ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* A procfs for descriptors, as working directory too: after a plan's other steps, which take absolute paths. */
static int prepare(struct task *task) {
  struct rlimit files;
  walk.task = task;
  walk.used = 0;
  walk.proc = private_proc(task);
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) { /* two for each directory on the way */
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  return walk.proc < 0 ? -1 : fchdir(walk.proc);
}

/* The entry that a path names: links on the way are followed inside the root, the last one only where that is asked. */
static int open_start(struct task *task, const char *path, bool follow) {
  char parent[PATH_MAX];
  const char *slash = strrchr(path, '/');
  if (follow || slash == NULL || slash[1] == 0)
    return root_open(task, path, O_PATH);
  size_t size = (size_t)(slash - path);
  if (size >= sizeof parent)
    return fail(task, ENAMETOOLONG, "%.200s", path);
  memcpy(parent, path, size);
  parent[size] = 0;
  int directory = root_open(task, size == 0 ? "/" : parent, O_PATH | O_DIRECTORY);
  return directory < 0 ? -1 : close_after(directory, open_path(directory, slash + 1));
}

/* Where a descriptor's file is below the root; 0 when that has no name. */
static size_t place_of(struct task *task, int fd, char place[PATH_MAX]) {
  char link[32], root[PATH_MAX], full[PATH_MAX];
  snprintf(link, sizeof link, "self/fd/%d", fd);
  ssize_t size = readlinkat(walk.proc, link, full, sizeof full);
  snprintf(link, sizeof link, "self/fd/%d", task->root);
  ssize_t above = readlinkat(walk.proc, link, root, sizeof root);
  if (size <= 0 || above <= 0 || full[0] != '/')
    return 0;
  above = above == 1 ? 0 : above; /* "/" */
  if (size < above || memcmp(full, root, (size_t)above) != 0)
    return 0;
  size_t length = (size_t)(size - above);
  memcpy(place, full + above, length);
  if (length == 0)
    place[length++] = '/';
  return length;
}

/* path, follow: 1 = the last link too. One entry record: its link's text, and where that leads to in the end. */
int step_tree_stat(struct task *task, union argument *arg) {
  static char link[PATH_MAX], target[PATH_MAX];
  struct statx stat;
  if (prepare(task) < 0)
    return -1;
  int fd = open_start(task, arg[0].s, arg[1].n != 0);
  if (fd < 0 || look(fd, &stat) < 0)
    return close_after(fd, fail(task, errno, "%.200s", arg[0].s));
  ssize_t size = 0;
  size_t place = 0;
  if (is_kind(&stat, S_IFLNK)) {
    size = readlinkat(fd, "", link, sizeof link);
    int end = root_open(task, arg[0].s, O_PATH);
    place = end < 0 ? 0 : place_of(task, end, target);
    close_after(end, 0);
  } else {
    place = place_of(task, fd, target);
  }
  task->detail[0] = 0;
  close(fd);
  struct text none = {"", 0}, text = {link, size < 0 ? 0 : (size_t)size};
  return put_entry(&stat, 0, none, text, (struct text){target, place}) < 0 ? -1 : flush();
}

/* path: a host directory that the next walk compares with, name by name. */
int step_tree_below(struct task *task, union argument *arg) {
  if (walk.below >= 0)
    close(walk.below);
  walk.below = open(arg[0].s, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return walk.below < 0 ? fail(task, errno, "%s", arg[0].s) : 0;
}

/* path, follow, flags: 1 content, 2 compare with `tree-below`, 4 what is below alone is told too; sparse: from how many bytes of holes on a file's extents are
 * told (0 never); enter: mounts that may be entered. */
int step_tree_walk(struct task *task, union argument *arg) {
  if (prepare(task) < 0)
    return -1;
  if (strlen(arg[0].s) >= PATH_MAX)
    return fail(task, ENAMETOOLONG, "%.200s", arg[0].s);
  int fd = open_start(task, arg[0].s, arg[1].n != 0);
  if (fd < 0)
    return fail(task, errno, "%.200s", arg[0].s);
  walk.flags = arg[2].n;
  walk.sparse_min = arg[3].n;
  walk.enter = arg[4].l.at;
  snprintf(walk.place, sizeof walk.place, "%s", strcmp(arg[0].s, "/") == 0 ? "" : arg[0].s);
  walk.base = strlen(walk.place);
  int below = (walk.flags & WALK_COMPARE) == 0 || walk.below < 0 ? -1 : openat(walk.below, ".", O_PATH | O_CLOEXEC);
  int result = walk_entry(fd, below, (struct level){-1, -1, false, 0});
  close_after(below, 0);
  if (result == 0 && (begin_record(R_WALK_END, 0) == NULL || flush() < 0))
    result = -1;
  return close_after(fd, result);
}
