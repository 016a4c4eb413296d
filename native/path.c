/* Resolves paths below the new root. The tree is hostile: no link is ever followed out of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "orlop.h"
#include "steps.h"

enum { LINKS_MAX = 40 /* as the kernel */ };

/* Kernels before 5.6 have none, nor do some sandboxes that we may run in; a test build can pretend so. */
static bool lacks_openat2(void) {
#ifdef ORLOP_POINTS
  return getenv("ORLOP_NO_OPENAT2") != NULL;
#else
  return false;
#endif
}

static int openat2_below(int root, const char *path, int flags) {
  if (lacks_openat2()) {
    errno = ENOSYS;
    return -1;
  }
  struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  int fd;
  do /* EAGAIN: a concurrent rename, so that the kernel could not check ".." */
    fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
  while (fd < 0 && errno == EAGAIN);
  return fd;
}

/* ── the walk in user space: where openat2 is missing, and where missing components are to be made ─────────────── */

/* done: the components resolved so far, without links and dots; rest: what is still to be resolved. */
struct walk { int root, here, links; char done[PATH_MAX], rest[PATH_MAX]; };

/* What a missing component is created as; type 0: it is not created. */
struct making { mode_t type, mode; };

static void move_to(struct walk *walk, int here) {
  if (walk->here >= 0)
    close(walk->here);
  walk->here = here;
}

