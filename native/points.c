/* Step points of a test build: places where a test can kill, stop or fail this process. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <errno.h>

#include "orlop.h"

#ifdef ORLOP_POINTS

/* Every POINT("name") leaves its name in this section of the executable. */
extern const char *const __start_orlop_points[] __attribute__((weak));
extern const char *const __stop_orlop_points[] __attribute__((weak));

/* ORLOP_POINT=NAME:ACTION[:N]. What follows "NAME:" when this is the point's N-th time, else NULL. */
static const char *action_now(const char *name) {
  static unsigned long seen;
  const char *wanted = getenv("ORLOP_POINT");
  size_t size = strlen(name);
  if (wanted == NULL || strncmp(wanted, name, size) != 0 || wanted[size] != ':')
    return NULL;
  const char *action = wanted + size + 1;
  const char *times = strchr(action, ':');
  return ++seen == (times == NULL ? 1 : strtoul(times + 1, NULL, 10)) ? action : NULL;
}

int point_reached(const char *name) {
  const char *action = action_now(name);
  if (action == NULL)
    return 0;
  if (strncmp(action, "kill", 4) == 0)
    kill(getpid(), SIGKILL);
  if (strncmp(action, "stop", 4) == 0) {
    kill(getpid(), SIGSTOP);
    return 0;
  }
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
