/* Step points of a test build: named places where a test can kill, stop or fail this process, or have a step skipped. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "orlop.h"

#ifdef ORLOP_POINTS

/* Every POINT("name") leaves its name in this section of the executable. */
extern const char *const __start_orlop_points[] __attribute__((weak));
extern const char *const __stop_orlop_points[] __attribute__((weak));

/* ORLOP_POINT=NAME:ACTION[:N]. What follows "NAME:" when this is the point's N-th time (of "*": every time), else NULL. */
static const char *action_asked(const char *name) {
  static unsigned long seen;
  const char *wanted = getenv("ORLOP_POINT");
  size_t size = strlen(name);
  if (wanted == NULL || strncmp(wanted, name, size) != 0 || wanted[size] != ':')
    return NULL;
  const char *action = wanted + size + 1;
  const char *times = strchr(action, ':');
  if (times != NULL && times[1] == '*')
    return action;
  return ++seen == (times == NULL ? 1 : strtoul(times + 1, NULL, 10)) ? action : NULL;
}

/* ORLOP_POINT_FILE: a file of this size, mapped and shared by all processes of ours, in which a test arms one point at a
 * time while they run, and finds the names of all points that were reached. A mapping, because a container's child can
 * open nothing of the host's after pivot. test/crash/point-file.ts has the same layout. */
struct point_file {
  char name[128];
  char action[28];
  uint32_t left;            /* the point acts when this reaches 0 */
  uint32_t trace_used;
  char trace[];
};
enum { POINT_FILE_SIZE = 1 << 16, TRACE_MAX = POINT_FILE_SIZE - sizeof(struct point_file) };

static struct point_file *map_point_file(void) {
  static struct point_file *mapped;
  const char *path = mapped == NULL ? getenv("ORLOP_POINT_FILE") : NULL;
  if (path == NULL)
    return mapped;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  void *at = fd < 0 ? MAP_FAILED : mmap(NULL, POINT_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at != MAP_FAILED)
    mapped = at;
  return mapped;
}

static void trace(struct point_file *file, const char *name) {
  uint32_t size = (uint32_t)strlen(name) + 1;
  uint32_t at = __atomic_fetch_add(&file->trace_used, size, __ATOMIC_RELAXED);
  if (at <= TRACE_MAX && size <= TRACE_MAX - at)
    memcpy(file->trace + at, name, size);
}

static const char *action_armed(const char *name) {
  struct point_file *file = map_point_file();
  if (file == NULL)
    return NULL;
  trace(file, name);
  if (strcmp(file->name, name) != 0)
    return NULL;
  return __atomic_sub_fetch(&file->left, 1, __ATOMIC_SEQ_CST) == 0 ? file->action : NULL;
}

int point_reached(const char *name) {
  const char *action = action_asked(name);
  action = action == NULL ? action_armed(name) : action;
  if (action == NULL)
    return 0;
  if (strncmp(action, "kill", 4) == 0)
    kill(getpid(), SIGKILL);
  if (strncmp(action, "stop", 4) == 0) {
    kill(getpid(), SIGSTOP);
    return 0;
  }
  if (strncmp(action, "skip", 4) == 0)
    return 1;
  errno = atoi(action);
  return -1;
}

void points_print(void) {
  for (const struct step_kind *kind = step_kinds; kind->name != NULL; kind++)
    printf("step.%s\n", kind->name);
  for (const char *const *name = __start_orlop_points; name < __stop_orlop_points; name++)
    printf("%s\n", *name);
}

#else

void points_print(void) {}

#endif
