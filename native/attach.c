/* Attached clients: they get the container's output, in Docker's frames (raw with a terminal), and send its input. While a client
 * does not read, the streams that it wants are not read either (arm_all in monitor.c), so at most one burst is kept for it. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "monitor.h"

enum { STREAM_HEADER = 8 };

static bool framed(const struct peer *peer) {
  return ((monitor.stdio_flags & STDIO_TERMINAL) == 0) != ((peer->streams & TURNED_BIT) != 0);
}

void attach_forget(struct peer *peer) {
  if (peer->pending != NULL)
    munmap(peer->pending, peer->pending_capacity);
  peer->pending = NULL;
  peer->pending_at = peer->pending_size = peer->pending_capacity = 0;
}

/* Sends nothing more to this client; its input is still taken. */
static void stop_writing(struct peer *peer) {
  peer->writes = false;
  attach_forget(peer);
}

static void keep(struct peer *peer, const void *bytes, size_t size) {
  size_t wanted = (peer->pending_size + size + 4095) & ~(size_t)4095;
  if (size == 0)
    return;
  if (peer->pending_at > 0)
    memmove(peer->pending, peer->pending + peer->pending_at, peer->pending_size);
  peer->pending_at = 0;
  if (wanted > peer->pending_capacity) {
    void *at = peer->pending == NULL
                   ? mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                   : mremap(peer->pending, peer->pending_capacity, wanted, MREMAP_MAYMOVE);
    if (at == MAP_FAILED) {
      stop_writing(peer);
      return;
    }
    peer->pending = at;
    peer->pending_capacity = wanted;
  }
  if (peer->pending_size == 0)
    peer->progress_ms = monotonic_ms();
  memcpy(peer->pending + peer->pending_size, bytes, size);
  peer->pending_size += size;
}

/* Sends a head and a body, or keeps what the connection does not take now. */
static void deliver(struct peer *peer, const uint8_t *head, size_t head_size, const uint8_t *body, size_t size) {
  struct iovec part[] = {{(void *)(uintptr_t)head, head_size}, {(void *)(uintptr_t)body, size}};
  struct msghdr message = {.msg_iov = part, .msg_iovlen = 2};
  size_t done = 0;
  if (peer->pending_size == 0) {
    ssize_t sent;
    do
      sent = sendmsg(peer->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN) {
      stop_writing(peer);
      return;
    }
    done = sent < 0 ? 0 : (size_t)sent;
  }
  size_t head_done = done < head_size ? done : head_size;
  keep(peer, head + head_done, head_size - head_done);
  if (peer->writes)
    keep(peer, body + (done - head_done), size - (done - head_done));
}

