/* The descriptors in the monitor's epoll set, and the socket that engines and clients connect to. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "monitor.h"

enum { LISTEN_BACKLOG = 64 };

void source_clear(struct source *source, enum source_kind kind, uint16_t index) {
  *source = (struct source){.fd = -1, .armed = NOT_ARMED, .kind = (uint16_t)kind, .index = index};
}

void source_arm(struct source *source, int events) {
  if (source->fd < 0 || source->armed == events)
    return;
  int op = source->armed == NOT_ARMED ? EPOLL_CTL_ADD : events == NOT_ARMED ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  struct epoll_event event = {.events = (uint32_t)events, .data.u64 = (uint64_t)source->kind << 32 | source->index};
  if (epoll_ctl(monitor.epoll, op, source->fd, &event) == 0)
    source->armed = events;
}

/* Removed from epoll explicitly: while the child still has a duplicate, close(2) alone would leave it in. */
void source_close(struct source *source) {
  if (source->fd < 0)
    return;
  source_arm(source, NOT_ARMED);
  close(source->fd);
  source->fd = -1;
  source->armed = NOT_ARMED;
}

/* ── listening ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Replaces a socket that a dead monitor left. Bound through the directory's descriptor, because sun_path holds only 107 bytes. */
int step_listen(struct task *task, union argument *arg) {
  struct monitor *m = monitor_of(task);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (m->listener.fd >= 0)
    return fail(task, EINVAL, "listen");
  m->listen_dir = open_parent(arg[0].s, m->listen_name, sizeof m->listen_name);
  if (m->listen_dir < 0)
    return fail(task, errno, "%.200s", arg[0].s);
  m->listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (m->listener.fd < 0)
    return -1;
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%.63s", m->listen_dir, m->listen_name);
  unlinkat(m->listen_dir, m->listen_name, 0);
  mode_t mask = umask(0177);
  int bound = bind(m->listener.fd, (struct sockaddr *)&address, sizeof address);
  int error = errno;
  umask(mask);
  if (bound < 0)
    return fail(task, error, "%.200s", arg[0].s);
  return listen(m->listener.fd, LISTEN_BACKLOG);
}

void monitor_stop_listening(void) {
  if (monitor.listener.fd >= 0)
    unlinkat(monitor.listen_dir, monitor.listen_name, 0);
  source_close(&monitor.listener);
}
