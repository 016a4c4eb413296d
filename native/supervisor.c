/* The supervisor: owns the sockets and the state lock, starts the engine when somebody needs it, forks the tasks.
 *
 * Everything it waits for is in one epoll set; the engine is started by whichever comes first: a client's connection, the
 * end of a monitor, WAKE. While the engine runs, it accepts the clients itself. */
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
#define ORLOP_NATIVE "" /* scripts/build-native.ts names what it builds */
#endif

enum {
  BACKOFF_MIN_MS = 100,
  BACKOFF_MAX_MS = 5000,
  SHORT_LIFE_MS = 1000,       /* an engine that lived less is restarted with a delay */
  STOP_PATIENCE_MS = 10000,
  TASK_END_MS = 100,
};

static struct {
  struct places places;
  struct listeners listeners;
  char **engine_argv;
  int epoll, signals;
  pid_t engine;                       /* 0: not running */
  pid_t netd;                         /* whose end is noticed */
  int engine_link;                    /* the peer that said ENGINE; -1 */
  bool service;
  bool stopping;
  bool left;                          /* stopping because no engine can be started from here */
  bool serves;                        /* the engine answers clients */
  bool needed;                        /* something happened since the engine was last asked to leave */
  int64_t idle_ms, backoff_ms;
  int64_t started_at, start_at, leave_at, kill_at; /* monotonic, ms; 0: not planned (but started_at) */
} self;

int64_t supervisor_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void supervisor_watch(enum source source, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)source << 32 | (unsigned)fd};
  epoll_ctl(self.epoll, EPOLL_CTL_ADD, fd, &event);
}

void supervisor_unwatch(int fd) { epoll_ctl(self.epoll, EPOLL_CTL_DEL, fd, NULL); }

/* In a forked child: the signals as a program expects them. */
static void restore_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ── the engine ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The listening socket as descriptor 3, its lock as the next, and nothing else of ours. */
_Noreturn static void become_engine(void) {
  if (self.listeners.api == 3)
    fcntl(3, F_SETFD, 0);
  else
    dup2(self.listeners.api, 3);
  syscall(SYS_close_range, 4U, ~0U, 0U);
  supervisor_lock_engine(self.places);
  restore_signals();
  signal(SIGPIPE, SIG_DFL);
  execv(self.engine_argv[0], self.engine_argv);
  failing_exec(self.engine_argv[0], errno);
}

static void start_engine(void) {
  self.start_at = 0;
  if (self.engine > 0 || self.stopping)
    return;
  supervisor_unwatch(self.listeners.api); /* from now on the engine accepts */
  self.started_at = supervisor_now_ms();
  self.needed = self.serves = false;
  failing_prepare();
  pid_t child = fork();
  if (child == 0)
    become_engine();
  if (child < 0) {
    supervisor_watch(API, self.listeners.api);
    self.start_at = supervisor_now_ms() + BACKOFF_MAX_MS;
    return;
  }
  self.engine = child;
  (void)POINT("supervisor.engine.started");
}

/* Something that only the engine can answer happened. */
void supervisor_need_engine(void) {
  self.needed = true;
  if (self.engine == 0 && self.start_at == 0)
    start_engine();
}

/* No engine can be started from here: perhaps from where the next command is, if we are out of its way. Containers, monitors
 * and netd do without us. A service is not started again for this (EXIT_REFUSED), but by its socket. */
static void leave(void) {
  fprintf(stderr, "orlop: the supervisor leaves: %s\n", failing_message());
  self.stopping = self.left = true;
}

/* The next try; the longer it has failed, the later. */
static void plan_restart(void) {
  self.backoff_ms = self.backoff_ms == 0 ? BACKOFF_MIN_MS : self.backoff_ms * 2;
  self.backoff_ms = self.backoff_ms < BACKOFF_MAX_MS ? self.backoff_ms : BACKOFF_MAX_MS;
  self.start_at = supervisor_now_ms() + self.backoff_ms;
  if (!failing_is_told())
    supervisor_unwatch(self.listeners.api); /* a waiting client must not start it sooner */
}

static void engine_ended(int status) {
  bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0 && self.serves;
  int64_t lived_ms = supervisor_now_ms() - self.started_at;
  self.engine = 0;
  self.leave_at = 0;
  (void)POINT("supervisor.engine.ended");
  if (self.stopping)
    return;
  supervisor_watch(API, self.listeners.api);
  if (well && !self.needed) {
    self.backoff_ms = 0;
    return;
  }
  if (!self.serves)
    failing_note(self.places, self.engine_argv[0], status, self.service);
  if (!well)
    fprintf(stderr, "orlop: the engine ended with %s %d\n", WIFSIGNALED(status) ? "signal" : "status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  if (well || (self.serves && lived_ms >= SHORT_LIFE_MS)) {
    self.backoff_ms = 0;
    start_engine();
  } else if (failing_is_told() && failing_for_good())
    leave();
  else
    plan_restart();
}

void supervisor_stop(void) {
  if (self.stopping)
    return;
  self.stopping = true;
  self.start_at = self.leave_at = 0;
  if (self.engine > 0) {
    kill(self.engine, SIGTERM);
    self.kill_at = supervisor_now_ms() + STOP_PATIENCE_MS;
  }
}

