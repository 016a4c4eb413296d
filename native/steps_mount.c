/* Mounts in the host's view, and the change of root. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "steps.h"

int mount_error(struct task *task, int fs, const char *what) {
  int error = errno;
  char line[200], last[200] = "";
  ssize_t size;
  while ((size = read(fs, line, sizeof line - 1)) > 0) {
    line[size] = 0;
    snprintf(last, sizeof last, "%s", line + (size > 2 ? 2 : 0));
  }
  last[strcspn(last, "\n")] = 0;
  return fail(task, error, "%.50s%s%.190s", what, last[0] == 0 ? "" : ": ", last);
}

int set_mount_option(int fs, char *option) {
  char *equals = strchr(option, '=');
  if (equals == NULL)
    return fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0);
  *equals = 0;
  int result = fsconfig(fs, FSCONFIG_SET_STRING, option, equals + 1, 0);
  *equals = '=';
  return result;
}

int finish_mount(struct task *task, int fs, uint64_t attributes) {
  if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
    return mount_error(task, fs, "create");
  int mount = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
  return mount < 0 ? mount_error(task, fs, "mount") : mount;
}

int make_mount(struct task *task, const char *fstype, const char *source, uint64_t attributes, char **options) {
  int fs = fsopen(fstype, FSOPEN_CLOEXEC);
  if (fs < 0)
    return fail(task, errno, "file system %s", fstype);
  if (source[0] != 0 && fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
    return close_after(fs, mount_error(task, fs, "source"));
  for (; *options != NULL; options++)
    if (set_mount_option(fs, *options) < 0)
      return close_after(fs, mount_error(task, fs, *options));
  return close_after(fs, finish_mount(task, fs, attributes));
}

int attach_mount(int mount, int onto) {
  return move_mount(mount, "", onto, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* MOUNT_ATTR_*ATIME is one field of several bits: the kernel wants all of it cleared when one is set. */
int adjust_mount(int mount, struct copy how) {
  struct mount_attr attributes = {.attr_set = how.set, .attr_clr = how.clear}, spread = {.propagation = how.propagation};
  unsigned deep = (how.flags & COPY_ATTRIBUTES_RECURSIVE) != 0 ? AT_RECURSIVE : 0;
  unsigned wide = (how.flags & COPY_PROPAGATION_RECURSIVE) != 0 ? AT_RECURSIVE : 0;
  if ((how.set & MOUNT_ATTR__ATIME) != 0)
    attributes.attr_clr |= MOUNT_ATTR__ATIME;
  if (deep == wide) { /* both at once */
    attributes.propagation = how.propagation;
    how.propagation = 0;
  }
  if ((attributes.attr_set | attributes.attr_clr | attributes.propagation) != 0 &&
      mount_setattr(mount, "", AT_EMPTY_PATH | deep, &attributes, sizeof attributes) < 0)
    return -1;
  return how.propagation == 0 ? 0 : mount_setattr(mount, "", AT_EMPTY_PATH | wide, &spread, sizeof spread);
}

int copy_mount(int fd, const char *path, struct copy how) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  flags |= (how.flags & COPY_RECURSIVE) != 0 ? AT_RECURSIVE : 0;
  flags |= path[0] == 0 ? AT_EMPTY_PATH : 0;
  int tree = open_tree(fd, path, flags);
  if (tree < 0)
    return -1;
  if (adjust_mount(tree, how) < 0)
    return close_after(tree, -1);
  return tree;
}

int attach_at_path(struct task *task, int mount, const char *target) {
  if (move_mount(mount, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) < 0)
    return close_after(mount, fail(task, errno, "%s", target));
  close(mount);
  return 0;
}

/* path. EINVAL: it is not a mount point. Lazily (MNT_DETACH), because files in the mount may still be open. */
int step_detach(struct task *task, union argument *arg) {
  if (umount2(arg[0].s, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT)
    return 0;
  return fail(task, errno, "%s", arg[0].s);
}

/* path, flags: MS_REC | MS_SLAVE … */
int step_propagation(struct task *task, union argument *arg) {
  (void)task;
  return mount(NULL, arg[0].s, NULL, arg[1].n, NULL);
}

/* source; flags: 1 recursive. A copy of the mount, for a later `root-bind`. */
int step_hold(struct task *task, union argument *arg) {
  if (task->holding == HELD_MOUNTS_MAX)
    return fail(task, EMFILE, "more than %d shared mounts", HELD_MOUNTS_MAX);
  int tree = copy_mount(AT_FDCWD, arg[0].s, (struct copy){.flags = arg[1].n & COPY_RECURSIVE});
  if (tree < 0)
    return fail(task, errno, "%s", arg[0].s);
  task->held[task->holding++] = tree;
  return 0;
}

/* fstype, source, target, attributes: MOUNT_ATTR_*, options. */
int step_mount(struct task *task, union argument *arg) {
  int mount = make_mount(task, arg[0].s, arg[1].s, arg[3].n, arg[4].l.at);
  return mount < 0 ? -1 : attach_at_path(task, mount, arg[2].s);
}

/* source, target, flags: 1 recursive, 2 attributes recursive; set, clear: MOUNT_ATTR_*. */
int step_bind(struct task *task, union argument *arg) {
  int tree = copy_mount(AT_FDCWD, arg[0].s, (struct copy){arg[2].n, arg[3].n, arg[4].n, 0});
  return tree < 0 ? fail(task, errno, "%s", arg[0].s) : attach_at_path(task, tree, arg[1].s);
}

/* path: a mount on an empty file of our own, which is removed too. */
int step_unmount(struct task *task, union argument *arg) {
  if (umount2(arg[0].s, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
    return fail(task, errno, "%s", arg[0].s);
  return unlink(arg[0].s) == 0 || errno == ENOENT ? 0 : fail(task, errno, "%s", arg[0].s);
}

/* ── the root ──────────────────────────────────────────────────────────────────────────────────────────────────── */

int step_root(struct task *task, union argument *arg) {
  int root = open(arg[0].s, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0)
    return fail(task, errno, "%s", arg[0].s);
  if (task->root >= 0)
    close(task->root);
  task->root = root;
  return 0;
}

/* propagation: MS_* that the new root mount gets, or 0. */
int step_pivot(struct task *task, union argument *arg) {
  if (task->root < 0)
    return fail(task, EBADF, "no root");
  int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (old < 0 || fchdir(task->root) < 0)
    return -1;
  if (syscall(SYS_pivot_root, ".", ".") < 0) /* the old root is now mounted over the new one: pivot_root(2), NOTES */
    return close_after(old, -1);
  /* "." has to be the old root: mount(2), unlike umount2(2), does not resolve to the mount on top, and the new root's shared
   * mounts have to stay shared */
  if (close_after(old, fchdir(old)) < 0)
    return -1;
  close(task->root);
  task->root = -1;
  if (task->empty >= 0)
    close(task->empty);
  task->empty = -1;
  /* so that unmounting the old root here does not propagate to the host */
  if (mount(NULL, ".", NULL, MS_REC | MS_SLAVE, NULL) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
    return -1;
  if (task->in_child)
    leave_host(task);
  return arg[0].n == 0 ? 0 : mount(NULL, "/", NULL, arg[0].n, NULL);
}
