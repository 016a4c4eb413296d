/* The engine's connections: requests in, answers out. While an engine does not read its answers, its requests are not read either. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd.h"

enum { ENGINES_MAX = 8, TELL_MS = 200, RETRY_MS = 1000, STATE_NUMBERS = 5 };

struct engine { struct watched socket; bool greeted; struct inbox box; };

static struct engine engines[ENGINES_MAX];
static uint32_t engine_count;
/* `changed` is to be sent in CHANGED at `tell_at` (monotonic ms, 0: not planned); worth_waking: an engine is started for it. */
static uint8_t changed;
static bool worth_waking;
static int64_t tell_at;

static void engine_drop(struct engine *engine) {
  watched_close(&engine->socket);
  inbox_free(&engine->box);
  engine->greeted = false;
  engine_count--;
}

/* Whether a short frame can be written now. */
static bool takes_more(const struct engine *engine) {
  struct pollfd writable = {.fd = engine->socket.fd, .events = POLLOUT};
  return poll(&writable, 1, 0) > 0 && (writable.revents & (POLLERR | POLLHUP)) == 0;
}

/* ── telling ───────────────────────────────────────────────────────────────────────────────────────────────────── */

bool engine_connected(void) { return engine_count > 0; }

void engine_tell(uint8_t what, bool wake) {
  changed |= what;
  worth_waking |= wake;
  if (tell_at == 0) /* a burst is told once */
    tell_at = monotonic_ms() + TELL_MS;
}

/* true: an engine was told. *behind: one could not be told, because it has to read its answers first. */
static bool tell_engines(bool *behind) {
  bool told = false;
  for (int i = 0; i < ENGINES_MAX; i++) {
    struct engine *engine = &engines[i];
    if (engine->socket.fd < 0 || !engine->greeted || engine_count == 0)
      continue;
    if (!takes_more(engine))
      *behind = true;
    else if (send_frame(engine->socket.fd, F_CHANGED, &changed, sizeof changed) == 0)
      told = true;
    else
      engine_drop(engine);
  }
  return told;
}

/* netd waits for nobody: a supervisor that is gone, or hangs, is asked again later. */
static bool wake_now(void) {
  char path[4200];
  snprintf(path, sizeof path, "%s/supervisor.sock", netd_run_directory);
  return wake_engine(path, 0);
}

/* What no engine has been told stays in `changed`: the engine that connects next is told. */
int64_t engine_keep_time(int64_t now) {
  if (tell_at == 0 || tell_at > now)
    return tell_at;
  tell_at = 0;
  bool behind = false;
  if (tell_engines(&behind)) {
    changed = 0;
    worth_waking = false;
  } else if (behind) {
    tell_at = now + RETRY_MS;
  } else if (worth_waking) {
    worth_waking = !wake_now();
    tell_at = worth_waking ? now + RETRY_MS : 0;
  }
  return tell_at;
}

/* ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static int answer(struct engine *engine, uint32_t request, struct span value) {
  if (!takes_more(engine))
    return -1;
  return send_value(engine->socket.fd, (int32_t)request, value);
}

static int answer_empty(struct engine *engine, uint32_t request) {
  static uint8_t nothing[1];
  return answer(engine, request, (struct span){nothing, 0});
}

static int refuse(struct engine *engine, uint32_t request, int error, const char *detail) {
  if (!takes_more(engine))
    return -1;
  return send_failed(engine->socket.fd, (int32_t)request, error, detail);
}

/* Owners of ports, sockets that hold them, relayed connections and peers, resolvers, endpoints with names: `u32` each. */
static int answer_state(struct engine *engine, uint32_t request) {
  const uint32_t numbers[STATE_NUMBERS] = {ports_owners(), ports_held(), relay_count() + flow_count(),
                                           resolvers_count(), names_count()};
  uint8_t value[sizeof numbers + 1] = {0};
  memcpy(value, numbers, sizeof numbers);
  return answer(engine, request, (struct span){value, sizeof numbers});
}

static int hold(struct engine *engine, uint32_t request, struct span payload) {
  char *owner, failed[32];
  if (!take_string(&payload, &owner))
    return -1;
  if (ports_hold(owner, payload, failed, sizeof failed) < 0)
    return errno == EPROTO ? -1 : refuse(engine, request, errno, failed);
  (void)POINT("netd.port.held");
  return answer_empty(engine, request);
}

