/* Reports out-of-memory kills in the container's cgroup while the container runs, not only at its end.
 *
 * v2: memory.events changes after a process was killed. v1: an eventfd is signalled when memory runs out, in this group or in one
 * above it, and only afterwards does the kernel choose a process and kill it. So what is reported is the count of kills, and
 * after a v1 signal the count is read again for a while; if it does not change, the kill was in another group. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "monitor.h"
#include "steps.h"

enum { FIRST_LOOK_MS = 1, LAST_LOOK_MS = 2048 /* each wait is twice the one before */ };

/* The number of the line "NAME NUMBER"; 0 without such a line. */
static uint64_t number_of(const char *text, const char *name) {
  size_t size = strlen(name);
  for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (strncmp(line, name, size) == 0 && line[size] == ' ')
      return strtoull(line + size, NULL, 10);
  }
  return 0;
}

/* false: the group is gone. *stands: its processes wait for memory and none is killed (v1, oom_kill_disable). */
static bool read_counts(int file, uint64_t *kills, bool *stands) {
  char text[512]; /* memory.events has seven lines */
  ssize_t size = pread(file, text, sizeof text - 1, 0);
  if (size <= 0)
    return false;
  text[size] = 0;
  *kills = number_of(text, "oom_kill");
  *stands = number_of(text, "under_oom") != 0 && number_of(text, "oom_kill_disable") != 0;
  return true;
}

static int register_eventfd(struct oom *oom, const char *control) {
  char order[32];
  int fd = open(control, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  oom->source.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  int size = snprintf(order, sizeof order, "%d %d", oom->source.fd, oom->file);
  ssize_t written = oom->source.fd < 0 ? -1 : write(fd, order, (size_t)size);
  return close_after(fd, written < 0 ? -1 : 0);
}

/* events: the group's file with the line "oom_kill N"; control: its cgroup.event_control (v1), "" where the file itself tells.
 * A kernel without these files (CONFIG_MEMCG_V1 unset, no memory controller) is no reason not to start. */
int step_watch_memory(struct task *task, union argument *arg) {
  struct oom *oom = &monitor_of(task)->oom;
  bool unused;
  if (oom->source.fd >= 0)
    return fail(task, EINVAL, "watch-memory");
  oom->file = open(arg[0].s, O_RDONLY | O_CLOEXEC);
  if (oom->file < 0)
    return errno == ENOENT ? 0 : fail(task, errno, "%.200s", arg[0].s);
  oom->is_file = arg[1].s[0] == 0;
  if (oom->is_file)
    oom->source.fd = oom->file;
  else if (register_eventfd(oom, arg[1].s) < 0)
    return errno == ENOENT ? 0 : fail(task, errno, "%.200s", arg[1].s);
  (void)read_counts(oom->file, &oom->before, &unused); /* on v2, reading the file arms its notification */
  return 0;
}

void oom_arm(struct oom *oom) { source_arm(&oom->source, oom->is_file ? EPOLLPRI : EPOLLIN); }

void oom_close(struct oom *oom) {
  int eventfd = oom->source.fd;
  source_close(&oom->source);
  if (eventfd >= 0 && !oom->is_file)
    close(oom->file);
  oom->look_at_ms = 0;
}

static void tell(struct oom *oom, uint64_t kills) {
  uint32_t count = oom->kills = (uint32_t)kills;
  control_tell(F_OOM, &count, sizeof count);
}

/* true: something was killed since the last look. */
static bool look(struct oom *oom, bool *stands) {
  uint64_t kills;
  if (!read_counts(oom->file, &kills, stands)) {
    oom_close(oom);
    return false;
  }
  if (kills <= oom->before + oom->kills)
    return false;
  tell(oom, kills - oom->before);
  return true;
}

void oom_ready(struct oom *oom) {
  uint64_t times;
  bool stands;
  if (!oom->is_file && read(oom->source.fd, &times, sizeof times) < 0)
    return;
  if (look(oom, &stands) || oom->is_file || oom->source.fd < 0)
    return;
  if (stands)
    tell(oom, oom->kills);
  oom->wait_ms = FIRST_LOOK_MS;
  oom->look_at_ms = monotonic_ms() + oom->wait_ms;
}

int oom_patience(const struct oom *oom) {
  if (oom->look_at_ms == 0)
    return -1;
  int64_t left_ms = oom->look_at_ms - monotonic_ms();
  return left_ms < 0 ? 0 : (int)left_ms;
}

void oom_look_again(struct oom *oom) {
  bool unused;
  if (oom->look_at_ms == 0 || oom->look_at_ms > monotonic_ms())
    return;
  oom->wait_ms *= 2;
  bool found = look(oom, &unused);
  oom->look_at_ms = found || oom->source.fd < 0 || oom->wait_ms > LAST_LOOK_MS ? 0 : oom->look_at_ms + oom->wait_ms;
}

void oom_finish(struct oom *oom) {
  bool unused;
  if (oom->source.fd < 0)
    return;
  (void)look(oom, &unused);
  oom_close(oom);
}