static void deliver_output(struct peer *peer, int stream, const uint8_t *bytes, size_t size) {
  uint8_t head[STREAM_HEADER] = {(uint8_t)stream,       0,                     0,                    0,
                                 (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
  deliver(peer, head, framed(peer) ? sizeof head : 0, bytes, size);
}

static bool wants(const struct peer *peer, int stream) {
  return peer->role == PEER_ATTACH && peer->writes && !peer->awaits_log && (peer->streams & (1 << stream)) != 0;
}

/* ATTACHED: where the log file ends now; then what the log does not have yet. */
static void begin_now(struct peer *peer) {
  uint64_t position[2];
  uint32_t size = 1 + sizeof position;
  uint8_t head[5];
  peer->awaits_log = false;
  log_position(&position[0], &position[1]);
  memcpy(head, &size, sizeof size);
  head[4] = F_ATTACHED;
  if (peer->origin >= 0)
    origin_tell(peer, F_ATTACHED, position, sizeof position);
  else
    deliver(peer, head, sizeof head, (const uint8_t *)position, sizeof position);
  for (int stream = 1; peer->unfinished && stream <= 2; stream++) {
    struct span line = log_unfinished(stream);
    if (line.size > 0 && wants(peer, stream))
      deliver_output(peer, stream, line.at, line.size);
  }
}

void attach_begin(struct peer *peer, uint8_t streams, bool unfinished) {
  peer->role = PEER_ATTACH;
  peer->streams = streams;
  peer->unfinished = unfinished;
  peer->reads = peer->writes = true;
  if (log_behind()) /* no output is read until the file has everything read so far */
    peer->awaits_log = true;
  else
    begin_now(peer);
}

void attach_resume(void) {
  for (struct peer *peer = monitor.peer; peer < monitor.peer + PEERS_MAX; peer++)
    if (peer->role == PEER_ATTACH && peer->awaits_log)
      begin_now(peer);
}

void attach_send(int stream, uint8_t *bytes, size_t size) {
  for (struct peer *peer = monitor.peer; peer < monitor.peer + PEERS_MAX; peer++)
    if (wants(peer, stream))
      deliver_output(peer, stream, bytes, size);
}

bool attach_behind(int stream) {
  for (struct peer *peer = monitor.peer; peer < monitor.peer + PEERS_MAX; peer++)
    if (peer->awaits_log || (wants(peer, stream) && peer->pending_size > 0))
      return true;
  return false;
}

static void flush_pending(struct peer *peer) {
  while (peer->pending_size > 0) {
    ssize_t sent = send(peer->source.fd, peer->pending + peer->pending_at, peer->pending_size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent < 0) {
      if (errno != EAGAIN)
        stop_writing(peer);
      return;
    }
    peer->pending_at += (size_t)sent;
    peer->pending_size -= (size_t)sent;
    peer->progress_ms = monotonic_ms();
  }
  peer->pending_at = 0;
}

static bool has_input(const struct peer *peer) { return (peer->streams & STDIN_BIT) != 0; }

/* The client's input: first what came behind its greeting, then the connection's. */
static ssize_t take_input(struct peer *peer, uint8_t *to, size_t room) {
  struct inbox *box = &peer->box;
  size_t left = box->used - box->taken;
  if (left == 0)
    return recv(peer->source.fd, to, room, MSG_DONTWAIT);
  size_t size = left < room ? left : room;
  memcpy(to, box->at + box->taken, size);
  box->taken += size;
  return (ssize_t)size;
}

/* Input that is still unread would make the kernel reset the connection at close, and the client lose what it has not read. */
static void finish(struct peer *peer) {
  shutdown(peer->source.fd, SHUT_RDWR);
  while (recv(peer->source.fd, burst_buffer, BURST_MAX, MSG_DONTWAIT) > 0)
    continue;
  peer_close(peer);
}

static void read_client(struct peer *peer) {
  uint8_t *at = burst_buffer + KEYS_MAX;
  ssize_t got = take_input(peer, at, BURST_MAX - KEYS_MAX);
  if (got < 0) {
    if (errno != EAGAIN && errno != EINTR)
      peer->reads = peer->writes = false;
    return;
  }
  if ((size_t)got > monitor.touched)
    monitor.touched = (size_t)got;
  if (got > 0 && has_input(peer)) {
    struct span bytes = {at, (size_t)got};
    bool detached = peer->keys_count > 0 && given_detaches(peer, &bytes);
    input_take(bytes.at, bytes.size);
    if (detached) {
      origin_tell(peer, F_DETACHED, NULL, 0);
      finish(peer);
    }
  }
  if (got > 0)
    return;
  peer->reads = false;
  if (has_input(peer) && (monitor.stdio_flags & STDIO_KEEP_STDIN) == 0)
    input_end();
}

static bool may_read(const struct peer *peer) { return peer->reads && (!has_input(peer) || input_room()); }

void attach_ready(struct peer *peer, uint32_t events) {
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
    flush_pending(peer);
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && may_read(peer))
    read_client(peer);
  if (events & (EPOLLHUP | EPOLLERR) && !peer->reads)
    peer->writes = false;
  if (!peer->reads && !peer->writes)
    peer_close(peer);
}

/* A client of which nothing is wanted stays armed for hang-ups, but not while its input waits for room: epoll would report the
 * hang-up again and again. */
void attach_arm(void) {
  for (struct peer *peer = monitor.peer; peer < monitor.peer + PEERS_MAX; peer++) {
    if (peer->role != PEER_ATTACH)
      continue;
    while (peer->box.used > peer->box.taken && may_read(peer))
      read_client(peer);
    int events = (may_read(peer) ? EPOLLIN : 0) | (peer->pending_size > 0 ? EPOLLOUT : 0);
    source_arm(&peer->source, events == 0 && peer->reads ? NOT_ARMED : events);
  }
}

void attach_trim(void) {
  for (struct peer *peer = monitor.peer; peer < monitor.peer + PEERS_MAX; peer++)
    if (peer->role == PEER_ATTACH && peer->pending_size == 0) {
      attach_forget(peer);
      if (peer->box.used == peer->box.taken)
        inbox_free(&peer->box);
    }
}

void attach_await_engine(void) {
  for (struct peer *peer = monitor.peer; peer < monitor.peer + PEERS_MAX; peer++)
    if (peer->origin >= 0 && peer->pending_size == 0)
      peer->progress_ms = monotonic_ms();
}

int attach_linger(void) {
  int64_t now = monotonic_ms();
  int next = -1;
  bool noted = !control_any();
  for (struct peer *peer = monitor.peer; peer < monitor.peer + PEERS_MAX; peer++) {
    if (peer->role != PEER_ATTACH)
      continue;
    int64_t left = peer->progress_ms + LINGER_MS - now;
    bool has_all = peer->pending_size == 0 && (noted || peer->origin < 0);
    if (has_all || left <= 0)
      finish(peer);
    else if (next < 0 || left < next)
      next = (int)left;
  }
  return next;
}
