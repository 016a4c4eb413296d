/* Connections to supervisor.sock: the engine's, monitors' WAKE at their end, commands that stop the supervisor (native/README.md). */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor.h"

enum { PEERS_MAX = 32 }; /* at a time; more wait in the socket's backlog */

struct peer { int fd; bool greeted; struct inbox inbox; };

static struct peer peers[PEERS_MAX];
static int peer_count;

void supervisor_accept_peer(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0)
    return;
  peers[peer_count++] = (struct peer){.fd = fd};
  supervisor_watch(PEER, fd);
  if (peer_count == PEERS_MAX)
    supervisor_unwatch(listener);
}

static void drop(int listener, struct peer *peer) {
  supervisor_engine_unlinked(peer->fd);
  if (peer_count == PEERS_MAX)
    supervisor_watch(LINK, listener);
  close(peer->fd);
  inbox_free(&peer->inbox);
  *peer = peers[--peer_count];
}

/* -1: this peer breaks the protocol. */
static int take_frame(struct peer *peer, uint8_t kind, struct span payload) {
  uint32_t version, pid;
  if (!peer->greeted) {
    peer->greeted = kind == F_HELLO && take_u32(&payload, &version) && version == PROTOCOL_VERSION;
    return peer->greeted ? 0 : -1;
  }
  switch (kind) {
  case F_ENGINE:
    supervisor_engine_linked(peer->fd);
    return 0;
  case F_WATCH:
    if (!take_u32(&payload, &pid))
      return -1;
    supervisor_watch_orphan((pid_t)pid);
    return 0;
  case F_NETD:
    supervisor_see_to_netd(peer->fd);
    return 0;
  case F_BUSY:
    return 0;
  case F_SERVES:
    supervisor_engine_serves(peer->fd);
    return 0;
  case F_STOP:
    supervisor_engine_stop();
    return 0;
  case F_WAKE:
    supervisor_engine_need();
    return 0;
  default:
    return -1;
  }
}

void supervisor_read_peer(int listener, int fd) {
  struct peer *peer = peers;
  while (peer < peers + peer_count && peer->fd != fd)
    peer++;
  if (peer == peers + peer_count)
    return; /* dropped by an earlier event of the same round */
  uint8_t kind;
  struct span payload;
  int have = 0, filled = inbox_fill(&peer->inbox, fd);
  while (filled > 0 && (have = inbox_next(&peer->inbox, &kind, &payload)) > 0)
    if (take_frame(peer, kind, payload) < 0) {
      have = -1;
      break;
    }
  if (have < 0)
    send_failed(fd, NO_STEP, EPROTO, "not a frame for the supervisor");
  if (have < 0 || filled == 0 || (filled < 0 && errno != EAGAIN))
    drop(listener, peer);
}
