/* `tree-*`: reads a tree below the root that `root` opened, with all that an archive needs. No link is followed on the way, and a
 * mount is entered only where the plan allows it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "steps.h"
#include "tree.h"

enum { DEPTH_MAX = 1024 };

enum { WALK_CONTENT = 1, WALK_COMPARE = 2, WALK_WHOLE = 4 };

static struct {
  struct task *task;
  int below;                     /* the directory that the walk compares with; -1: none */
  uint64_t flags, sparse_min;
  char **enter;
  size_t base;                   /* length of the start's own path in `place` */
  char place[2 * PATH_MAX];      /* the path of the entry as the container sees it */
} walk = {.below = -1};

/* ── the walk ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* An open directory of the walk. below: the directory of the same path in the tree that is compared with; -1: none. */
struct level { int fd, below; bool opaque; int depth; };

static int walk_directory(struct level level);

/* Whether the mount point that the walk is at may be entered: it is one of `enter`, or below one. */
static bool may_enter(void) {
  for (char **path = walk.enter; *path != NULL; path++) {
    size_t size = strlen(*path);
    if (strncmp(walk.place, *path, size) == 0 && (walk.place[size] == 0 || walk.place[size] == '/'))
      return true;
  }
  return false;
}

static int put_here(int fd, const struct statx *stat, uint8_t flags) {
  char link[PATH_MAX];
  ssize_t size = inode_is(stat, S_IFLNK) ? readlinkat(fd, "", link, sizeof link) : 0;
  const char *path = walk.place + walk.base;
  path += *path == '/' ? 1 : 0;
  struct text none = {"", 0};
  return size < 0 ? -1 : put_entry(stat, flags, (struct text){path, strlen(path)}, (struct text){link, (size_t)size}, none);
}

/* Writes the records of one entry and of everything in it. fd, below: O_PATH, closed by the caller; below -1: nothing to compare. */
static int walk_entry(int fd, int below, struct level level) {
  struct statx stat, before;
  if (inode_look(fd, &stat) < 0 || POINT("tree.entry") < 0)
    return -1;
  bool compares = (walk.flags & WALK_COMPARE) != 0;
  bool mount = level.depth > 0 && (stat.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  bool stays_out = mount && (!may_enter() || inode_shows_kernel(fd));
  bool directory = inode_is(&stat, S_IFDIR);
  bool opaque = compares && directory && inode_is_opaque(fd);
  bool known = below >= 0 && inode_look(below, &before) == 0;
  bool touched = known && !inode_is_whiteout(&stat) && !opaque && inode_is_same(fd, &stat, below, &before);
  bool same = touched && inode_same_time(&stat, &before);
  int flags = (stays_out ? E_MOUNT : 0) | (compares && inode_is_whiteout(&stat) ? E_WHITEOUT : 0) | (opaque ? E_OPAQUE : 0) |
              (known ? E_BELOW : 0) | (same ? E_SAME : touched ? E_TOUCHED : 0);
  if (put_here(fd, &stat, (uint8_t)flags) < 0 || put_xattrs(fd) < 0)
    return -1;
  if (inode_is(&stat, S_IFREG) && !stays_out && (walk.flags & WALK_CONTENT) != 0 && (!same || level.opaque))
    return put_file(fd, &stat, walk.sparse_min);
  if (!directory || stays_out)
    return 0;
  if (level.depth >= DEPTH_MAX)
    return fail(walk.task, ELOOP, "%.200s: over %d directories deep", walk.place, DEPTH_MAX);
  struct level next = {openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), -1, level.opaque || opaque, level.depth + 1};
  if (next.fd < 0)
    return -1;
  if (known && inode_is(&before, S_IFDIR))
    next.below = openat(below, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return walk_directory(next);
}

/* Writes entries that only the compared tree has: an opaque directory hides them, or they were removed from a copy. */
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
    int fd = inode_open(level.below, entry->d_name);
    if (fd >= 0 && inode_look(fd, &stat) == 0 && length + strlen(entry->d_name) + 2 < sizeof walk.place) {
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
  int fd = inode_open(level.fd, name);
  if (fd < 0)
    return errno == ENOENT ? 0 : fail(walk.task, errno, "%.200s/%.100s", walk.place, name); /* removed meanwhile */
  snprintf(walk.place + length, sizeof walk.place - length, "/%s", name);
  int below = level.below < 0 ? -1 : inode_open(level.below, name);
  int result = walk_entry(fd, below, level);
  if (result < 0 && walk.task->detail[0] == 0)
    fail(walk.task, errno, "%.200s", walk.place);
  walk.place[length] = 0;
  return close_after(fd, close_after(below, result));
}

/* Closes the level's descriptors. */
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

static int prepare(struct task *task) {
  walk.task = task;
  records_begin(task);
  return inode_begin(task);
}

/* Opens the entry at a path: links on the way are followed inside the root, the last component only with `follow`. */
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
  return directory < 0 ? -1 : close_after(directory, inode_open(directory, slash + 1));
}

/* The path of a descriptor's file below the root; returns its length, 0 when it has none. */
static size_t place_of(struct task *task, int fd, char place[PATH_MAX]) {
  char root[PATH_MAX], full[PATH_MAX];
  ssize_t size = inode_path(fd, full);
  ssize_t above = inode_path(task->root, root);
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

/* path; follow: 1 = the last component too. One entry record, with the link's text and the place where it finally leads. */
int step_tree_stat(struct task *task, union argument *arg) {
  static char link[PATH_MAX], target[PATH_MAX];
  struct statx stat;
  if (prepare(task) < 0)
    return -1;
  int fd = open_start(task, arg[0].s, arg[1].n != 0);
  if (fd < 0 || inode_look(fd, &stat) < 0)
    return close_after(fd, fail(task, errno, "%.200s", arg[0].s));
  ssize_t size = 0;
  size_t place = 0;
  if (inode_is(&stat, S_IFLNK)) {
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
  return put_entry(&stat, 0, none, text, (struct text){target, place}) < 0 ? -1 : records_flush();
}

/* path: a host directory that the next walk compares with, by name. */
int step_tree_below(struct task *task, union argument *arg) {
  if (walk.below >= 0)
    close(walk.below);
  walk.below = open(arg[0].s, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return walk.below < 0 ? fail(task, errno, "%s", arg[0].s) : 0;
}

/* path, follow; flags: 1 content, 2 compare with `tree-below`, 4 also entries that only that tree has; sparse: a file with at least so
 * many bytes of holes is sent as extents (0: never); enter: mount points that may be entered. */
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
  return close_after(fd, result == 0 ? put_walk_end() : -1);
}