static int resolver(struct engine *engine, uint32_t request, struct span payload) {
  char *owner;
  uint16_t port;
  uint8_t value[sizeof port + 1] = {0};
  if (!take_string(&payload, &owner))
    return -1;
  if (resolver_set(owner, payload, &port) < 0)
    return errno == EPROTO ? -1 : refuse(engine, request, errno, "");
  (void)POINT("netd.resolver.set");
  memcpy(value, &port, sizeof port);
  return answer(engine, request, (struct span){value, sizeof port});
}

static int name(struct engine *engine, uint32_t request, struct span payload) {
  if (names_set(payload) < 0)
    return errno == EPROTO ? -1 : refuse(engine, request, errno, "");
  (void)POINT("netd.names.set");
  return answer_empty(engine, request);
}

static int watch_rules(struct engine *engine, uint32_t request, struct span payload) {
  char *table;
  if (!take_string(&payload, &table))
    return -1;
  if (watch_set(table) < 0)
    return refuse(engine, request, errno, "");
  (void)POINT("netd.watch.set");
  return answer_empty(engine, request);
}

static int end_sync(struct engine *engine, uint32_t request) {
  (void)POINT("netd.sync");
  ports_sweep();
  resolvers_sweep();
  names_sweep();
  watch_sweep();
  return answer_empty(engine, request);
}

/* -1: a protocol error, or the engine does not read its answers. */
static int take_request(struct engine *engine, uint8_t kind, struct span payload) {
  uint32_t request;
  if (!take_u32(&payload, &request))
    return -1;
  switch (kind) {
  case F_SYNC:
    netd_generation++;
    return answer_empty(engine, request);
  case F_SYNC_END:
    return end_sync(engine, request);
  case F_HOLD:
    return hold(engine, request, payload);
  case F_RESOLVER:
    return resolver(engine, request, payload);
  case F_NAMES:
    return name(engine, request, payload);
  case F_WATCH_RULES:
    return watch_rules(engine, request, payload);
  case F_STATE:
    return answer_state(engine, request);
  default:
    return -1;
  }
}

static int take_frame(struct engine *engine, uint8_t kind, struct span payload) {
  uint32_t version;
  if (engine->greeted)
    return take_request(engine, kind, payload);
  if (kind != F_HELLO || !take_u32(&payload, &version))
    return -1;
  if (version != PROTOCOL_VERSION) {
    refuse(engine, (uint32_t)NO_STEP, EPROTONOSUPPORT, "this netd speaks version 1");
    return -1;
  }
  engine->greeted = true;
  if (changed != 0)
    tell_at = monotonic_ms();
  return 0;
}

/* Takes all complete frames. 1: stopped, because the engine has to read answers first; -1: EPROTO. */
static int take_frames(struct engine *engine) {
  uint8_t kind;
  struct span payload;
  for (;;) {
    if (!takes_more(engine))
      return 1;
    int have = inbox_next(&engine->box, &kind, &payload);
    if (have <= 0)
      return have;
    if (take_frame(engine, kind, payload) < 0)
      return -1;
  }
}

/* An engine with a thousand containers sends thousands of requests at once: while the socket has no room for answers, no more are
 * read. */
static void engine_ready(struct watched *socket, uint32_t events) {
  struct engine *engine = HOLDER(struct engine, socket, socket);
  int filled = (events & EPOLLIN) != 0 ? inbox_fill(&engine->box, socket->fd) : 1;
  bool gone = filled == 0 || (filled < 0 && errno != EAGAIN) || (events & (EPOLLERR | EPOLLHUP)) != 0;
  int state = gone ? -1 : take_frames(engine);
  if (state < 0 && !gone && takes_more(engine))
    send_failed(socket->fd, NO_STEP, EPROTO, "not a frame for netd");
  if (state < 0)
    engine_drop(engine);
  else
    watched_arm(socket, state == 1 ? EPOLLOUT : EPOLLIN);
}

void engine_accept(struct watched *listener, uint32_t events) {
  (void)events;
  int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0)
    return;
  for (uint32_t i = 0; i < ENGINES_MAX; i++) {
    struct engine *engine = &engines[i];
    if (engine->socket.fd > 0) /* 0: never used; ours are above 2 */
      continue;
    *engine = (struct engine){.socket = {fd, UNARMED, engine_ready}};
    engine_count++;
    watched_arm(&engine->socket, EPOLLIN);
    return;
  }
  close(fd);
}