/* ── children ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void reap_children(void) {
  int status;
  pid_t child;
  while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
    if (child == self.engine)
      engine_ended(status);
    else if (WIFSIGNALED(status))
      supervisor_need_engine(); /* perhaps a monitor; one that ends well says WAKE itself */
  }
}

static void take_signals(void) {
  struct signalfd_siginfo info;
  while (read(self.signals, &info, sizeof info) == (ssize_t)sizeof info) {
    if (info.ssi_signo == SIGCHLD)
      reap_children();
    else
      supervisor_stop();
  }
}

/* A connection to control.sock becomes a task, which has that connection and nothing else. */
static void fork_task(void) {
  int conn = accept4(self.listeners.control, NULL, NULL, SOCK_CLOEXEC);
  if (conn < 0)
    return;
  pid_t supervisor = getpid(), child = fork();
  if (child == 0) {
    if (conn != 3 && dup3(conn, 3, O_CLOEXEC) < 0)
      _exit(1);
    syscall(SYS_close_range, 4U, ~0U, 0U);
    restore_signals();
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

/* ── what its connections tell ─────────────────────────────────────────────────────────────────────────────────── */

void supervisor_link_engine(int fd) {
  self.engine_link = fd;
  self.leave_at = self.idle_ms > 0 ? supervisor_now_ms() + self.idle_ms : 0;
}

void supervisor_engine_serves(int fd) {
  if (fd != self.engine_link)
    return;
  self.serves = true;
  failing_over();
}

void supervisor_peer_left(int fd) {
  if (fd == self.engine_link)
    self.engine_link = -1;
}

void supervisor_watch_orphan(pid_t pid) {
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd >= 0)
    supervisor_watch(ORPHAN, fd);
  else if (errno == ESRCH)
    supervisor_need_engine(); /* it has ended meanwhile */
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
  case API: /* a try is planned: who waits is told what the last ones came to */
    if (self.start_at != 0 && failing_is_told())
      failing_answer(self.listeners.api);
    else
      start_engine();
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
    supervisor_need_engine();
    break;
  }
}

/* What is due by the clock; returns how long epoll may sleep, -1 for ever. */
static int keep_time(void) {
  int64_t now = supervisor_now_ms(), next = 0;
  if (self.start_at != 0 && self.start_at <= now)
    start_engine();
  if (self.leave_at != 0 && self.leave_at <= now) {
    self.leave_at = now + self.idle_ms;
    self.needed = false;
    if (self.engine_link >= 0)
      send_frame(self.engine_link, F_LEAVE, NULL, 0);
  }
  if (self.kill_at != 0 && self.kill_at <= now) {
    self.kill_at = 0;
    kill(self.engine, SIGKILL);
  }
  const int64_t planned[] = {self.start_at, self.leave_at, self.kill_at};
  for (size_t i = 0; i < sizeof planned / sizeof planned[0]; i++)
    if (planned[i] != 0 && (next == 0 || planned[i] < next))
      next = planned[i];
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
  while (!self.stopping || self.engine > 0) {
    int timeout_ms = keep_time();
    int count = epoll_wait(self.epoll, events, sizeof events / sizeof events[0], timeout_ms);
    for (int i = 0; i < count; i++)
      handle(&events[i]);
  }
  supervisor_unlink_sockets(self.places);
  if (self.left) {
    supervisor_unlock(); /* before the first is told: it may start another supervisor at once */
    failing_answer(self.listeners.api);
  }
  /* A task that is just ending may hold them a moment longer; a monitor that stays does this at its own end. */
  for (int waited_ms = 0; !supervisor_leave_groups() && waited_ms < TASK_END_MS; waited_ms++)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  return self.left ? EXIT_REFUSED : 0;
}

/* After a boot somebody has to look which containers come back; after a restart, which have ended. The engine is told that
 * whoever started us will do so again. */
static void begin_service(const char *manager) {
  setenv("ORLOP_SERVICE", "1", 1);
  supervisor_notify(manager, "READY=1");
  if (supervisor_has_containers(self.places))
    supervisor_need_engine();
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
  self.idle_ms = (int64_t)(idle_seconds * 1000);
  self.engine_argv = argv + 5;
  self.engine_link = -1;
  if (supervisor_check_namespaces(&code) < 0 || supervisor_inherit(&self.listeners.api, &code) < 0)
    return code;
  bool service = self.service = self.listeners.api >= 0;
  if ((service ? supervisor_take_over(self.places, &code) : supervisor_lock(self.places, &code, false)) < 0)
    return code;
  char *manager = getenv("NOTIFY_SOCKET");
  manager = manager == NULL ? NULL : strdup(manager); /* no process that we start shall know it */
  supervisor_normalise(service);
  setenv("ORLOP_SUPERVISOR_BUILD", ORLOP_NATIVE, 1); /* an engine of a later build replaces us */
  if (supervisor_listen(self.places, &self.listeners, &code) < 0)
    return code;
  (void)POINT("supervisor.listening");
  if ((service ? supervisor_stay() : supervisor_daemonize(self.places)) < 0 || open_events() < 0)
    return EXIT_REFUSED;
  if (service)
    begin_service(manager);
  return run();
}
