/* `root-*`: the new root's mounts and files, before pivot. Paths are the container's, resolved by path.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "steps.h"

static bool is_missing(int error) { return error == ENOENT || error == ENOTDIR; }

/* Where procfs or sysfs is mounted: never where a link of the image at /proc or /sys leads, because the paths that are masked later
 * would lead elsewhere (CVE-2019-19921, CVE-2023-27561). */
static int kernel_place(struct task *task, const char *path) {
  char name[NAME_MAX + 1];
  int parent = root_parent(task, path, name);
  if (parent < 0)
    return -1;
  if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
    return close_after(parent, fail(task, errno, "%s", path));
  int place = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (place < 0)
    return close_after(parent, fail(task, errno, "%s is not a directory of its own", path));
  return close_after(parent, place);
}

static bool is_kernels(const char *fstype) { return strcmp(fstype, "proc") == 0 || strcmp(fstype, "sysfs") == 0; }

/* Refuses a mount inside a procfs unless its path begins with /proc/: a link of the image must not lead a mount over masked paths
 * (CVE-2019-19921). */
static int onto_place(struct task *task, int onto, const char *path) {
  struct statfs fs;
  if (fstatfs(onto, &fs) < 0)
    return -1;
  if (fs.f_type == PROC_SUPER_MAGIC && strncmp(path, "/proc/", 6) != 0)
    return fail(task, EPERM, "%s leads into /proc", path);
  return 0;
}

/* fstype, source, target, attributes: MOUNT_ATTR_*, options. */
int step_root_mount(struct task *task, union argument *arg) {
  int onto = is_kernels(arg[0].s) ? kernel_place(task, arg[2].s) : root_make(task, arg[2].s, S_IFDIR, 0755);
  if (onto < 0)
    return -1;
  if (onto_place(task, onto, arg[2].s) < 0)
    return close_after(onto, -1);
  int mount = make_mount(task, arg[0].s, arg[1].s, arg[3].n, arg[4].l.at);
  if (mount < 0 || attach_mount(mount, onto) < 0)
    return close_after(mount, close_after(onto, -1));
  close(onto);
  /* a complete, writable procfs serves `sysctl` and `oom-score` as well: no second one is mounted for them */
  bool whole = strcmp(arg[0].s, "proc") == 0 && arg[4].l.count == 0 && (arg[3].n & MOUNT_ATTR_RDONLY) == 0;
  if (task->proc < 0 && whole)
    task->proc = mount;
  else
    close(mount);
  return 0;
}

