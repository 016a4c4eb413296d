/* The monitor: a container's parent, from the plan's END until the last attached client has read everything. One epoll loop; an
 * idle monitor has no timer and keeps only a few pages of memory. What it does at the container's events is in
 * monitor_container.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "monitor.h"

enum { EVENTS_MAX = 16, KEPT_BYTES = 8 << 10 };
/* Idle for this long after an event, the monitor gives its pages back, once, and then waits without a timeout. */
enum { SETTLE_MS = 1000 };
/* How long an engine may take to let go of the mounts. It sweeps up 50 ms after the exit, and other tasks may delay that. */
enum { HOLD_MS = 500 };

struct monitor monitor;
uint8_t burst_buffer[BURST_MAX] __attribute__((aligned(4096)));

struct monitor *monitor_of(struct task *task) {
  struct monitor *m = &monitor;
  if (task->monitor != NULL)
    return m;
  task->monitor = m;
  m->task = task;
  m->epoll = m->listen_dir = m->slave = m->mounts = m->log.file.fd = -1;
  for (int i = 0; i < 3; i++)
    m->child_end[i] = -1;
  source_clear(&m->channel, SOURCE_CHANNEL, 0);
  source_clear(&m->pidfd, SOURCE_PIDFD, 0);
  source_clear(&m->listener, SOURCE_LISTENER, 0);
  source_clear(&m->input, SOURCE_INPUT, 0);
  source_clear(&m->log.writer, SOURCE_WRITER, 0);
  source_clear(&m->oom.source, SOURCE_OOM, 0);
  source_clear(&m->output[0], SOURCE_OUTPUT, 0);
  source_clear(&m->output[1], SOURCE_OUTPUT, 1);
  for (uint16_t i = 0; i < PEERS_MAX; i++) {
    source_clear(&m->peer[i].source, SOURCE_PEER, i);
    m->peer[i].passed = m->peer[i].origin = -1;
  }
  return m;
}

/* ── the loop ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void dispatch(const struct epoll_event *event) {
  struct monitor *m = &monitor;
  uint32_t index = (uint32_t)event->data.u64;
  switch ((enum source_kind)(event->data.u64 >> 32)) {
  case SOURCE_CHANNEL:
    if (m->channel.fd >= 0)
      read_channel();
    break;
  case SOURCE_PIDFD:
    container_exited();
    break;
  case SOURCE_LISTENER:
    if (m->listener.fd >= 0)
      peers_accept();
    break;
  case SOURCE_OUTPUT:
    if (m->output[index].fd >= 0 && !attach_behind((int)index + 1))
      read_output((int)index);
    break;
  case SOURCE_INPUT:
    if (m->input_size > 0)
      input_flush();
    else if (event->events & EPOLLERR)
      input_drop();
    break;
  case SOURCE_PEER:
    peer_ready(&m->peer[index], event->events);
    break;
  case SOURCE_OOM:
    if (m->oom.source.fd >= 0)
      oom_ready(&m->oom);
    break;
  case SOURCE_WRITER:
    if (m->log.writer.fd >= 0)
      log_written();
    break;
  }
}

/* The events that each source is armed for follow from the state alone, and are computed anew before each wait. */
static void arm_all(void) {
  struct monitor *m = &monitor;
  for (int i = 0; i < 2; i++)
    source_arm(&m->output[i], attach_behind(i + 1) ? NOT_ARMED : EPOLLIN);
  bool terminal = m->stdio_flags & STDIO_TERMINAL; /* only a pipe reports (EPOLLERR) that it has no reader left */
  source_arm(&m->input, m->input_size > 0 ? EPOLLOUT : terminal ? NOT_ARMED : 0);
  attach_arm();
}

static void wait_and_dispatch(int timeout) {
  struct epoll_event events[EVENTS_MAX];
  int memory = oom_patience(&monitor.oom);
  bool to_trim = monitor.active && monitor.state == RUNNING && memory < 0;
  arm_all();
  int settle = monitor.touched > KEPT_BYTES ? 0 : SETTLE_MS;
  int count = epoll_wait(monitor.epoll, events, EVENTS_MAX, to_trim ? settle : memory >= 0 ? memory : timeout);
  if (count == 0 && to_trim) {
    monitor_trim();
    count = monitor_wait_unmapped(events, EVENTS_MAX, timeout);
  }
  monitor.active = true;
  for (int i = 0; i < count && !monitor.failed; i++)
    dispatch(&events[i]);
  oom_look_again(&monitor.oom);
}

static void adopt(struct task *task, struct inbox *box) {
  struct monitor *m = task->monitor;
  m->epoll = epoll_create1(EPOLL_CLOEXEC);
  m->pid = task->child;
  m->channel.fd = task->channel;
  m->pidfd.fd = task->child_pidfd;
  if ((task->clone_flags & CLONE_NEWNS) != 0)
    hold_mounts();
  monitor_find_program();
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_NAME, "orlop-monitor");
  for (int i = 0; i < 3; i++)
    close_fd(&m->child_end[i]);
  close_fd(&task->root);
  close_fd(&task->proc);
  close_fd(&task->empty);
  targets_close(task);
  source_arm(&m->channel, EPOLLIN);
  source_arm(&m->pidfd, EPOLLIN);
  source_arm(&m->listener, EPOLLIN);
  oom_arm(&m->oom);
  if (m->log.nonblocking && log_writer_start(&m->log) < 0)
    m->log.nonblocking = false; /* without the second process a slow disk stops the container: better than lost records */
  control_adopt(task->conn, box);
}

/* Unmounting an overlay syncs the whole file system of its upper directory. An engine that removes the container at once removes
 * the changes first, which leaves nothing to sync; so the mounts are held until the engine half-closes its connection, or for
 * HOLD_MS. Not while a client waits for the end of its stream, and not for a container whose changes are never synced. */
static void hold_while_wanted(void) {
  struct monitor *m = &monitor;
  int64_t left, until = monotonic_ms() + HOLD_MS;
  m->holds = m->mounts >= 0 && m->record.sync && control_alone();
  while (m->holds && control_any() && (left = until - monotonic_ms()) > 0)
    wait_and_dispatch((int)left);
  m->holds = false;
}

int monitor_run(struct task *task, struct inbox *box) {
  struct monitor *m = task->monitor;
  adopt(task, box);
  (void)POINT("monitor.adopted");
  while (!m->told && !m->failed)
    wait_and_dispatch(-1);
  if (m->failed) {
    child_kill(task);
    monitor_abandon(task);
    if (m->failure.kind == C_FAILED) /* told last, when nothing of the container is left */
      control_fail(&m->failure);
    return 1;
  }
  hold_while_wanted();
  release_mounts();
  for (int timeout; (timeout = attach_linger()) >= 0;)
    wait_and_dispatch(timeout);
  return m->unheard ? MONITOR_ENDED : 0;
}
