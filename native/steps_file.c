/* Files and directories in the host's view. Their paths come from the engine's own state, never from an image. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "steps.h"

enum {
  READ_MAX = FRAME_MAX - 64, /* a VALUE frame holds it */
  RMDIR_PATIENCE_MS = 2000,  /* a cgroup stays busy until its last task is reaped */
  TREE_DEPTH_MAX = 512,
};

enum { MADE = 0, WAS_THERE = 1 };

static int make_directory(char *path, mode_t mode) {
  if (mkdir(path, mode) == 0)
    return MADE;
  if (errno == EEXIST)
    return WAS_THERE;
  if (errno != ENOENT)
    return -1;
  char *slash = strrchr(path, '/');
  if (slash == NULL || slash == path)
    return -1;
  *slash = 0;
  int parent = make_directory(path, 0755);
  *slash = '/';
  return parent < 0 ? -1 : mkdir(path, mode);
}

/* path, mode of the last component. */
int step_mkdir(struct task *task, union argument *arg) {
  struct stat stat_;
  int made = make_directory(arg[0].s, (mode_t)arg[1].n);
  if (made < 0)
    return fail(task, errno, "%s", arg[0].s);
  if (made == WAS_THERE && stat(arg[0].s, &stat_) == 0 && !S_ISDIR(stat_.st_mode))
    return fail(task, ENOTDIR, "%s", arg[0].s);
  return 0;
}

/* The file of the last `write`, kept open for the next: a v1 cgroup's device rules are a dozen writes to two files. */
static struct { int fd; char path[PATH_MAX]; } written = {.fd = -1};

void write_done(void) {
  if (written.fd >= 0)
    close(written.fd);
  written.fd = -1;
}

int step_write(struct task *task, union argument *arg) {
  struct span data = arg[1].b;
  size_t size = strlen(arg[0].s);
  bool again = written.fd >= 0 && strcmp(written.path, arg[0].s) == 0;
  if (!again) {
    write_done();
    if (size >= sizeof written.path)
      return fail(task, ENAMETOOLONG, "%.200s", arg[0].s);
    written.fd = open(arg[0].s, O_WRONLY | O_CLOEXEC);
    memcpy(written.path, arg[0].s, size + 1);
  }
  ssize_t done = written.fd < 0 ? -1 : again ? pwrite(written.fd, data.at, data.size, 0) : write(written.fd, data.at, data.size);
  if (done >= 0 && (size_t)done != data.size)
    errno = EIO;
  return (size_t)done == data.size ? 0 : fail(task, errno, "%s", arg[0].s);
}

/* A missing file or a refused write is not a failure: VALUE has the errno, decimal, and the engine decides what it means. */
int step_try_write(struct task *task, union argument *arg) {
  char number[16];
  if (write_once(arg[0].s, arg[1].b) == 0)
    return 0;
  if (errno != ENOENT && errno != EACCES && errno != EPERM && errno != EROFS && errno != EOPNOTSUPP)
    return fail(task, errno, "%s", arg[0].s);
  int size = snprintf(number, sizeof number, "%d", errno);
  return task->conn < 0 ? 0 : send_value(task->conn, task->step, (struct span){(uint8_t *)number, (size_t)size});
}