static int open_component(int directory, const char *name) {
  return openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* Opens `done` again from the root. So going up a level never uses "..", which a concurrent rename could turn into an escape. */
static int reopen_done(struct walk *walk) {
  char done[PATH_MAX], *save = NULL;
  memcpy(done, walk->done, sizeof done);
  move_to(walk, fcntl(walk->root, F_DUPFD_CLOEXEC, 0));
  for (char *name = strtok_r(done, "/", &save); name != NULL && walk->here >= 0; name = strtok_r(NULL, "/", &save))
    move_to(walk, open_component(walk->here, name));
  return walk->here < 0 ? -1 : 0;
}

/* Splits the first component off `rest`; false when there is none. */
static bool next_component(struct walk *walk, char name[NAME_MAX + 1], bool *last) {
  char *start = walk->rest + strspn(walk->rest, "/");
  size_t size = strcspn(start, "/");
  if (size == 0 || size > NAME_MAX)
    return false;
  memcpy(name, start, size);
  name[size] = 0;
  char *after = start + size + strspn(start + size, "/");
  *last = *after == 0;
  memmove(walk->rest, after, strlen(after) + 1);
  return true;
}

/* Puts the link's text in place of the component. */
static int follow(struct walk *walk, int link) {
  char text[PATH_MAX], rest[PATH_MAX];
  ssize_t size = readlinkat(link, "", text, sizeof text - 1);
  if (size < 0)
    return -1;
  text[size] = 0;
  if (++walk->links > LINKS_MAX) {
    errno = ELOOP;
    return -1;
  }
  if (snprintf(rest, sizeof rest, "%s/%s", text, walk->rest) >= (int)sizeof rest) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(walk->rest, rest, sizeof rest);
  if (text[0] != '/')
    return 0;
  walk->done[0] = 0;
  return reopen_done(walk);
}

static int make_component(int directory, const char *name, struct making making) {
  int made = making.type == S_IFDIR ? mkdirat(directory, name, making.mode)
                                    : mknodat(directory, name, S_IFREG | making.mode, 0);
  if (made < 0 && errno != EEXIST)
    return -1;
  return open_component(directory, name);
}

/* Goes one component further: into a directory, or to the end. */
static int advance(struct walk *walk, const char *name, bool last, struct making making) {
  struct stat stat;
  int fd = open_component(walk->here, name);
  if (fd < 0 && errno == ENOENT && making.type != 0)
    fd = make_component(walk->here, name, last ? making : (struct making){S_IFDIR, 0755});
  if (fd < 0)
    return -1;
  if (fstat(fd, &stat) < 0) {
    close(fd);
    return -1;
  }
  if (S_ISLNK(stat.st_mode)) {
    int followed = follow(walk, fd);
    close(fd);
    return followed;
  }
  size_t used = strlen(walk->done);
  if ((!last && !S_ISDIR(stat.st_mode)) || used + strlen(name) + 2 > sizeof walk->done) {
    close(fd);
    errno = last ? ENAMETOOLONG : ENOTDIR;
    return -1;
  }
  walk->done[used] = '/';
  memcpy(walk->done + used + 1, name, strlen(name) + 1);
  move_to(walk, fd);
  return 0;
}

static int go_up(struct walk *walk) {
  char *slash = strrchr(walk->done, '/');
  if (slash != NULL)
    *slash = 0;
  return reopen_done(walk);
}

/* An O_PATH descriptor of what `path` is below root. The caller closes it. */
static int walk_below(int root, const char *path, struct making making) {
  static struct walk walk; /* 8 KiB: too much for the stack */
  char name[NAME_MAX + 1];
  bool last;
  if (strlen(path) >= sizeof walk.rest) {
    errno = ENAMETOOLONG;
    return -1;
  }
  walk = (struct walk){.root = root, .here = -1};
  memcpy(walk.rest, path, strlen(path) + 1);
  int result = reopen_done(&walk);
  while (result == 0 && next_component(&walk, name, &last)) {
    if (strcmp(name, ".") == 0)
      continue;
    result = strcmp(name, "..") == 0 ? go_up(&walk) : advance(&walk, name, last, making);
  }
  if (result == 0 && walk.rest[strspn(walk.rest, "/")] != 0) {
    errno = ENAMETOOLONG; /* next_component refused a name over NAME_MAX */
    result = -1;
  }
  if (result == 0)
    return walk.here;
  int error = errno;
  move_to(&walk, -1);
  errno = error;
  return -1;
}

/* ── what the steps call ────────────────────────────────────────────────────────────────────────────────────────────── */

static int open_by_walk(struct task *task, const char *path, int flags) {
  int fd = walk_below(task->root, path, (struct making){0, 0});
  if (fd < 0 || (flags & O_PATH) != 0)
    return fd;
  int opened = reopen(task, fd, flags);
  return close_after(fd, opened);
}

int root_open(struct task *task, const char *path, int flags) {
  if (task->root < 0)
    return fail(task, EBADF, "no root: before `root` or after `pivot`");
  int fd = openat2_below(task->root, path, flags);
  if (fd < 0 && (errno == ENOSYS || errno == EPERM)) /* EPERM: the seccomp filter of an older container engine that we run in */
    fd = open_by_walk(task, path, flags);
  return fd;
}

/* The common case of a missing path: only its last component is missing, and three calls replace the walk. -1: not that case. */
static int make_last(struct task *task, const char *path, struct making making) {
  char parent_path[PATH_MAX];
  struct stat stat;
  const char *slash = strrchr(path, '/');
  const char *name = slash == NULL ? path : slash + 1;
  size_t size = (size_t)(name - path);
  if (name[0] == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || size >= sizeof parent_path)
    return -1;
  memcpy(parent_path, path, size);
  parent_path[size] = 0;
  int parent = root_open(task, size == 0 ? "/" : parent_path, O_PATH | O_DIRECTORY);
  if (parent < 0)
    return -1;
  int fd = make_component(parent, name, making);
  close(parent);
  if (fd >= 0 && (fstat(fd, &stat) < 0 || S_ISLNK(stat.st_mode))) { /* a dangling link: left to the walk */
    close(fd);
    return -1;
  }
  return fd;
}

int open_below(int directory, const char *path) {
  int fd = openat2_below(directory, path, O_PATH);
  if (fd < 0 && (errno == ENOSYS || errno == EPERM))
    fd = walk_below(directory, path, (struct making){0, 0});
  return fd;
}

int root_make(struct task *task, const char *path, mode_t type, mode_t mode) {
  struct making making = {type, mode};
  int fd = root_open(task, path, O_PATH);
  if (fd >= 0 || errno != ENOENT || task->root < 0)
    return fd;
  fd = make_last(task, path, making);
  return fd >= 0 ? fd : walk_below(task->root, path, making);
}

int root_parent(struct task *task, const char *path, char name[256]) {
  char parent[PATH_MAX];
  size_t size = strlen(path);
  while (size > 0 && path[size - 1] == '/')
    size--;
  size_t start = size;
  while (start > 0 && path[start - 1] != '/')
    start--;
  size_t length = size - start;
  if (length == 0 || length > NAME_MAX || start >= sizeof parent ||
      (path[start] == '.' && (length == 1 || (length == 2 && path[start + 1] == '.'))))
    return fail(task, EINVAL, "%.200s has no last name", path);
  memcpy(name, path + start, length);
  name[length] = 0;
  memcpy(parent, path, start);
  parent[start] = 0;
  return root_make(task, start == 0 ? "/" : parent, S_IFDIR, 0755);
}

/* ── a procfs of our own ───────────────────────────────────────────────────────────────────────────────────────── */

/* Where mounting a procfs is refused (a user namespace whose /proc is masked): the mount at /proc, if it is a procfs's root. */
static int found_proc(void) {
  struct statfs fs;
  struct stat stat;
  int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return -1;
  if (fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC && fstat(fd, &stat) == 0 && stat.st_ino == 1)
    return fd;
  close(fd);
  errno = ENODEV;
  return -1;
}

int private_proc(struct task *task) {
  char *options[] = {NULL};
  if (task->proc >= 0)
    return task->proc;
  task->proc = make_mount(task, "proc", "proc", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, options);
  if (task->proc < 0 && task->root >= 0) /* before pivot: /proc is the host's, not the image's */
    task->proc = found_proc();
  if (task->proc >= 0)
    task->detail[0] = 0;
  return task->proc;
}

int reopen(struct task *task, int fd, int flags) {
  char link[64];
  int proc = private_proc(task);
  if (proc < 0)
    return -1;
  snprintf(link, sizeof link, "self/fd/%d", fd);
  return openat(proc, link, flags | O_CLOEXEC);
}
