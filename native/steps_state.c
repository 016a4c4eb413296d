/* `write-until`: waiting for a state that the kernel reaches some time after it was asked for; `usage`: the size of a tree. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "steps.h"

enum { LONGEST_PAUSE_MS = 16, SMALL_FILE = 4096, TREE_DEPTH_MAX = 256 };

/* 1: the file has this line; 0: it does not, or is missing; -1: errno. */
static int has_line(const char *path, const char *line) {
  char text[SMALL_FILE + 2] = "\n";
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return errno == ENOENT ? 0 : -1;
  ssize_t size = read(fd, text + 1, SMALL_FILE);
  int error = errno;
  close(fd);
  errno = error;
  if (size < 0)
    return -1;
  text[size + 1] = 0;
  size_t length = strlen(line);
  for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
    if (strncmp(at + 1, line, length) == 0 && (at[length + 1] == '\n' || at[length + 1] == 0))
      return 1;
  return 0;
}

/* path, data, state, line, milliseconds: writes data to path again and again until the file `state` has the line; ETIMEDOUT. A v1
 * freezer may miss a process that is being forked, so one write is not enough. */
int step_write_until(struct task *task, union argument *arg) {
  long pause_ms = 1;
  for (uint64_t waited_ms = 0;; waited_ms += (uint64_t)pause_ms) {
    if (write_once(arg[0].s, arg[1].b) < 0)
      return fail(task, errno, "%s", arg[0].s);
    int reached = has_line(arg[2].s, arg[3].s);
    if (reached != 0)
      return reached < 0 ? fail(task, errno, "%s", arg[2].s) : 0;
    if (waited_ms >= arg[4].n)
      return fail(task, ETIMEDOUT, "%s", arg[2].s);
    pause_ms = waited_ms == 0 ? 1 : pause_ms < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
    nanosleep(&(struct timespec){.tv_nsec = pause_ms * 1000000}, NULL);
  }
}

/* The position in a directory that the walk has left and will come back to. */
struct level { dev_t device; ino_t inode; long at; };

/* Continues a walk that has one directory open. 1: went down into a directory; 0: this one is done; -1: errno. */
static int walk_on(DIR **list, dev_t device, double *bytes, struct level *level) {
  struct dirent *entry;
  struct stat stat;
  while ((errno = 0, entry = readdir(*list)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    if (fstatat(dirfd(*list), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0) {
      if (errno != ENOENT)
        return -1;
    } else if (!S_ISDIR(stat.st_mode)) {
      *bytes += (double)stat.st_size / (double)(stat.st_nlink > 0 ? stat.st_nlink : 1);
    } else if (stat.st_dev == device) {
      int child = openat(dirfd(*list), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (child < 0 && (errno == ENOENT || errno == ENOTDIR))
        continue;
      if (child < 0 || fstat(dirfd(*list), &stat) < 0)
        return -1;
      *level = (struct level){stat.st_dev, stat.st_ino, telldir(*list)};
      closedir(*list);
      *list = fdopendir(child);
      return *list == NULL ? -1 : 1;
    }
  }
  return errno == 0 || errno == ENOENT || errno == ENOTDIR ? 0 : -1;
}

/* Adds up the files of a directory however deep it is: a container can nest directories without limit. One directory is open at a
 * time; ".." leads back, and is checked to be the one that was left: when a directory was moved meanwhile, the rest is not counted. */
static int add_deep(int directory, dev_t device, double *bytes) {
  struct level *levels = NULL;
  size_t depth = 0, room = 0;
  DIR *list = fdopendir(directory);
  int result = list == NULL ? -1 : 1;
  while (result >= 0 && list != NULL) {
    if (depth == room) {
      room = room == 0 ? 64 : room * 2;
      struct level *more = realloc(levels, room * sizeof *levels);
      if (more == NULL) {
        result = -1;
        break;
      }
      levels = more;
    }
    result = walk_on(&list, device, bytes, &levels[depth]);
    if (result > 0) {
      depth++;
    } else if (result == 0) {
      struct stat stat;
      int above = depth == 0 ? -1 : openat(dirfd(list), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      closedir(list);
      list = NULL;
      if (above < 0)
        break;
      struct level *back = &levels[--depth];
      bool same = fstat(above, &stat) == 0 && stat.st_dev == back->device && stat.st_ino == back->inode;
      list = same ? fdopendir(above) : NULL;
      if (list == NULL)
        close(above);
      else
        seekdir(list, back->at);
    }
  }
  int error = errno;
  if (list != NULL)
    closedir(list);
  free(levels);
  errno = error;
  return result < 0 ? -1 : 0;
}

/* Adds up the files of a directory: by descriptor, without following links or crossing mounts. Files that vanish meanwhile are not
 * counted. Each of a file's n names counts 1/n of its size, so that no list of files with several names is needed. */
static int add_inside(int directory, dev_t device, int depth, double *bytes) {
  DIR *list = fdopendir(directory);
  struct dirent *entry;
  int result = 0;
  if (list == NULL) {
    return close_after(directory, -1);
  }
  while (result == 0 && (errno = 0, entry = readdir(list)) != NULL) {
    struct stat stat;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
      continue;
    if (fstatat(directory, entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) < 0) {
      result = errno == ENOENT ? 0 : -1;
    } else if (!S_ISDIR(stat.st_mode)) {
      *bytes += (double)stat.st_size / (double)(stat.st_nlink > 0 ? stat.st_nlink : 1);
    } else if (stat.st_dev == device) {
      int child = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (child >= 0)
        result = depth < TREE_DEPTH_MAX ? add_inside(child, device, depth + 1, bytes) : add_deep(child, device, bytes);
      else
        result = errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    }
  }
  if (result == 0 && errno != 0 && errno != ENOENT && errno != ENOTDIR)
    result = -1;
  int error = errno;
  closedir(list);
  errno = error;
  return result;
}

/* paths: trees. VALUE: the sum of their files' sizes in bytes, decimal. A missing tree counts as empty. */
int step_usage(struct task *task, union argument *arg) {
  double bytes = 0;
  char number[32];
  for (char **path = arg[0].l.at; *path != NULL; path++) {
    struct stat stat;
    int directory = open(*path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0 && errno == ENOENT)
      continue;
    if (directory < 0 || fstat(directory, &stat) < 0 || add_inside(directory, stat.st_dev, 0, &bytes) < 0)
      return fail(task, errno, "%s", *path);
  }
  int size = snprintf(number, sizeof number, "%.0f", bytes);
  return task->conn < 0 ? 0 : send_value(task->conn, task->step, (struct span){(uint8_t *)number, (size_t)size});
}
