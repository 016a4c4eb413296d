/* The engine's life: started on demand, restarted when it dies, asked to leave when it is idle. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor.h"

enum {
  BACKOFF_MIN_MS = 100,
  BACKOFF_MAX_MS = 5000,
  SHORT_LIFE_MS = 1000,       /* an engine that lived less is restarted with a delay */
  STOP_PATIENCE_MS = 10000,
};

static struct {
  struct engine_setting is;
  pid_t pid;                          /* 0: not running */
  int link;                           /* the peer that said ENGINE; -1 */
  bool serves;                        /* it answers clients */
  bool needed;                        /* something happened since it was last asked to leave */
  bool stopping;
  bool left;                          /* it stops because no engine can be started from here */
  int64_t backoff_ms;
  int64_t started_at, start_at, leave_at, kill_at; /* monotonic ms; 0: not planned (started_at: never started) */
} engine = {.link = -1};

void supervisor_engine_configure(struct engine_setting setting) { engine.is = setting; }

/* The engine gets the API's listening socket as descriptor 3, its lock as 4, and no other descriptor of ours. */
_Noreturn static void become_engine(void) {
  if (engine.is.api == 3)
    fcntl(3, F_SETFD, 0);
  else
    dup2(engine.is.api, 3);
  syscall(SYS_close_range, 4U, ~0U, 0U);
  supervisor_lock_engine(engine.is.places);
  supervisor_restore_signals();
  signal(SIGPIPE, SIG_DFL);
  /* Ten times the default threshold of JavaScriptCore's last compiler (FTL): compiling for some hundred requests never pays, a loop
   * over an archive soon reaches the threshold. Set here, because BUN_* variables of whoever started us are removed. */
  setenv("BUN_JSC_thresholdForFTLOptimizeAfterWarmUp", "640000", 1);
  /* The memory size, in bytes, that the garbage collector assumes: above four fifths of it (resident) it collects more often. */
  setenv("BUN_JSC_forceRAMSize", "160000000", 1);
  execv(engine.is.argv[0], engine.is.argv);
  failing_exec(engine.is.argv[0], errno);
}

static void start(void) {
  engine.start_at = 0;
  if (engine.pid > 0 || engine.stopping)
    return;
  supervisor_unwatch(engine.is.api); /* from now on the engine accepts */
  engine.started_at = monotonic_ms();
  engine.needed = engine.serves = false;
  failing_prepare();
  pid_t child = fork();
  if (child == 0)
    become_engine();
  if (child < 0) {
    supervisor_watch(API, engine.is.api);
    engine.start_at = monotonic_ms() + BACKOFF_MAX_MS;
    return;
  }
  engine.pid = child;
  (void)POINT("supervisor.engine.started");
}

void supervisor_engine_need(void) {
  engine.needed = true;
  if (engine.pid == 0 && engine.start_at == 0)
    start();
}

/* Stops the supervisor because no engine can be started from here: the next command may belong to an installation that can.
 * Containers, monitors and netd run on. systemd does not restart a service that exits with EXIT_REFUSED; its socket does. */
static void leave(void) {
  fprintf(stderr, "orlop: the supervisor leaves: %s\n", failing_message());
  engine.stopping = engine.left = true;
}

/* Plans the next try, with exponential back-off. */
static void plan_restart(void) {
  engine.backoff_ms = engine.backoff_ms == 0 ? BACKOFF_MIN_MS : engine.backoff_ms * 2;
  engine.backoff_ms = engine.backoff_ms < BACKOFF_MAX_MS ? engine.backoff_ms : BACKOFF_MAX_MS;
  engine.start_at = monotonic_ms() + engine.backoff_ms;
  if (!failing_is_told())
    supervisor_unwatch(engine.is.api); /* a waiting client must not start it sooner */
}

static void ended(int status) {
  bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0 && engine.serves;
  int64_t lived_ms = monotonic_ms() - engine.started_at;
  engine.pid = 0;
  engine.leave_at = 0;
  (void)POINT("supervisor.engine.ended");
  if (engine.stopping)
    return;
  supervisor_watch(API, engine.is.api);
  if (well && !engine.needed) {
    engine.backoff_ms = 0;
    return;
  }
  if (!engine.serves)
    failing_note(engine.is.places, engine.is.argv[0], status, engine.is.service);
  if (!well)
    fprintf(stderr, "orlop: the engine ended with %s %d\n", WIFSIGNALED(status) ? "signal" : "status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  if (well || (engine.serves && lived_ms >= SHORT_LIFE_MS)) {
    engine.backoff_ms = 0;
    start();
  } else if (failing_is_told() && failing_for_good())
    leave();
  else
    plan_restart();
}

void supervisor_engine_stop(void) {
  if (engine.stopping)
    return;
  engine.stopping = true;
  engine.start_at = engine.leave_at = 0;
  if (engine.pid > 0) {
    kill(engine.pid, SIGTERM);
    engine.kill_at = monotonic_ms() + STOP_PATIENCE_MS;
  }
}

bool supervisor_engine_ended(pid_t child, int status) {
  if (child != engine.pid)
    return false;
  ended(status);
  return true;
}

/* While the next try is only planned, the client is told how the last ones failed. */
void supervisor_engine_client_waits(void) {
  if (engine.start_at != 0 && failing_is_told())
    failing_answer(engine.is.api);
  else
    start();
}

bool supervisor_engine_is_over(void) { return engine.stopping && engine.pid == 0; }

bool supervisor_engine_has_left(void) { return engine.left; }

/* ── its link ──────────────────────────────────────────────────────────────────────────────────────────────────── */

void supervisor_engine_linked(int fd) {
  engine.link = fd;
  engine.leave_at = engine.is.idle_ms > 0 ? monotonic_ms() + engine.is.idle_ms : 0;
}

void supervisor_engine_unlinked(int fd) {
  if (fd == engine.link)
    engine.link = -1;
}

void supervisor_engine_serves(int fd) {
  if (fd != engine.link)
    return;
  engine.serves = true;
  failing_over();
}

int64_t supervisor_engine_keep_time(int64_t now) {
  int64_t next = 0;
  if (engine.start_at != 0 && engine.start_at <= now)
    start();
  if (engine.leave_at != 0 && engine.leave_at <= now) {
    engine.leave_at = now + engine.is.idle_ms;
    engine.needed = false;
    if (engine.link >= 0)
      send_frame(engine.link, F_LEAVE, NULL, 0);
  }
  if (engine.kill_at != 0 && engine.kill_at <= now) {
    engine.kill_at = 0;
    kill(engine.pid, SIGKILL);
  }
  const int64_t planned[] = {engine.start_at, engine.leave_at, engine.kill_at};
  for (size_t i = 0; i < sizeof planned / sizeof planned[0]; i++)
    if (planned[i] != 0 && (next == 0 || planned[i] < next))
      next = planned[i];
  return next;
}
