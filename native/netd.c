/* netd: what networks need while no engine runs. It holds published ports, relays what the kernel cannot forward, answers DNS
 * questions, and watches for changes of firewall rules and addresses. One epoll loop, one thread, no policy: it has what the engine
 * last told it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "netd.h"

enum { EVENTS_MAX = 64, DESCRIPTORS = 1 << 20 };

uint32_t netd_generation;
const char *netd_run_directory;
int netd_home = -1;

static int epoll = -1;
static struct mortal *dead;

/* ── watched descriptors ────────────────────────────────────────────────────────────────────────────────────────────── */

void watched_arm(struct watched *watched, int events) {
  if (watched->fd < 0 || watched->armed == events)
    return;
  int op = watched->armed == UNARMED ? EPOLL_CTL_ADD : events == UNARMED ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  struct epoll_event event = {.events = (uint32_t)events, .data.ptr = watched};
  if (epoll_ctl(epoll, op, watched->fd, &event) == 0)
    watched->armed = events;
}

void watched_close(struct watched *watched) {
  if (watched->fd < 0)
    return;
  watched_arm(watched, UNARMED);
  close(watched->fd);
  watched->fd = -1;
  watched->armed = UNARMED;
}

void free_later(struct mortal *mortal) {
  mortal->next = dead;
  dead = mortal;
}

static void bury(void) {
  while (dead != NULL) {
    struct mortal *next = dead->next;
    free(dead);
    dead = next;
  }
}

/* ── time and random ids ────────────────────────────────────────────────────────────────────────────────────────────── */

int64_t sooner(int64_t a, int64_t b) { return a == 0 || (b != 0 && b < a) ? b : a; }

uint16_t netd_random(void) {
  uint16_t value = 0;
  if (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value)
    abort(); /* cannot happen once the kernel's pool is ready; a guessable id would be worse */
  return value;
}

/* ── the loop ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Whether netd may exit: it holds nothing, and the next engine starts another. */
static bool is_needless(void) {
  return !engine_connected() && ports_owners() == 0 && relay_count() == 0 && resolvers_count() == 0 &&
         !watch_is_on();
}

static int keep_time(void) {
  int64_t now = monotonic_ms();
  int64_t next = sooner(flow_keep_time(now), engine_keep_time(now));
  next = sooner(next, sooner(conn_keep_time(now), forward_keep_time(now)));
  if (next == 0)
    return -1;
  return next <= now ? 0 : (int)(next - now);
}

static int run(void) {
  struct epoll_event events[EVENTS_MAX];
  for (;;) {
    int count = epoll_wait(epoll, events, EVENTS_MAX, keep_time());
    for (int i = 0; i < count; i++) {
      struct watched *watched = events[i].data.ptr;
      if (watched->fd >= 0 && watched->armed != UNARMED)
        watched->ready(watched, events[i].events);
    }
    bury();
    if (is_needless())
      return 0;
  }
}

/* As many as the kernel lets us have: two for each relayed connection, one for each port. */
static void raise_limits(void) {
  struct rlimit most = {DESCRIPTORS, DESCRIPTORS}, own;
  if (setrlimit(RLIMIT_NOFILE, &most) == 0 || getrlimit(RLIMIT_NOFILE, &own) < 0)
    return;
  own.rlim_cur = own.rlim_max;
  setrlimit(RLIMIT_NOFILE, &own);
}

int netd_run(int listener, const char *run_directory) {
  static struct watched door = {.armed = UNARMED, .ready = engine_accept};
  prctl(PR_SET_NAME, "orlop-netd");
  signal(SIGPIPE, SIG_IGN);
  raise_limits();
  netd_run_directory = run_directory;
  netd_home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0 || netd_home < 0)
    return 1;
  door.fd = listener;
  watched_arm(&door, EPOLLIN);
  (void)POINT("netd.started");
  return run();
}
