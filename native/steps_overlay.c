/* Overlay mounts: one lower directory at a time where the kernel can, else all of them in one text. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "steps.h"

enum {
  OPTION_MAX = 255,     /* bytes of one fsconfig(2) value */
  MOUNT_DATA_MAX = 4095,
  LOWERS_MAX = 129,     /* the layers of an image, what lies below every image, and changes that are only looked at */
};

/* Sets upperdir or workdir, in which the kernel unescapes backslashes; in lowerdir+ it does not (ovl_parse_layer,
 * fs/overlayfs/params.c). */
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

/* One lower directory at a time (lowerdir+, Linux 6.7). EINVAL or ENAMETOOLONG: overlay_by_text may still work. */
static int overlay_by_layers(struct task *task, union argument *arg) {
  int fs = fsopen("overlay", FSOPEN_CLOEXEC);
  if (fs < 0)
    return fail(task, errno, "file system overlay");
  fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0);
  for (char **lower = arg[1].l.at; *lower != NULL; lower++) {
    if (POINT("overlay.lower") < 0)
      return close_after(fs, -1);
    if (set_short(fs, "lowerdir+", *lower) < 0)
      return close_after(fs, mount_error(task, fs, *lower));
  }
  if (arg[2].s[0] != 0 &&
      (set_escaped(fs, "upperdir", arg[2].s) < 0 || set_escaped(fs, "workdir", arg[3].s) < 0))
    return close_after(fs, mount_error(task, fs, arg[2].s));
  for (char **option = arg[4].l.at; *option != NULL; option++)
    if (set_mount_option(fs, *option) < 0)
      return close_after(fs, mount_error(task, fs, *option));
  return close_after(fs, finish_mount(task, fs, 0));
}

/* The options of mount(2): text of at most one page, in which ',' ':' and '\' of a path are escaped. */
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

/* Adds a directory by its path or, when all paths do not fit in one page, as /proc/self/fd/N. */
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

/* All directories in one option text: before Linux 6.7, and for paths over 255 bytes. */
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

/* Removes the mark of a volatile overlay; false: there is none. The kernel marks the work directory (work/incompat/volatile/dirty)
 * and refuses to mount it again, because after a crash of the machine the changes may not be on the disk. Here only what a reboot
 * removes is volatile, so the changes are still in the page cache. The mark is found when a start was cut off after the mount. */
static bool unmark_volatile(const char *work) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s/work/incompat/volatile", work);
  int mark = work[0] != 0 && length < (int)sizeof path ? open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
  if (mark < 0)
    return false;
  (void)unlinkat(mark, "dirty", 0);
  return close_after(mark, rmdir(path)) == 0;
}

/* target; lowers: topmost first; upper, work: "" = read-only; options. */
int step_overlay(struct task *task, union argument *arg) {
  int mount = overlay_by_layers(task, arg);
  if (mount < 0 && errno == EINVAL) {
    if (unmark_volatile(arg[3].s))
      mount = overlay_by_layers(task, arg);
    else
      errno = EINVAL;
  }
  if (mount >= 0)
    return attach_at_path(task, mount, arg[0].s);
  if (errno != EINVAL && errno != ENAMETOOLONG)
    return -1;
  char why[sizeof task->detail];
  memcpy(why, task->detail, sizeof why);
  if (overlay_by_text(task, arg) == 0)
    return 0;
  if (why[0] != 0) /* fsopen gave a reason, mount(2) only EINVAL */
    memcpy(task->detail, why, sizeof why);
  return -1;
}

