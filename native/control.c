/* Connections to the monitor: their greetings, and the frames of control connections. A frame is sent whole at once, or the
 * connection is closed: an engine that does not read must not hold up the container. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor.h"

enum { SAY_MAX = 512, GREETING_MAX = 64 /* bytes of HELLO and ATTACH together at most; CLIENT may be longer */ };

static void say(struct peer *peer, enum frame_kind kind, const void *payload, size_t size) {
  uint8_t frame[SAY_MAX];
  uint32_t length = (uint32_t)size + 1;
  memcpy(frame, &length, sizeof length);
  frame[4] = (uint8_t)kind;
  if (size > 0)
    memcpy(frame + 5, payload, size);
  if (send(peer->source.fd, frame, 5 + size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)(5 + size))
    peer_close(peer);
}

static void say_failed(struct peer *peer, int32_t step, int32_t error, const char *detail) {
  uint8_t payload[SAY_MAX - 8];
  uint32_t size = (uint32_t)strnlen(detail, 255);
  memcpy(payload, &step, 4);
  memcpy(payload + 4, &error, 4);
  memcpy(payload + 8, &size, 4);
  memcpy(payload + 12, detail, size);
  payload[12 + size] = 0;
  say(peer, F_FAILED, payload, 12 + size + 1);
}

static void say_status(struct peer *peer) {
  struct monitor *m = &monitor;
  uint8_t payload[17];
  uint32_t pid = m->state == EXITED ? 0 : (uint32_t)m->pid;
  uint64_t time = m->state == EXITED ? m->ended : m->started;
  payload[0] = (uint8_t)m->state;
  memcpy(payload + 1, &pid, 4);
  memcpy(payload + 5, &time, 8);
  memcpy(payload + 13, &m->status, 4);
  say(peer, F_STATUS, payload, sizeof payload);
}

/* To an engine that connects: it may have missed the OOM frames. */
static void say_kills(struct peer *peer) {
  if (peer->source.fd >= 0 && monitor.oom.kills > 0 && monitor.state == RUNNING)
    say(peer, F_OOM, &monitor.oom.kills, sizeof monitor.oom.kills);
}

#define EACH_CONTROL(peer)                                                         \
  for (struct peer *peer = monitor.peer; peer < monitor.peer + PEERS_MAX; peer++)  \
    if (peer->role == PEER_CONTROL)

void control_tell(enum frame_kind kind, const void *payload, size_t size) {
  EACH_CONTROL(peer) say(peer, kind, payload, size);
}

void control_fail(const struct channel_message *message) {
  EACH_CONTROL(peer) say_failed(peer, message->step, message->error, message->detail);
}

/* An engine that gave a client away ends its connection itself, after it has recorded the exit: here only our side is shut down. */
void control_leave(void) {
  bool awaited = given_any();
  EACH_CONTROL(peer) {
    if (awaited)
      shutdown(peer->source.fd, SHUT_WR);
    else
      peer_close(peer);
  }
}

bool control_any(void) {
  EACH_CONTROL(peer) return true;
  return false;
}

bool control_alone(void) {
  for (struct peer *peer = monitor.peer; peer < monitor.peer + PEERS_MAX; peer++)
    if (peer->source.fd >= 0 && peer->role != PEER_CONTROL)
      return false;
  return control_any() && !given_any();
}

static void tell_growth(struct peer *peer) {
  if (!peer->log_watched || !peer->log_grown)
    return;
  peer->log_watched = peer->log_grown = false;
  say(peer, F_LOGGED, NULL, 0);
}

void control_log_grew(void) {
  EACH_CONTROL(peer) {
    peer->log_grown = true;
    tell_growth(peer);
  }
}

static void become_control(struct peer *peer) {
  peer->role = PEER_CONTROL;
  peer->log_grown = monitor.log.on && monitor.log.file.size > 0; /* it may have read an older state of the log before it connected */
}

/* Signals the container's init; an init that has ended is no error. A SIGKILL whose sender has died is not carried out: the sender
 * answers its client only after the exit, so nobody was promised anything, and the next engine may already have told
 * clients that the container runs. */
static void send_signal(struct peer *peer, uint32_t number) {
  if (monitor.state == EXITED || (number == SIGKILL && peer_left(peer->source.fd)))
    return;
  if (syscall(SYS_pidfd_send_signal, monitor.pidfd.fd, (int)number, NULL, 0) < 0 && errno != ESRCH)
    say_failed(peer, NO_STEP, errno, "signal");
}

static void open_gate(void) {
  struct channel_message go = {.kind = C_GO};
  if (monitor.channel.fd >= 0)
    channel_send(monitor.channel.fd, &go, -1);
}

