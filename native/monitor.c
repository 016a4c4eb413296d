/* The monitor: a container's parent, from the plan's END to the last reader. One epoll loop; while nothing happens it has no
 * timer, and no memory beyond a few pages. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor.h"

enum { EVENTS_MAX = 16, KEPT_BYTES = 8 << 10, TERMINAL_BYTES_MAX = 128 << 10 };
/* After something happened, and then nothing for this long, pages are given back once; then no timeout is left. */
enum { SETTLE_MS = 1000 };
/* What is left of containers is swept 50 ms after their end, by a task that others may keep waiting. */
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

uint64_t unix_time_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

int64_t monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int open_parent(const char *path, char *name, size_t size) {
  char directory[4096];
  const char *slash = strrchr(path, '/');
  const char *last = slash == NULL ? path : slash + 1;
  if (last[0] == 0 || strcmp(last, ".") == 0 || strcmp(last, "..") == 0) {
    errno = EINVAL;
    return -1;
  }
  if (strlen(last) >= size || (size_t)(last - path) >= sizeof directory) {
    errno = ENAMETOOLONG;
    return -1;
  }
  snprintf(name, size, "%s", last);
  snprintf(directory, sizeof directory, "%.*s", (int)(last - path), path);
  return open(slash == NULL ? "." : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void close_fd(int *fd) {
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

/* ── output ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* One read of a stream, handed to everybody. How much came; 0 at its end, -1 when nothing is there. */
static ssize_t read_output(int index) {
  struct source *source = &monitor.output[index];
  ssize_t got = read(source->fd, burst_buffer, BURST_MAX);
  if (got > 0) {
    attach_send(index + 1, burst_buffer, (size_t)got);
    log_take(index + 1, burst_buffer, (size_t)got);
    log_flush();
    if ((size_t)got > monitor.touched)
      monitor.touched = (size_t)got;
  } else if (got < 0 && errno == EIO && monitor.slave >= 0 && monitor.state != EXITED) {
    terminal_revive();
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    source_close(source);
    return 0;
  }
  return got;
}

/* What the pipe held when init died; not to its end, which a process outside of init's PID namespace may hold open. */
static void drain_output(int index) {
  struct source *source = &monitor.output[index];
  if (source->fd < 0)
    return;
  int capacity = fcntl(source->fd, F_GETPIPE_SZ);
  ssize_t left = capacity > 0 ? capacity : TERMINAL_BYTES_MAX, got;
  while (left > 0 && (got = read_output(index)) > 0)
    left -= got;
  source_close(source);
}

/* ── mounts ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Held, the container's mounts outlive its last process, whose exit else takes them apart before anybody hears of it: so they are
 * held before its program runs, which may end at once. */
static void hold_mounts(void) {
  char path[40];
  snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)monitor.pid);
  monitor.mounts = open(path, O_RDONLY | O_CLOEXEC); /* -1: it has ended already, and its mounts with it */
}

/* The end of the connections is what says that they are gone. */
static void release_mounts(void) {
  close_fd(&monitor.mounts);
  (void)POINT("monitor.exit.unmounted");
  control_leave();
}

/* ── start and exit ────────────────────────────────────────────────────────────────────────────────────────────── */

static void container_started(void) {
  struct monitor *m = &monitor;
  uint8_t payload[12];
  uint32_t pid = (uint32_t)m->pid;
  source_close(&m->channel);
  m->state = RUNNING;
  m->started = unix_time_ns();
  (void)POINT("monitor.started");
  memcpy(payload, &pid, 4);
  memcpy(payload + 4, &m->started, 8);
  control_tell(F_STARTED, payload, sizeof payload);
}

/* What the child reports; the end of it means that execve succeeded. */
static void read_channel(void) {
  struct channel_message message;
  int fd = -1;
  int got = channel_receive(monitor.channel.fd, &message, &fd);
  if (got > 0 && message.kind == C_FAILED) {
    monitor.failure = message;
    monitor.failed = true;
  } else if (got > 0 && message.kind == C_TERMINAL && fd >= 0) {
    (void)POINT("monitor.terminal");
    terminal_adopt(fd);
    fd = -1;
  } else if (got <= 0) {
    container_started();
  }
  if (fd >= 0)
    close(fd);
}

/* The log is whole now. */
static void tell_exit(void) {
  struct monitor *m = &monitor;
  uint8_t payload[12];
  m->told = true;
  memcpy(payload, &m->status, 4);
  memcpy(payload + 4, &m->ended, 8);
  (void)POINT("monitor.exit.recorded");
  attach_await_engine();
  (void)attach_linger(); /* before EXITED: who hears of that can have all of the output first */
  control_tell(F_EXITED, payload, sizeof payload);
  m->unheard = !control_any();
  if (m->unheard)
    exit_record_wake(&m->record);
  (void)POINT("monitor.exit.told");
}

static void container_exited(void) {
  struct monitor *m = &monitor;
  while (m->channel.fd >= 0 && !m->failed)
    read_channel();
  if (m->failed)
    return;
  waitpid(m->pid, &m->status, 0);
  m->task->child = 0;
  m->ended = unix_time_ns();
  m->state = EXITED;
  source_close(&m->pidfd);
  input_drop();
  (void)POINT("monitor.exit.reaped");
  oom_finish(&m->oom); /* before EXITED */
  drain_output(0);
  drain_output(1);
  close_fd(&m->slave);
  log_finish();
  (void)POINT("monitor.exit.logged");
  exit_record_write(&m->record, m->status, m->ended, control_any());
  monitor_stop_listening(); /* before EXITED: the next monitor of this container may listen at once */
  if (!log_behind())
    tell_exit();
}

/* The process behind a nonblocking log wrote something. */
static void log_written(void) {
  log_catch_up();
  if (log_behind())
    return;
  attach_resume();
  if (monitor.state == EXITED && !monitor.told)
    tell_exit();
}

void monitor_abandon(struct task *task) {
  struct monitor *m = task->monitor;
  monitor_stop_listening();
  log_file_abandon(&m->log.file);
  exit_record_abandon(&m->record);
  (void)POINT("monitor.abandoned");
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

/* What each source may do now follows from the state alone, so it is said anew before each wait. */
static void arm_all(void) {
  struct monitor *m = &monitor;
  for (int i = 0; i < 2; i++)
    source_arm(&m->output[i], attach_behind(i + 1) ? NOT_ARMED : EPOLLIN);
  bool terminal = m->stdio_flags & STDIO_TERMINAL; /* of a pipe alone is it worth knowing that nobody reads */
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
    m->log.nonblocking = false; /* no second process: better slow than lost */
  control_adopt(task->conn, box);
}

/* An overlay that is taken apart syncs the whole file system that its changes are on. Who removes the container at once removes those
 * first; so they are held until the engine lets go (it says nothing more), or does not for a while. Not where a client waits for the end
 * of its stream, nor of a container whose changes are never synced. */
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
    if (m->failure.kind == C_FAILED) /* told last: then nothing is left behind */
      control_fail(&m->failure);
    return 1;
  }
  hold_while_wanted();
  release_mounts();
  for (int timeout; (timeout = attach_linger()) >= 0;)
    wait_and_dispatch(timeout);
  return m->unheard ? MONITOR_ENDED : 0;
}
