/* TCP: connections to a held port are relayed to the container by splice(2), so that the bytes never leave the kernel. A direction has
 * a pipe only while it carries bytes, so an idle connection costs two descriptors. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "netd.h"

enum {
  ACCEPTS_AT_ONCE = 64,
  ROUNDS_AT_ONCE = 16,        /* splices for one connection before others get their turn */
  PIPE_BYTES = 256 << 10,
  PIPES_KEPT = 32,
  SYN_RETRIES = 3,            /* the container is on this machine: about 15 s */
};

/* One end of a connection. piped: bytes read here that wait to be written to the other end. */
struct side {
  struct watched socket;
  struct relay *relay;
  int pipe[2];
  size_t piped;
  bool ended, finished;       /* end of file was read; and was passed on */
};

struct relay { struct mortal mortal; struct side client, target; bool connected; };

static uint32_t count;
static int spare[PIPES_KEPT][2];
static int spare_count;
/* Ports whose connections wait in the backlog until another connection ends. */
static struct held *starved[1024];
static uint32_t starved_count;

uint32_t relay_count(void) { return count; }

static struct side *other(struct side *side) {
  return side == &side->relay->client ? &side->relay->target : &side->relay->client;
}

/* ── pipes ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int borrow_pipe(struct side *side) {
  if (side->pipe[0] >= 0)
    return 0;
  if (spare_count > 0) {
    spare_count--;
    side->pipe[0] = spare[spare_count][0];
    side->pipe[1] = spare[spare_count][1];
    return 0;
  }
  if (pipe2(side->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
    side->pipe[0] = side->pipe[1] = -1;
    return -1;
  }
  fcntl(side->pipe[1], F_SETPIPE_SZ, PIPE_BYTES); /* refused: then it is smaller */
  return 0;
}

/* Only an empty pipe is kept for other connections. */
static void return_pipe(struct side *side) {
  if (side->pipe[0] < 0)
    return;
  if (side->piped == 0 && spare_count < PIPES_KEPT) {
    spare[spare_count][0] = side->pipe[0];
    spare[spare_count++][1] = side->pipe[1];
  } else {
    close(side->pipe[0]);
    close(side->pipe[1]);
  }
  side->pipe[0] = side->pipe[1] = -1;
}

/* ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void feed_starved(void) {
  while (starved_count > 0) {
    struct held *held = starved[--starved_count];
    held->starved = false;
    watched_arm(&held->socket, EPOLLIN);
  }
}

void relay_forget(const struct held *held) {
  for (uint32_t i = 0; i < starved_count; i++)
    if (starved[i] == held) {
      starved[i] = starved[--starved_count];
      return;
    }
}

/* Makes close(2) send a reset: a connection that was reset at one end is reset at the other too. */
static void reset(int fd) {
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void relay_end(struct relay *relay, bool cut) {
  struct side *sides[] = {&relay->client, &relay->target};
  for (int i = 0; i < 2; i++) {
    if (cut && sides[i]->socket.fd >= 0)
      reset(sides[i]->socket.fd);
    watched_close(&sides[i]->socket);
    return_pipe(sides[i]);
  }
  count--;
  free_later(&relay->mortal);
  feed_starved();
}

/* ── passing on ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* 1: bytes were moved; 0: none can be now; -1: the connection is over. */
static int write_burst(struct side *side) {
  ssize_t moved = splice(side->pipe[0], NULL, other(side)->socket.fd, NULL, side->piped,
                         SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (side->ended ? 0 : SPLICE_F_MORE));
  if (moved <= 0)
    return moved < 0 && errno == EAGAIN ? 0 : -1;
  side->piped -= (size_t)moved;
  return 1;
}

static int read_burst(struct side *side) {
  if (borrow_pipe(side) < 0)
    return -1;
  ssize_t moved = splice(side->socket.fd, NULL, side->pipe[1], NULL, PIPE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (moved < 0)
    return errno == EAGAIN ? 0 : -1;
  side->piped = (size_t)moved;
  side->ended = moved == 0;
  return 1;
}

/* Moves bytes from this side to the other, and passes its end of file on. */
static int pass_on(struct side *side) {
  int moved = 1;
  for (int round = 0; moved > 0 && round < ROUNDS_AT_ONCE && !side->finished; round++) {
    if (side->piped > 0)
      moved = write_burst(side);
    else if (!side->ended)
      moved = read_burst(side);
    else {
      shutdown(other(side)->socket.fd, SHUT_WR);
      side->finished = true;
    }
  }
  if (side->piped == 0)
    return_pipe(side);
  return moved;
}

/* Arms a socket for what it can do next. With nothing to do it is removed from epoll, which would report a hang-up again and
 * again. */
static void arm(struct side *side) {
  int events = 0;
  if (!side->ended && side->piped == 0)
    events |= EPOLLIN;
  if (other(side)->piped > 0)
    events |= EPOLLOUT;
  watched_arm(&side->socket, events == 0 ? UNARMED : events);
}

static bool has_connected(struct relay *relay) {
  int error = 0;
  socklen_t size = sizeof error;
  relay->connected = getsockopt(relay->target.socket.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  return relay->connected;
}

static void side_ready(struct watched *socket, uint32_t events) {
  struct relay *relay = HOLDER(struct side, socket, socket)->relay;
  if (!relay->connected && !has_connected(relay)) {
    relay_end(relay, true);
    return;
  }
  if ((events & EPOLLERR) != 0 || pass_on(&relay->client) < 0 || pass_on(&relay->target) < 0) {
    relay_end(relay, true);
    return;
  }
  if (relay->client.finished && relay->target.finished) {
    relay_end(relay, false);
    return;
  }
  arm(&relay->client);
  arm(&relay->target);
}

/* ── the beginning ─────────────────────────────────────────────────────────────────────────────────────────────── */

static int begin_connect(const struct place *place) {
  struct sockaddr_storage address;
  int retries = SYN_RETRIES, on = 1;
  socklen_t size = socket_address(place, &address);
  int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -1;
  setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof retries);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, (struct sockaddr *)&address, size) == 0 || errno == EINPROGRESS)
    return fd;
  close(fd);
  return -1;
}

static void relay_begin(int client, const struct place *place) {
  int on = 1;
  struct relay *relay = calloc(1, sizeof *relay);
  int target = relay == NULL ? -1 : begin_connect(place);
  if (target < 0) {
    reset(client);
    close(client);
    free(relay);
    return;
  }
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  relay->client = (struct side){.socket = {client, UNARMED, side_ready}, .relay = relay, .pipe = {-1, -1}};
  relay->target = (struct side){.socket = {target, UNARMED, side_ready}, .relay = relay, .pipe = {-1, -1}};
  count++;
  watched_arm(&relay->target.socket, EPOLLOUT);
}

static void starve(struct held *held) {
  if (held->starved || starved_count == sizeof starved / sizeof starved[0])
    return;
  held->starved = true;
  starved[starved_count++] = held;
  watched_arm(&held->socket, UNARMED);
}

void relay_accept(struct held *held) {
  struct place place = held_target(held);
  for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
    if (count == RELAYS_MAX) {
      starve(held);
      return;
    }
    int client = accept4(held->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        starve(held);
      return;
    }
    if ((held->range->flags & HOLD_RELAY) != 0) {
      relay_begin(client, &place);
      continue;
    }
    reset(client); /* as a closed port answers */
    close(client);
  }
}