/* source: host path of a mount that only this namespace has; moved with all mounts below it. target. */
int step_root_move(struct task *task, union argument *arg) {
  struct statfs fs;
  int source = open(arg[0].s, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (source < 0 || fstatfs(source, &fs) < 0)
    return close_after(source, fail(task, errno, "%s", arg[0].s));
  bool kernels = fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC;
  int onto = kernels ? kernel_place(task, arg[1].s) : root_make(task, arg[1].s, S_IFDIR, 0755);
  if (onto < 0)
    return close_after(source, -1);
  if (onto_place(task, onto, arg[1].s) < 0)
    return close_after(source, close_after(onto, -1));
  return close_after(source, close_after(onto, attach_mount(source, onto)));
}

/* Attaches a detached mount in the root, and closes it. */
static int bind_tree(struct task *task, int tree, const char *target) {
  struct stat stat;
  if (fstat(tree, &stat) < 0)
    return close_after(tree, -1);
  bool directory = S_ISDIR(stat.st_mode);
  int onto = root_make(task, target, directory ? S_IFDIR : S_IFREG, directory ? 0755 : 0644);
  if (onto < 0)
    return close_after(tree, fail(task, errno, "%s", target));
  int result = onto_place(task, onto, target);
  if (result == 0 && fstat(onto, &stat) == 0 && S_ISDIR(stat.st_mode) != directory) /* the kernel says only EINVAL */
    result = fail(task, directory ? ENOTDIR : EISDIR, "%s", target);
  if (result == 0)
    result = attach_mount(tree, onto) < 0 ? fail(task, errno, "%s", target) : 0;
  return close_after(tree, close_after(onto, result));
}

/* The next mount that `hold` copied, in order. */
static int take_held(struct task *task, struct copy how) {
  if (task->released == task->holding)
    return fail(task, EBADF, "nothing is held");
  int tree = task->held[task->released++];
  return adjust_mount(tree, how) < 0 ? close_after(tree, -1) : tree;
}

/* source: host path; target; flags, set, clear: as `bind`; propagation: MS_* or 0. */
int step_root_bind(struct task *task, union argument *arg) {
  struct copy how = {arg[2].n, arg[3].n, arg[4].n, arg[5].n};
  int tree = (how.flags & COPY_HELD) != 0 ? take_held(task, how) : copy_mount(AT_FDCWD, arg[0].s, how);
  return tree < 0 ? fail(task, errno, "%s", arg[0].s) : bind_tree(task, tree, arg[1].s);
}

/* source: host path; below: an untrusted path in it; the rest as `root-bind`. */
int step_root_bind_below(struct task *task, union argument *arg) {
  int source = open(arg[0].s, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (source < 0)
    return fail(task, errno, "%s", arg[0].s);
  int below = open_below(source, arg[1].s);
  if (below < 0)
    return close_after(source, fail(task, errno, "%s", arg[1].s));
  close(source);
  if (POINT("root-bind-below.opened") < 0)
    return close_after(below, -1);
  int tree = copy_mount(below, "", (struct copy){arg[3].n, arg[4].n, arg[5].n, arg[6].n});
  if (tree < 0)
    return close_after(below, fail(task, errno, "%s", arg[1].s));
  close(below);
  return bind_tree(task, tree, arg[2].s);
}

int step_root_mkdir(struct task *task, union argument *arg) {
  struct stat stat;
  int fd = root_make(task, arg[0].s, S_IFDIR, (mode_t)arg[1].n);
  if (fd < 0)
    return -1;
  if (fstat(fd, &stat) == 0 && !S_ISDIR(stat.st_mode)) {
    errno = ENOTDIR;
    return close_after(fd, -1);
  }
  close(fd);
  return 0;
}

/* The directory of the last node or link, kept open for the next: /dev has a dozen. No mount can come between two such steps. */
static struct { int fd; char path[PATH_MAX]; } filled = {.fd = -1};

void fill_done(void) {
  if (filled.fd >= 0)
    close(filled.fd);
  filled.fd = -1;
}

/* As root_parent; the directory stays open. */
static int fill_parent(struct task *task, const char *path, char name[NAME_MAX + 1]) {
  const char *slash = strrchr(path, '/');
  size_t size = slash == NULL ? 0 : (size_t)(slash + 1 - path), rest = strlen(path) - size;
  bool again = filled.fd >= 0 && size > 0 && strlen(filled.path) == size && memcmp(filled.path, path, size) == 0;
  if (again && rest > 0 && rest <= NAME_MAX && path[size] != '.') {
    memcpy(name, path + size, rest + 1);
    return filled.fd;
  }
  fill_done();
  filled.fd = root_parent(task, path, name);
  filled.path[0] = 0;
  if (size < sizeof filled.path) {
    memcpy(filled.path, path, size);
    filled.path[size] = 0;
  }
  return filled.fd;
}

/* target: the link's text; path: where it is made. */
int step_root_symlink(struct task *task, union argument *arg) {
  char name[NAME_MAX + 1];
  struct stat stat;
  int parent = fill_parent(task, arg[1].s, name);
  if (parent < 0)
    return -1;
  int made = symlinkat(arg[0].s, parent, name);
  if (made < 0 && errno == EEXIST && fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(stat.st_mode))
    made = unlinkat(parent, name, 0) < 0 ? -1 : symlinkat(arg[0].s, parent, name);
  return made;
}

/* A detached bind mount of the host's node at `path`, after checking that it is the device that is meant. The mount is read-only,
 * which does not affect I/O on the device: root in the container must not change the mode or owner of the host's node. */
static int verified_node(struct task *task, const char *path, mode_t kind, dev_t device) {
  struct stat stat;
  int tree = copy_mount(AT_FDCWD, path, (struct copy){0, MOUNT_ATTR_RDONLY, 0, 0});
  if (tree < 0)
    return fail(task, errno, "%s", path);
  if (fstat(tree, &stat) == 0 && (stat.st_mode & S_IFMT) == kind && stat.st_rdev == device)
    return tree;
  return close_after(tree, fail(task, ENODEV, "%s is not device %u:%u", path, major(device), minor(device)));
}

/* Where mknod is refused: bind-mounts the host's node over an empty file. */
static int bind_node(struct task *task, int parent, const char *name, union argument *arg, dev_t device) {
  int node = verified_node(task, arg[7].s, (mode_t)arg[1].n, device);
  if (node < 0)
    return -1;
  int onto = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (onto < 0 && mknodat(parent, name, S_IFREG | 0600, 0) == 0)
    onto = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (onto < 0)
    return close_after(node, -1);
  return close_after(node, close_after(onto, attach_mount(node, onto)));
}

/* path, kind: S_IFCHR, S_IFBLK, S_IFIFO; mode, major, minor, uid, gid; source: the host's node, or "". */
int step_root_mknod(struct task *task, union argument *arg) {
  char name[NAME_MAX + 1];
  dev_t device = makedev((unsigned)arg[3].n, (unsigned)arg[4].n);
  mode_t mode = (mode_t)arg[2].n;
  int parent = fill_parent(task, arg[0].s, name);
  if (parent < 0)
    return -1;
  if (mknodat(parent, name, (mode_t)arg[1].n | mode, device) < 0) {
    bool refused = errno == EPERM && arg[7].s[0] != 0;
    return refused ? bind_node(task, parent, name, arg, device) : -1;
  }
  /* chmod, because mknod applied the umask. The node is new, so its name can be trusted */
  if (fchownat(parent, name, (uid_t)arg[5].n, (gid_t)arg[6].n, AT_SYMLINK_NOFOLLOW) < 0 ||
      fchmodat(parent, name, mode, 0) < 0)
    return -1;
  return 0;
}

static int write_all(int fd, struct span data) {
  while (data.size > 0) {
    ssize_t written = write(fd, data.at, data.size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return -1;
    data.at += written;
    data.size -= (size_t)written;
  }
  return 0;
}

/* path; mode: of a new file; data. Links are followed inside the root: /etc/resolv.conf often is one. */
int step_root_file(struct task *task, union argument *arg) {
  struct stat stat;
  int fd = root_make(task, arg[0].s, S_IFREG, (mode_t)arg[1].n);
  if (fd < 0)
    return -1;
  /* checked before it is opened for writing: opening a device or a pipe has side effects */
  if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode))
    return close_after(fd, fail(task, EINVAL, "%s is not a regular file", arg[0].s));
  int file = reopen(task, fd, O_WRONLY | O_TRUNC);
  close(fd);
  if (file < 0)
    return -1;
  return close_after(file, write_all(file, arg[2].b));
}

static int mask_file(struct task *task, int onto) {
  int null = verified_node(task, "/dev/null", S_IFCHR, makedev(1, 3));
  return null < 0 ? -1 : close_after(null, attach_mount(null, onto));
}

/* The first masked directory gets a new tmpfs, empty and read-only, and the others bind mounts of it. */
static int mask_directory(struct task *task, int onto) {
  char read_only[] = "ro", small[] = "nr_blocks=1", few[] = "nr_inodes=1", *options[] = {read_only, small, few, NULL};
  if (task->empty < 0) {
    task->empty = make_mount(task, "tmpfs", "tmpfs", MOUNT_ATTR_RDONLY, options);
    return task->empty < 0 ? -1 : attach_mount(task->empty, onto);
  }
  int copy = copy_mount(task->empty, "", (struct copy){0, 0, 0, 0});
  return copy < 0 ? -1 : close_after(copy, attach_mount(copy, onto));
}

/* path: masked by /dev/null or an empty directory. A missing path is no error (runtime-spec config-linux.md, "maskedPaths"). */
int step_root_mask(struct task *task, union argument *arg) {
  struct stat stat;
  int onto = root_open(task, arg[0].s, O_PATH);
  if (onto < 0)
    return is_missing(errno) ? 0 : -1;
  if (fstat(onto, &stat) < 0)
    return close_after(onto, -1);
  return close_after(onto, S_ISDIR(stat.st_mode) ? mask_directory(task, onto) : mask_file(task, onto));
}

int step_root_readonly(struct task *task, union argument *arg) {
  int onto = root_open(task, arg[0].s, O_PATH);
  if (onto < 0)
    return is_missing(errno) ? 0 : -1;
  int tree = copy_mount(onto, "", (struct copy){3, MOUNT_ATTR_RDONLY, 0, 0});
  if (tree < 0)
    return close_after(onto, -1);
  return close_after(tree, close_after(onto, attach_mount(tree, onto)));
}

/* path: a mount point, "/" for the root mount itself; set, clear: MOUNT_ATTR_*. */
int step_root_attributes(struct task *task, union argument *arg) {
  struct mount_attr attributes = {.attr_set = arg[1].n, .attr_clr = arg[2].n};
  int top = root_open(task, arg[0].s, O_PATH);
  if (top < 0)
    return -1;
  return close_after(top, mount_setattr(top, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
}