int step_read(struct task *task, union argument *arg) {
  int fd = open(arg[0].s, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fail(task, errno, "%s", arg[0].s);
  uint8_t *at = mmap(NULL, READ_MAX + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED)
    return close_after(fd, -1);
  size_t size = 0;
  ssize_t got;
  while (size <= READ_MAX && ((got = read(fd, at + size, READ_MAX + 1 - size)) > 0 || (got < 0 && errno == EINTR)))
    size += got > 0 ? (size_t)got : 0;
  int result = -1;
  if (got < 0 || size > READ_MAX) {
    fail(task, got < 0 ? errno : EFBIG, "%s", arg[0].s);
  } else {
    at[size] = 0;
    result = send_value(task->conn, task->step, (struct span){at, size});
  }
  munmap(at, READ_MAX + 1);
  return close_after(fd, result);
}

/* path, mode, data. Written to a temporary file beside it and renamed, so that nobody reads a partial file. */
int step_file(struct task *task, union argument *arg) {
  char temporary[PATH_MAX];
  if (snprintf(temporary, sizeof temporary, "%s.new-%d", arg[0].s, (int)getpid()) >= (int)sizeof temporary)
    return fail(task, ENAMETOOLONG, "%.200s", arg[0].s);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return fail(task, errno, "%.200s", temporary);
  struct span data = arg[2].b;
  while (data.size > 0) {
    ssize_t written = write(fd, data.at, data.size);
    if (written < 0 && errno != EINTR)
      break;
    data.at += written > 0 ? written : 0;
    data.size -= written > 0 ? (size_t)written : 0;
  }
  if (data.size == 0 && fchmod(fd, (mode_t)arg[1].n) == 0 && rename(temporary, arg[0].s) == 0)
    return close_after(fd, 0);
  fail(task, errno, "%.200s", arg[0].s);
  int error = errno;
  unlink(temporary);
  errno = error;
  return close_after(fd, -1);
}

/* Removes the cgroups that a container made below its own. Only directories are removed, and only empty ones. */
static void rmdir_below(int directory, int depth) {
  DIR *list = fdopendir(directory);
  struct dirent *entry;
  if (list == NULL) {
    close(directory);
    return;
  }
  while (depth < TREE_DEPTH_MAX && (entry = readdir(list)) != NULL) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
      continue;
    int child = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child >= 0)
      rmdir_below(child, depth + 1);
    unlinkat(directory, entry->d_name, AT_REMOVEDIR);
  }
  closedir(list);
}

int step_rmdir(struct task *task, union argument *arg) {
  for (int waited = 0; rmdir(arg[0].s) < 0 && errno != ENOENT; waited++) {
    if (errno != EBUSY || waited >= RMDIR_PATIENCE_MS)
      return fail(task, errno, "%s", arg[0].s);
    int directory = open(arg[0].s, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory >= 0)
      rmdir_below(directory, 0);
    if (rmdir(arg[0].s) == 0 || errno == ENOENT)
      return 0;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  return 0;
}

/* The mount that a descriptor is on. The device alone does not tell: a bind mount of the same file system has the same st_dev. Mount
 * ids exist since Linux 5.8; before that only the device is compared. */
struct place { dev_t device; uint64_t mount; };

static int place_of(int fd, struct place *place) {
  struct statx stat;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stat) < 0)
    return -1;
  *place = (struct place){makedev(stat.stx_dev_major, stat.stx_dev_minor),
                          (stat.stx_mask & STATX_MNT_ID) != 0 ? stat.stx_mnt_id : 0};
  return 0;
}

/* A tree that is being removed. lifted: how many deep directories were moved into its top. */
struct removal { int top; struct place place; unsigned lifted; };

/* Moves a directory that is too deep into the tree's top, where the next round removes it: a container can nest directories without
 * limit, and each level of the walk needs a descriptor. */
static int lift(struct removal *removal, int directory, const char *name) {
  char lifted[32];
  do
    snprintf(lifted, sizeof lifted, "orlop-lifted-%u", removal->lifted++);
  while (renameat2(directory, name, removal->top, lifted, RENAME_NOREPLACE) < 0 && errno == EEXIST);
  return faccessat(removal->top, lifted, F_OK, AT_SYMLINK_NOFOLLOW);
}

/* Removes a file or an empty directory; a missing one is no error. ENOTEMPTY: a directory with entries. */
static int remove_simple(int parent, const char *name, bool is_directory) {
  if (!is_directory && (unlinkat(parent, name, 0) == 0 || errno == ENOENT))
    return 0;
  if (!is_directory && errno != EISDIR)
    return -1;
  if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
    return 0;
  if (is_directory && errno == ENOTDIR) /* it was replaced meanwhile */
    return unlinkat(parent, name, 0);
  if (errno == EEXIST) /* some file systems say so */
    errno = ENOTEMPTY;
  return -1;
}

