/* The supervisor: owns the sockets and the state lock, starts the engine on demand, and forks a task per connection.
 *
 * One epoll loop. The engine (supervisor_engine.c) is started by a client's connection, the end of a monitor, or WAKE. While it
 * runs, the engine accepts the clients itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

#ifndef ORLOP_NATIVE
#define ORLOP_NATIVE "" /* a hash of the sources, set by scripts/build-native.ts */
#endif

enum { TASK_END_MS = 100 };

static struct {
  struct places places;
  struct listeners listeners;
  int epoll, signals;
  pid_t netd;                         /* netd, whose end starts the engine */
} self;

void supervisor_watch(enum source source, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)source << 32 | (unsigned)fd};
  epoll_ctl(self.epoll, EPOLL_CTL_ADD, fd, &event);
}

void supervisor_unwatch(int fd) { epoll_ctl(self.epoll, EPOLL_CTL_DEL, fd, NULL); }

void supervisor_restore_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ── children ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void reap_children(void) {
  int status;
  pid_t child;
  while ((child = waitpid(-1, &status, WNOHANG)) > 0)
    if (!supervisor_engine_ended(child, status) && WIFSIGNALED(status))
      supervisor_engine_need(); /* perhaps a monitor was killed; one that exits sends WAKE itself */
}

static void take_signals(void) {
  struct signalfd_siginfo info;
  while (read(self.signals, &info, sizeof info) == (ssize_t)sizeof info) {
    if (info.ssi_signo == SIGCHLD)
      reap_children();
    else
      supervisor_engine_stop();
  }
}

/* Forks a task for a connection to control.sock; the connection is its only descriptor. */
static void fork_task(void) {
  int conn = accept4(self.listeners.control, NULL, NULL, SOCK_CLOEXEC);
  if (conn < 0)
    return;
  pid_t supervisor = getpid(), child = fork();
  if (child == 0) {
    if (conn != 3 && dup3(conn, 3, O_CLOEXEC) < 0)
      _exit(1);
    syscall(SYS_close_range, 4U, ~0U, 0U);
    supervisor_restore_signals();
    prctl(PR_SET_NAME, "orlop-task");
    int code = task_serve(3);
    if (getppid() != supervisor)
      supervisor_leave_groups(); /* the last one out removes them */
    _exit(code);
  }
  if (child < 0)
    send_failed(conn, NO_STEP, errno, "fork");
  close(conn);
}

/* ── other processes that it watches ────────────────────────────────────────────────────────────────────────────────── */

void supervisor_watch_orphan(pid_t pid) {
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd >= 0)
    supervisor_watch(ORPHAN, fd);
  else if (errno == ESRCH)
    supervisor_engine_need(); /* it has ended meanwhile */
}

void supervisor_see_to_netd(int conn) {
  bool found;
  pid_t pid = supervisor_netd(self.places, &found);
  if (pid < 0) {
    send_failed(conn, NO_STEP, errno, "netd");
    return;
  }
  if (found && pid != self.netd)
    supervisor_watch_orphan(pid);
  self.netd = pid;
  (void)POINT("supervisor.netd.started");
  send_frame(conn, F_DONE, NULL, 0);
}

/* ── the loop ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void handle(const struct epoll_event *event) {
  int fd = (int)(uint32_t)event->data.u64;
  switch ((enum source)(event->data.u64 >> 32)) {
  case SIGNALS:
    take_signals();
    break;
  case API:
    supervisor_engine_client_waits();
    break;
  case CONTROL:
    fork_task();
    break;
  case LINK:
    supervisor_accept_peer(self.listeners.link);
    break;
  case PEER:
    supervisor_read_peer(self.listeners.link, fd);
    break;
  case ORPHAN:
    close(fd);
    supervisor_engine_need();
    break;
  }
}

/* Does what is due; returns for how many ms epoll may sleep, -1: without limit. */
static int keep_time(void) {
  int64_t now = monotonic_ms(), next = supervisor_engine_keep_time(now);
  if (next == 0)
    return -1;
  return next <= now ? 0 : (int)(next - now);
}

static int open_events(void) {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGCHLD);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  sigprocmask(SIG_SETMASK, &wanted, NULL);
  self.signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  self.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (self.signals < 0 || self.epoll < 0)
    return -1;
  supervisor_watch(SIGNALS, self.signals);
  supervisor_watch(API, self.listeners.api);
  supervisor_watch(CONTROL, self.listeners.control);
  supervisor_watch(LINK, self.listeners.link);
  return 0;
}

static int run(void) {
  struct epoll_event events[16];
  while (!supervisor_engine_is_over()) {
    int timeout_ms = keep_time();
    int count = epoll_wait(self.epoll, events, sizeof events / sizeof events[0], timeout_ms);
    for (int i = 0; i < count; i++)
      handle(&events[i]);
  }
  supervisor_unlink_sockets(self.places);
  if (supervisor_engine_has_left()) {
    supervisor_unlock(); /* before any client is answered: it may start another supervisor at once */
    failing_answer(self.listeners.api);
  }
  /* A task that is ending may be in our cgroups a moment longer. A monitor that stays removes them at its own end. */
  for (int waited_ms = 0; !supervisor_leave_groups() && waited_ms < TASK_END_MS; waited_ms++)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  return supervisor_engine_has_left() ? EXIT_REFUSED : 0;
}

/* Tells the engine that systemd restarts this supervisor, and starts the engine when there are containers: after a boot it starts
 * those with a restart policy, after a restart of the service it finds those that have ended. */
static void begin_service(const char *manager) {
  setenv("ORLOP_SERVICE", "1", 1);
  supervisor_notify(manager, "READY=1");
  if (supervisor_has_containers(self.places))
    supervisor_engine_need();
}

int supervisor_main(int argc, char **argv) {
  int code = EXIT_REFUSED;
  char *end = NULL;
  if (argc < 6) {
    fputs("orlop: supervisor RUN_DIR STATE_DIR IDLE_SECONDS ENGINE [ARGUMENT...]\n", stderr);
    return EXIT_REFUSED;
  }
  self.places = (struct places){.run = argv[2], .state = argv[3]};
  double idle_seconds = strtod(argv[4], &end);
  if (*end != 0 || !(idle_seconds >= 0 && idle_seconds <= 1e6)) {
    fprintf(stderr, "orlop: %s is not a number of seconds (0 = never leave)\n", argv[4]);
    return EXIT_REFUSED;
  }
  if (supervisor_check_namespaces(&code) < 0 || supervisor_inherit(&self.listeners.api, &code) < 0)
    return code;
  bool service = self.listeners.api >= 0;
  if ((service ? supervisor_take_over(self.places, &code) : supervisor_lock(self.places, &code, false)) < 0)
    return code;
  char *manager = getenv("NOTIFY_SOCKET");
  manager = manager == NULL ? NULL : strdup(manager); /* kept apart from the environment, which children inherit */
  supervisor_normalise(service);
  setenv("ORLOP_SUPERVISOR_BUILD", ORLOP_NATIVE, 1); /* an engine of another build replaces this supervisor */
  if (supervisor_listen(self.places, &self.listeners, &code) < 0)
    return code;
  supervisor_engine_configure((struct engine_setting){.places = self.places,
                                           .argv = argv + 5,
                                           .api = self.listeners.api,
                                           .idle_ms = (int64_t)(idle_seconds * 1000),
                                           .service = service});
  (void)POINT("supervisor.listening");
  if ((service ? supervisor_stay() : supervisor_daemonize(self.places)) < 0 || open_events() < 0)
    return EXIT_REFUSED;
  if (service)
    begin_service(manager);
  return run();
}
