/* What the monitor does when its container writes, starts and ends. native/README.md has the order of events at the exit. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor.h"

enum { TERMINAL_BYTES_MAX = 128 << 10 };

/* ── output ────────────────────────────────────────────────────────────────────────────────────────────────────── */

ssize_t read_output(int index) {
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

/* Reads what the pipe held when init ended, at most its capacity. Not up to its end of file: a process outside of init's PID
 * namespace may keep the pipe open and go on writing. */
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

/* ── mounts ────────────────────────────────────────────────────────────────────────────────────────────────────── */

void hold_mounts(void) {
  char path[40];
  snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)monitor.pid);
  monitor.mounts = open(path, O_RDONLY | O_CLOEXEC); /* -1: the child has ended, and its mounts are gone */
}

void release_mounts(void) {
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

void read_channel(void) {
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

/* Called once the log is complete. */
static void tell_exit(void) {
  struct monitor *m = &monitor;
  uint8_t payload[12];
  m->told = true;
  memcpy(payload, &m->status, 4);
  memcpy(payload + 4, &m->ended, 8);
  (void)POINT("monitor.exit.recorded");
  attach_await_engine();
  (void)attach_linger(); /* before EXITED: an engine that reads it may rely on clients having all output */
  control_tell(F_EXITED, payload, sizeof payload);
  m->unheard = !control_any();
  if (m->unheard)
    exit_record_wake(&m->record);
  (void)POINT("monitor.exit.told");
}

void container_exited(void) {
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

void log_written(void) {
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