/* Removes what is in a directory: by descriptor, no links followed, no mount crossed. */
static int remove_inside(int directory, struct removal *removal, int depth) {
  DIR *list = fdopendir(directory);
  struct dirent *entry;
  int result = 0;
  if (list == NULL)
    return close_after(directory, -1);
  while (result == 0 && (errno = 0, entry = readdir(list)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    if (remove_simple(directory, entry->d_name, entry->d_type == DT_DIR) == 0)
      continue;
    struct place place;
    int child = errno == ENOTEMPTY ? openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (child < 0) {
      result = -1;
    } else if (place_of(child, &place) < 0) {
      result = close_after(child, -1);
    } else if (place.device != removal->place.device || place.mount != removal->place.mount) {
      close(child);
      errno = EBUSY; /* a mount: it has to be unmounted first */
      result = -1;
    } else if (depth == TREE_DEPTH_MAX) {
      result = close_after(child, lift(removal, directory, entry->d_name));
    } else {
      result = remove_inside(child, removal, depth + 1);
      if (result == 0)
        result = unlinkat(directory, entry->d_name, AT_REMOVEDIR);
    }
  }
  if (result == 0 && errno != 0)
    result = -1;
  int error = errno;
  closedir(list);
  errno = error;
  return result;
}

int remove_tree(int parent, const char *name) {
  struct removal removal = {.top = -1};
  if (remove_simple(parent, name, false) == 0)
    return 0;
  int directory = errno == ENOTEMPTY ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
  if (directory < 0)
    return -1;
  if (place_of(directory, &removal.place) < 0 || (removal.top = fcntl(directory, F_DUPFD_CLOEXEC, 3)) < 0)
    return close_after(directory, -1);
  int result = remove_inside(directory, &removal, 0);
  for (unsigned round = 0; result == 0 && removal.lifted != round;) {
    round = removal.lifted;
    directory = openat(removal.top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    result = directory < 0 ? -1 : remove_inside(directory, &removal, 0);
  }
  if (result == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
    result = -1;
  return close_after(removal.top, result);
}

int step_remove(struct task *task, union argument *arg) {
  return remove_tree(AT_FDCWD, arg[0].s) < 0 ? fail(task, errno, "%s", arg[0].s) : 0;
}

int step_chown(struct task *task, union argument *arg) {
  if (lchown(arg[0].s, (uid_t)arg[1].n, (gid_t)arg[2].n) < 0)
    return fail(task, errno, "%s", arg[0].s);
  return 0;
}

/* paths: files of our own that are bind-mounted into the container, such as its /etc/hosts. While a file is open for writing the
 * kernel refuses to lease or execute it (fs/locks.c, check_conflicting_open; fs/exec.c, deny_write_access). Otherwise a container
 * could make the engine's write to that file wait for 45 s, or fail. The monitor keeps them open until it ends. */
int step_keep_open(struct task *task, union argument *arg) {
  for (char **path = arg[0].l.at; *path != NULL; path++)
    if (open(*path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) < 0)
      return fail(task, errno, "%s", *path);
  return 0;
}

/* path: a directory whose subdirectories ext4 is to spread over its block groups (FS_TOPDIR_FL). No error where the file system has
 * no such flag. */
int step_spread(struct task *task, union argument *arg) {
  int flags, fd = open(arg[0].s, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return fail(task, errno, "%s", arg[0].s);
  int result = ioctl(fd, FS_IOC_GETFLAGS, &flags);
  if (result == 0 && (flags & FS_TOPDIR_FL) == 0) {
    flags |= FS_TOPDIR_FL;
    result = ioctl(fd, FS_IOC_SETFLAGS, &flags);
  }
  if (result < 0 && (errno == ENOTTY || errno == EOPNOTSUPP || errno == EINVAL))
    result = 0;
  return close_after(fd, result);
}