/* A frame of a control connection; false: it does not parse, or is not for one. */
static bool take_order(struct peer *peer, uint8_t kind, struct span payload) {
  uint32_t number;
  uint16_t rows, columns;
  switch (kind) {
  case F_GO:
    open_gate();
    break;
  case F_SIGNAL:
    if (!take_u32(&payload, &number))
      return false;
    send_signal(peer, number);
    break;
  case F_RESIZE:
    if (!take_u16(&payload, &rows) || !take_u16(&payload, &columns))
      return false;
    if (terminal_resize(rows, columns) < 0)
      say_failed(peer, NO_STEP, errno, "resize");
    break;
  case F_WATCH_LOG:
    peer->log_watched = true;
    tell_growth(peer);
    break;
  case F_CLOSE_STDIN:
    input_end();
    break;
  default:
    return false;
  }
  return payload.size == 0;
}

/* HELLO, then what this connection is for. */
static bool take_greeting(struct peer *peer, uint8_t kind, struct span payload) {
  uint32_t version;
  uint8_t streams, flags;
  if (!peer->greeted) {
    if (kind != F_HELLO || !take_u32(&payload, &version) || payload.size != 0)
      return false;
    if (version != PROTOCOL_VERSION) {
      errno = EPROTONOSUPPORT;
      return false;
    }
    peer->greeted = true;
    return true;
  }
  if (kind == F_CONTROL && payload.size == 0) {
    become_control(peer);
    say_status(peer);
    say_kills(peer);
    return true;
  }
  if (kind == F_CLIENT)
    return given_begin(peer, payload);
  if (kind != F_ATTACH || !take_u8(&payload, &streams) || !take_u8(&payload, &flags) || payload.size != 0)
    return false;
  if (streams > CLIENT_BITS || flags > 1)
    return false;
  attach_begin(peer, streams, flags == 1);
  return true;
}

/* Frames that have come, until none is whole or the connection became an attached one. */
static void take_frames(struct peer *peer) {
  uint8_t kind;
  struct span payload;
  while (peer->source.fd >= 0 && peer->role != PEER_ATTACH) {
    int have = inbox_next(&peer->box, &kind, &payload);
    bool may_be_long = peer->role == PEER_CONTROL || peer->passed >= 0;
    if (have == 0 && (may_be_long || peer->box.used - peer->box.taken <= GREETING_MAX))
      return;
    errno = EPROTO;
    if (have > 0 && (peer->role == PEER_NEW ? take_greeting : take_order)(peer, kind, payload))
      continue;
    if (peer->source.fd >= 0) {
      say_failed(peer, NO_STEP, errno, "not a frame for this connection");
      peer_close(peer);
    }
  }
}

void peer_ready(struct peer *peer, uint32_t events) {
  if (peer->source.fd < 0)
    return;
  if (peer->role == PEER_ATTACH) {
    attach_ready(peer, events);
    return;
  }
  int got = inbox_receive(&peer->box, peer->source.fd, &peer->passed);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (got == 0 && monitor.holds && peer->role == PEER_CONTROL) {
    monitor.holds = false; /* the engine still reads: we close when the mounts are gone */
    return;
  }
  if (got <= 0) {
    peer_close(peer);
    return;
  }
  take_frames(peer);
  if (peer->role == PEER_CONTROL && peer->box.used == peer->box.taken)
    inbox_free(&peer->box);
}

/* When the engine that brought the plan leaves before the program runs, the start fails. Its connection stays open until this
 * process exits, so that end of file tells it that nothing of the container is left. */
void peer_close(struct peer *peer) {
  if (peer->source.fd < 0)
    return;
  if (peer->engine && monitor.state == WAITING) {
    monitor.failed = true;
    return;
  }
  source_close(&peer->source);
  inbox_free(&peer->box);
  attach_forget(peer);
  given_close(peer);
  *peer = (struct peer){.source = {.fd = -1, .armed = NOT_ARMED}, .passed = -1, .origin = -1};
}

static struct peer *add_peer(int fd) {
  for (uint16_t i = 0; i < PEERS_MAX; i++) {
    struct peer *peer = &monitor.peer[i];
    if (peer->source.fd >= 0)
      continue;
    *peer = (struct peer){.passed = -1, .origin = -1};
    peer->source = (struct source){.fd = fd, .armed = NOT_ARMED, .kind = SOURCE_PEER, .index = i};
    source_arm(&peer->source, EPOLLIN);
    return peer;
  }
  return NULL;
}

void peers_accept(void) {
  for (;;) {
    int fd = accept4(monitor.listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
      return;
    if (add_peer(fd) == NULL) {
      send_failed(fd, NO_STEP, EMFILE, "too many connections to this container");
      close(fd);
    }
  }
}

void control_adopt(int conn, struct inbox *box) {
  struct peer *peer = add_peer(conn);
  if (peer == NULL) /* cannot happen: this is the first connection */
    return;
  peer->box = *box;
  *box = (struct inbox){0};
  peer->greeted = peer->engine = true;
  fcntl(conn, F_SETFL, O_RDWR | O_NONBLOCK);
  become_control(peer);
  take_frames(peer);
  if (peer->box.used == peer->box.taken)
    inbox_free(&peer->box);
}
