/* Mounts in the host's view, and the change of root. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "steps.h"

enum {
  OPTION_MAX = 255,    /* bytes of one fsconfig(2) value */
  MOUNT_DATA_MAX = 4095,
  LOWERS_MAX = 129, /* an image's, what is below every image, and changes that are only looked at */
};

/* What the file system itself says about a failure: "e message" lines, the last one is ours (fsopen(2)). */
static int explain(struct task *task, int fs, const char *what) {
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

/* One option, "key" or "key=value". */
static int configure(int fs, char *option) {
  char *equals = strchr(option, '=');
  if (equals == NULL)
    return fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0);
  *equals = 0;
  int result = fsconfig(fs, FSCONFIG_SET_STRING, option, equals + 1, 0);
  *equals = '=';
  return result;
}

static int finish_mount(struct task *task, int fs, uint64_t attributes) {
  if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
    return explain(task, fs, "create");
  int mount = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attributes);
  return mount < 0 ? explain(task, fs, "mount") : mount;
}

int make_mount(struct task *task, const char *fstype, const char *source, uint64_t attributes, char **options) {
  int fs = fsopen(fstype, FSOPEN_CLOEXEC);
  if (fs < 0)
    return fail(task, errno, "file system %s", fstype);
  if (source[0] != 0 && fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
    return close_after(fs, explain(task, fs, "source"));
  for (; *options != NULL; options++)
    if (configure(fs, *options) < 0)
      return close_after(fs, explain(task, fs, *options));
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

/* Attaches a detached mount over a host path, and closes it. */
static int attach_at(struct task *task, int mount, const char *target) {
  if (move_mount(mount, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) < 0)
    return close_after(mount, fail(task, errno, "%s", target));
  close(mount);
  return 0;
}

/* EINVAL: not a mount point. Lazily, because others may have copies of the mount and files open in it. */
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

/* source, flags: 1 recursive. */
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
  return mount < 0 ? -1 : attach_at(task, mount, arg[2].s);
}

/* source, target, flags: 1 recursive, 2 attributes recursive; set, clear: MOUNT_ATTR_*. */
int step_bind(struct task *task, union argument *arg) {
  int tree = copy_mount(AT_FDCWD, arg[0].s, (struct copy){arg[2].n, arg[3].n, arg[4].n, 0});
  return tree < 0 ? fail(task, errno, "%s", arg[0].s) : attach_at(task, tree, arg[1].s);
}

/* path: a mount on an empty file of our own. */
int step_unmount(struct task *task, union argument *arg) {
  if (umount2(arg[0].s, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
    return fail(task, errno, "%s", arg[0].s);
  return unlink(arg[0].s) == 0 || errno == ENOENT ? 0 : fail(task, errno, "%s", arg[0].s);
}

/* ── overlay ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* upperdir and workdir undo backslashes; lowerdir+ takes a path as it is (ovl_parse_layer, fs/overlayfs/params.c). */
static int set_escaped(int fs, const char *key, const char *path) {
  char escaped[OPTION_MAX + 1];
  size_t at = 0;
  for (; *path != 0; path++) {
    if (at + 2 > OPTION_MAX) {
      errno = ENAMETOOLONG;
      return -1;
    }
    if (*path == '\\')
      escaped[at++] = '\\';
    escaped[at++] = *path;
  }
  escaped[at] = 0;
  return fsconfig(fs, FSCONFIG_SET_STRING, key, escaped, 0);
}

static int set_short(int fs, const char *key, const char *value) {
  if (strlen(value) > OPTION_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  return fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);
}

/* One lower directory at a time: since Linux 6.7. EINVAL or ENAMETOOLONG: do it the old way. */
static int overlay_by_layers(struct task *task, union argument *arg) {
  int fs = fsopen("overlay", FSOPEN_CLOEXEC);
  if (fs < 0)
    return fail(task, errno, "file system overlay");
  fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0);
  for (char **lower = arg[1].l.at; *lower != NULL; lower++) {
    if (POINT("overlay.lower") < 0)
      return close_after(fs, -1);
    if (set_short(fs, "lowerdir+", *lower) < 0)
      return close_after(fs, explain(task, fs, *lower));
  }
  if (arg[2].s[0] != 0 &&
      (set_escaped(fs, "upperdir", arg[2].s) < 0 || set_escaped(fs, "workdir", arg[3].s) < 0))
    return close_after(fs, explain(task, fs, arg[2].s));
  for (char **option = arg[4].l.at; *option != NULL; option++)
    if (configure(fs, *option) < 0)
      return close_after(fs, explain(task, fs, *option));
  return close_after(fs, finish_mount(task, fs, 0));
}

/* The options of mount(2): text in one page, in which ',' ':' and '\' of a path are escaped. */
struct mount_data { size_t used; char text[MOUNT_DATA_MAX + 1]; };

static bool append(struct mount_data *data, const char *text, const char *escape) {
  for (; *text != 0; text++) {
    if (data->used + 2 > MOUNT_DATA_MAX)
      return false;
    if (strchr(escape, *text) != NULL)
      data->text[data->used++] = '\\';
    data->text[data->used++] = *text;
  }
  data->text[data->used] = 0;
  return true;
}

/* A directory by its path, or, where all paths do not fit in a page, by /proc/self/fd/N. */
static bool append_directory(struct mount_data *data, const char *path, bool by_fd, int opened[], int *count) {
  char link[32];
  if (!by_fd)
    return append(data, path, ",:\\");
  if (*count == LOWERS_MAX + 2)
    return false;
  int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return false;
  opened[(*count)++] = fd;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  return append(data, link, "");
}

static bool append_all(struct mount_data *data, union argument *arg, bool by_fd, int opened[], int *count) {
  data->used = 0;
  bool fits = append(data, "lowerdir=", "");
  for (char **lower = arg[1].l.at; fits && *lower != NULL; lower++)
    fits = (lower == arg[1].l.at || append(data, ":", "")) && append_directory(data, *lower, by_fd, opened, count);
  if (fits && arg[2].s[0] != 0)
    fits = append(data, ",upperdir=", "") && append_directory(data, arg[2].s, by_fd, opened, count) &&
           append(data, ",workdir=", "") && append_directory(data, arg[3].s, by_fd, opened, count);
  for (char **option = arg[4].l.at; fits && *option != NULL; option++)
    fits = append(data, ",", "") && append(data, *option, "");
  return fits;
}

/* All directories in one text: before Linux 6.7, and for paths over 255 bytes. */
static int overlay_by_text(struct task *task, union argument *arg) {
  static struct mount_data data;
  int opened[LOWERS_MAX + 2], count = 0, result = -1, error = E2BIG;
  if (append_all(&data, arg, false, opened, &count) || append_all(&data, arg, true, opened, &count)) {
    result = mount("overlay", arg[0].s, "overlay", 0, data.text);
    error = errno;
  }
  while (count > 0)
    close(opened[--count]);
  return result == 0 ? 0 : fail(task, error, "overlay of %zu directories", arg[1].l.count);
}

/* A volatile overlay marks its work directory (work/incompat/volatile/dirty), and is refused where the mark is: what was changed may not
 * be on the disk. Nothing is volatile here but what a reboot removes, so it is in memory at least. The mark is there when a start was
 * cut off behind the mount. False: there is none. */
static bool unmark_volatile(const char *work) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s/work/incompat/volatile", work);
  int mark = work[0] != 0 && length < (int)sizeof path ? open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
  if (mark < 0)
    return false;
  (void)unlinkat(mark, "dirty", 0);
  return close_after(mark, rmdir(path)) == 0;
}

/* target, lowers: topmost first; upper, work: "" = read-only; options. */
int step_overlay(struct task *task, union argument *arg) {
  int mount = overlay_by_layers(task, arg);
  if (mount < 0 && errno == EINVAL) {
    if (unmark_volatile(arg[3].s))
      mount = overlay_by_layers(task, arg);
    else
      errno = EINVAL;
  }
  if (mount >= 0)
    return attach_at(task, mount, arg[0].s);
  if (errno != EINVAL && errno != ENAMETOOLONG)
    return -1;
  char why[sizeof task->detail];
  memcpy(why, task->detail, sizeof why);
  if (overlay_by_text(task, arg) == 0)
    return 0;
  if (why[0] != 0) /* the newer interface says why; mount(2) only says EINVAL */
    memcpy(task->detail, why, sizeof why);
  return -1;
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

/* propagation: MS_* of the new root mount, or 0. */
int step_pivot(struct task *task, union argument *arg) {
  if (task->root < 0)
    return fail(task, EBADF, "no root");
  int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (old < 0 || fchdir(task->root) < 0)
    return -1;
  if (syscall(SYS_pivot_root, ".", ".") < 0) /* the old root is now mounted over the new one: pivot_root(2), NOTES */
    return close_after(old, -1);
  /* "." must be the old root: mount(2), unlike umount2, does not go up to what is mounted on top, and the new root's
   * shared mounts are to stay so */
  if (close_after(old, fchdir(old)) < 0)
    return -1;
  close(task->root);
  task->root = -1;
  if (task->empty >= 0)
    close(task->empty);
  task->empty = -1;
  /* the host's mounts must not see them go, whatever propagation they came with */
  if (mount(NULL, ".", NULL, MS_REC | MS_SLAVE, NULL) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
    return -1;
  if (task->in_child)
    leave_host(task);
  return arg[0].n == 0 ? 0 : mount(NULL, "/", NULL, arg[0].n, NULL);
}
