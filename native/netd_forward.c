/* Forwards questions that no table answers to the upstream servers, from the host's network namespace: one server after the other
 * until one answers, each time with a random id and source port. A question that came over TCP is asked over TCP; a truncated answer
 * is passed on, and the client asks again over TCP. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns_message.h"
#include "netd.h"

enum { FLIGHTS_MAX = 2048, RESOLVER_FLIGHTS_MAX = 256, PATIENCE_MS = 2000 };

/* A question that was forwarded and not answered yet. */
struct flight {
  struct mortal mortal;
  struct watched upstream;
  struct resolver *resolver;
  struct asker asker;
  struct age age;
  uint32_t server;          /* in the policy's list */
  uint8_t client_id[2];     /* of the client's query; ours has a random one */
  uint8_t length[2];        /* TCP: the answer's, and how much of both has come */
  uint8_t *answer;
  size_t received, sent, question_end, size;
  uint8_t query[];          /* TCP's two bytes, and the message */
};

static struct ages ages;
static uint32_t count;
/* Two bytes in front, for a client that asked over TCP. */
static uint8_t buffer[2 + DNS_MESSAGE_MAX];

static bool over_tcp(const struct flight *flight) { return flight->asker.conn != NULL; }

static struct span query_of(struct flight *flight) { return (struct span){flight->query + 2, flight->size}; }

static void forget_answer(struct flight *flight) {
  free(flight->answer);
  flight->answer = NULL;
  flight->received = 0;
}

static void flight_end(struct flight *flight) {
  ages_leave(&ages, &flight->age);
  watched_close(&flight->upstream);
  forget_answer(flight);
  flight->resolver->flights--;
  count--;
  free_later(&flight->mortal);
}

void forward_forget(const struct resolver *resolver, const struct conn *conn) {
  for (struct age *age = ages.oldest, *next; age != NULL; age = next) {
    struct flight *flight = HOLDER(struct flight, age, age);
    next = age->newer;
    if ((resolver != NULL && flight->resolver == resolver) || (conn != NULL && flight->asker.conn == conn))
      flight_end(flight);
  }
}

/* ── the answer ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The flight ends first: when the client does not take the answer, its connection is closed, and its flights with it. */
static void answer(struct flight *flight, uint8_t *message, size_t size) {
  struct resolver *resolver = flight->resolver;
  struct asker asker = flight->asker;
  memcpy(message, flight->client_id, sizeof flight->client_id);
  flight_end(flight);
  resolver_answer(resolver, &asker, message, size);
}

/* Answers with the question and a code only. cut: sets TC, so that the client asks again over TCP. */
static void answer_empty(struct flight *flight, enum dns_rcode code, bool cut) {
  struct dns_question question;
  struct dns_answer made = {.at = buffer + 2, .limit = DNS_MESSAGE_MAX};
  dns_read(query_of(flight), &question);
  dns_begin(&made, query_of(flight), &question, code);
  made.truncated = cut;
  answer(flight, made.at, dns_end(&made));
}

static bool is_last(const struct flight *flight) { return flight->server + 1 >= flight->resolver->policy->upstream_count; }

static void ask_next(struct flight *flight);

/* Takes a message from the current server. */
static void take_answer(struct flight *flight, uint8_t *message, size_t size) {
  struct span got = {message, size};
  if (size < DNS_HEADER || memcmp(message, flight->query + 2, 2) != 0 || !dns_answers(got, query_of(flight), flight->question_end))
    return; /* not the answer to this question, which may still come */
  enum dns_rcode code = dns_code(got);
  if ((code == DNS_SERVFAIL || code == DNS_REFUSED || code == DNS_NOTIMP) && !is_last(flight))
    ask_next(flight);
  else if (size > flight->asker.limit)
    answer_empty(flight, code, true);
  else
    answer(flight, message, size);
}

/* ── one server ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void udp_ready(struct watched *upstream, uint32_t events) {
  struct flight *flight = HOLDER(struct flight, upstream, upstream);
  (void)events;
  ssize_t got = recv(upstream->fd, buffer + 2, DNS_MESSAGE_MAX, MSG_DONTWAIT);
  if (got >= 0)
    take_answer(flight, buffer + 2, (size_t)got);
  else if (errno != EAGAIN && errno != EINTR)
    ask_next(flight); /* nobody listens there */
}

