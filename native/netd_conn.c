/* DNS over TCP: queries one after the other on a connection. While an answer is not taken, no further query is read. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd.h"

enum {
  CONNS_MAX = 1024,           /* of all resolvers */
  RESOLVER_CONNS_MAX = 64,
  CONN_IDLE_MS = 15 * 1000,
};

/* out: what the client has not taken yet. */
struct conn {
  struct mortal mortal;
  struct watched socket;
  struct resolver *resolver;
  struct conn *next;
  struct age age;
  uint8_t *out;
  size_t out_at, out_size, in_size;
  uint8_t in[2 + QUERY_MAX];
};

static struct ages conn_ages;
static struct conn *conns;
static uint32_t conn_count;

static void conn_end(struct conn *conn) {
  struct conn **at = &conns;
  while (*at != conn)
    at = &(*at)->next;
  *at = conn->next;
  forward_forget(NULL, conn);
  ages_leave(&conn_ages, &conn->age);
  watched_close(&conn->socket);
  free(conn->out);
  conn->out = NULL;
  conn->resolver->conns--;
  conn_count--;
  free_later(&conn->mortal);
}

static void conn_expire(struct age *age) { conn_end(HOLDER(struct conn, age, age)); }

int64_t conn_keep_time(int64_t now) { return ages_expire(&conn_ages, now, CONN_IDLE_MS, conn_expire); }

/* Keeps what the client does not take now, and reads nothing until it does. false: an answer is kept already, or the connection is
 * gone. */
static bool conn_write(struct conn *conn, const uint8_t *bytes, size_t size) {
  if (conn->out_size > 0)
    return false;
  ssize_t sent = send(conn->socket.fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN)
    return false;
  size_t left = size - (sent > 0 ? (size_t)sent : 0);
  if (left == 0)
    return true;
  uint8_t *kept = realloc(conn->out, left);
  if (kept == NULL)
    return false;
  conn->out = kept;
  memcpy(kept, bytes + (size - left), left);
  conn->out_at = 0;
  conn->out_size = left;
  watched_arm(&conn->socket, EPOLLOUT);
  return true;
}

static bool conn_flush(struct conn *conn) {
  ssize_t sent = send(conn->socket.fd, conn->out + conn->out_at, conn->out_size - conn->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0)
    return errno == EAGAIN;
  conn->out_at += (size_t)sent;
  if (conn->out_at < conn->out_size)
    return true;
  conn->out_size = 0;
  watched_arm(&conn->socket, EPOLLIN);
  return true;
}

/* Takes each complete query while the answers are taken. false: a query is too long. */
static bool conn_take(struct conn *conn) {
  size_t at = 0;
  while (conn->out_size == 0 && conn->in_size - at >= 2) {
    size_t size = (size_t)(conn->in[at] << 8 | conn->in[at + 1]);
    if (size > QUERY_MAX)
      return false;
    if (conn->in_size - at - 2 < size)
      break;
    struct asker asker = {.conn = conn};
    resolver_ask(conn->resolver, &asker, (struct span){conn->in + at + 2, size});
    if (conn->socket.fd < 0)
      return true;
    at += 2 + size;
  }
  conn->in_size -= at;
  memmove(conn->in, conn->in + at, conn->in_size);
  return true;
}

static void conn_ready(struct watched *socket, uint32_t events) {
  struct conn *conn = HOLDER(struct conn, socket, socket);
  (void)events;
  ages_use(&conn_ages, &conn->age);
  if (conn->out_size > 0) {
    if (!conn_flush(conn) || !conn_take(conn))
      conn_end(conn);
    return;
  }
  ssize_t got = recv(socket->fd, conn->in + conn->in_size, sizeof conn->in - conn->in_size, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN)
    return;
  if (got > 0) {
    conn->in_size += (size_t)got;
    if (conn_take(conn))
      return;
  }
  if (conn->socket.fd >= 0)
    conn_end(conn);
}

void conn_answer(struct conn *conn, uint8_t *message, size_t size) {
  message[-2] = (uint8_t)(size >> 8);
  message[-1] = (uint8_t)size;
  if (!conn_write(conn, message - 2, size + 2))
    conn_end(conn);
}

void conn_forget(const struct resolver *resolver) {
  for (struct conn *conn = conns, *next; conn != NULL; conn = next) {
    next = conn->next;
    if (conn->resolver == resolver)
      conn_end(conn);
  }
}

void conn_accept(struct resolver *resolver) {
  int fd = accept4(resolver->tcp.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0)
    return;
  struct conn *conn = NULL;
  if (conn_count < CONNS_MAX && resolver->conns < RESOLVER_CONNS_MAX)
    conn = calloc(1, sizeof *conn);
  if (conn == NULL) {
    close(fd);
    return;
  }
  conn->socket = (struct watched){fd, UNARMED, conn_ready};
  conn->resolver = resolver;
  conn->next = conns;
  conns = conn;
  conn_count++;
  resolver->conns++;
  ages_use(&conn_ages, &conn->age);
  watched_arm(&conn->socket, EPOLLIN);
}