/* false: this server failed. */
static bool tcp_send(struct flight *flight) {
  size_t size = flight->size + 2;
  ssize_t sent = send(flight->upstream.fd, flight->query + flight->sent, size - flight->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0)
    return errno == EAGAIN;
  flight->sent += (size_t)sent;
  watched_arm(&flight->upstream, flight->sent == size ? EPOLLIN : EPOLLOUT);
  return true;
}

/* Receives the rest of the length, then of the message. false: this server failed. */
static bool tcp_receive(struct flight *flight) {
  size_t size = (size_t)(flight->length[0] << 8 | flight->length[1]);
  bool in_length = flight->received < sizeof flight->length;
  uint8_t *to = in_length ? flight->length + flight->received : flight->answer + (flight->received - sizeof flight->length);
  size_t wanted = in_length ? sizeof flight->length - flight->received : size + sizeof flight->length - flight->received;
  ssize_t got = recv(flight->upstream.fd, to, wanted, MSG_DONTWAIT);
  if (got <= 0)
    return got < 0 && errno == EAGAIN;
  flight->received += (size_t)got;
  if ((size_t)got < wanted)
    return true;
  if (in_length) {
    size = (size_t)(flight->length[0] << 8 | flight->length[1]);
    flight->answer = size < DNS_HEADER ? NULL : malloc(size);
    return flight->answer != NULL;
  }
  memcpy(buffer + 2, flight->answer, size);
  forget_answer(flight);
  take_answer(flight, buffer + 2, size);
  return true;
}

static void tcp_ready(struct watched *upstream, uint32_t events) {
  struct flight *flight = HOLDER(struct flight, upstream, upstream);
  (void)events;
  if (!(flight->sent < flight->size + 2 ? tcp_send(flight) : tcp_receive(flight)))
    ask_next(flight);
}

static int connect_upstream(const struct place *place, bool tcp) {
  struct sockaddr_storage address;
  socklen_t size = socket_address(place, &address);
  int fd = socket(address.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) == 0 || errno == EINPROGRESS)
    return fd;
  close(fd);
  return -1;
}

/* Asks the current server. */
static bool ask(struct flight *flight) {
  bool tcp = over_tcp(flight);
  int fd = connect_upstream(&flight->resolver->policy->upstream[flight->server], tcp);
  if (fd < 0)
    return false;
  flight->upstream = (struct watched){fd, UNARMED, tcp ? tcp_ready : udp_ready};
  uint16_t id = netd_random();
  memcpy(flight->query + 2, &id, sizeof id);
  flight->sent = 0;
  forget_answer(flight);
  ages_use(&ages, &flight->age);
  watched_arm(&flight->upstream, tcp ? EPOLLOUT : EPOLLIN);
  return tcp || send(fd, flight->query + 2, flight->size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)flight->size;
}

static void ask_next(struct flight *flight) {
  while (!is_last(flight)) {
    watched_close(&flight->upstream);
    flight->server++;
    if (ask(flight))
      return;
  }
  answer_empty(flight, DNS_SERVFAIL, false);
}

/* ── the beginning ─────────────────────────────────────────────────────────────────────────────────────────────── */

bool forward(struct resolver *resolver, const struct asker *asker, struct span query, size_t question_end) {
  if (count == FLIGHTS_MAX || resolver->flights == RESOLVER_FLIGHTS_MAX)
    return false;
  struct flight *flight = calloc(1, sizeof *flight + 2 + query.size);
  if (flight == NULL)
    return false;
  flight->upstream = (struct watched){-1, UNARMED, udp_ready};
  flight->resolver = resolver;
  flight->asker = *asker;
  flight->question_end = question_end;
  flight->size = query.size;
  flight->query[0] = (uint8_t)(query.size >> 8);
  flight->query[1] = (uint8_t)query.size;
  memcpy(flight->query + 2, query.at, query.size);
  memcpy(flight->client_id, query.at, sizeof flight->client_id);
  resolver->flights++;
  count++;
  ages_use(&ages, &flight->age);
  if (!ask(flight))
    ask_next(flight);
  return true;
}

static void out_of_patience(struct age *age) { ask_next(HOLDER(struct flight, age, age)); }

int64_t forward_keep_time(int64_t now) { return ages_expire(&ages, now, PATIENCE_MS, out_of_patience); }
