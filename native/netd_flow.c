/* UDP: datagrams that reach a held port are relayed to the container. Each peer gets a socket of its own towards the container, so
 * that answers can be sent back to it. A peer that is silent for FLOW_IDLE_MS is forgotten, as by Docker's proxy. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd.h"

enum { FLOW_IDLE_MS = 90 * 1000, FLOW_BUCKETS = 1 << 12, DATAGRAMS_AT_ONCE = 64, DATAGRAM_MAX = 1 << 16 };

/* A peer of a port. local: the address of ours that it sent to. */
struct flow {
  struct mortal mortal;
  struct watched target;
  struct held *held;
  struct place peer, local;
  struct flow *next;
  struct age age;
  uint32_t bucket;
};

union control { struct cmsghdr header; char space[CMSG_SPACE(sizeof(struct in6_pktinfo))]; };

static struct flow *buckets[FLOW_BUCKETS];
static struct ages ages;
static uint32_t count;
static uint8_t datagram[DATAGRAM_MAX];

uint32_t flow_count(void) { return count; }

static bool same_place(const struct place *a, const struct place *b) {
  return a->port == b->port && a->zone == b->zone && IN6_ARE_ADDR_EQUAL(&a->address, &b->address);
}

static uint32_t bucket_of(const struct held *held, const struct place *peer) {
  uint32_t hash = 2166136261U ^ held->port;
  for (size_t i = 0; i < sizeof peer->address; i++)
    hash = (hash ^ peer->address.s6_addr[i]) * 16777619U;
  return ((hash ^ peer->port) * 16777619U) % FLOW_BUCKETS;
}

/* ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void flow_end(struct flow *flow) {
  struct flow **at = &buckets[flow->bucket];
  while (*at != flow)
    at = &(*at)->next;
  *at = flow->next;
  ages_leave(&ages, &flow->age);
  watched_close(&flow->target);
  count--;
  free_later(&flow->mortal);
}

static void flow_expire(struct age *age) { flow_end(HOLDER(struct flow, age, age)); }

int64_t flow_keep_time(int64_t now) { return ages_expire(&ages, now, FLOW_IDLE_MS, flow_expire); }

void flow_forget(const struct held *held) {
  if (held->range->protocol != IPPROTO_UDP)
    return;
  for (struct age *age = ages.oldest, *next; age != NULL; age = next) {
    struct flow *flow = HOLDER(struct flow, age, age);
    next = age->newer;
    if (flow->held == held)
      flow_end(flow);
  }
}

/* ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Sets the source address of the answer to the one that the peer sent to. */
static void set_source(struct msghdr *message, union control *control, const struct place *local) {
  message->msg_control = control;
  struct cmsghdr *header = &control->header;
  if (is_ipv4(&local->address)) {
    struct in_pktinfo info = {0};
    memcpy(&info.ipi_spec_dst, &local->address.s6_addr[12], sizeof info.ipi_spec_dst);
    *header = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IP, IP_PKTINFO};
    memcpy(CMSG_DATA(header), &info, sizeof info);
    message->msg_controllen = CMSG_SPACE(sizeof info);
    return;
  }
  struct in6_pktinfo info = {.ipi6_addr = local->address};
  *header = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IPV6, IPV6_PKTINFO};
  memcpy(CMSG_DATA(header), &info, sizeof info);
  message->msg_controllen = CMSG_SPACE(sizeof info);
}

static void send_answer(struct flow *flow, size_t size) {
  struct sockaddr_storage peer;
  union control control = {0};
  struct iovec part = {datagram, size};
  struct msghdr message = {.msg_name = &peer, .msg_namelen = socket_address(&flow->peer, &peer), .msg_iov = &part,
                           .msg_iovlen = 1};
  set_source(&message, &control, &flow->local);
  sendmsg(flow->held->socket.fd, &message, MSG_DONTWAIT); /* what does not fit is lost, as datagrams are */
}

static void flow_ready(struct watched *target, uint32_t events) {
  struct flow *flow = HOLDER(struct flow, target, target);
  (void)events;
  for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
    ssize_t got = recv(target->fd, datagram, sizeof datagram, MSG_DONTWAIT);
    if (got < 0 && errno == ECONNREFUSED)
      continue; /* nobody listens there yet */
    if (got < 0)
      return;
    send_answer(flow, (size_t)got);
    ages_use(&ages, &flow->age);
  }
}

/* ── questions ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static int connect_target(const struct held *held) {
  struct sockaddr_storage address;
  struct place place = held_target(held);
  socklen_t size = socket_address(&place, &address);
  int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&address, size) < 0) {
    close(fd);
    return -1;
  }
  return fd;
}

static struct flow *flow_begin(struct held *held, const struct place *peer, uint32_t bucket) {
  if (count == FLOWS_MAX)
    flow_expire(ages.oldest);
  struct flow *flow = calloc(1, sizeof *flow);
  int fd = flow == NULL ? -1 : connect_target(held);
  if (fd < 0) {
    free(flow);
    return NULL;
  }
  *flow = (struct flow){.target = {fd, UNARMED, flow_ready}, .held = held, .peer = *peer, .bucket = bucket};
  flow->next = buckets[bucket];
  buckets[bucket] = flow;
  ages_use(&ages, &flow->age);
  count++;
  watched_arm(&flow->target, EPOLLIN);
  return flow;
}

static struct flow *flow_of(struct held *held, const struct place *peer) {
  uint32_t bucket = bucket_of(held, peer);
  for (struct flow *flow = buckets[bucket]; flow != NULL; flow = flow->next)
    if (flow->held == held && same_place(&flow->peer, peer))
      return flow;
  return flow_begin(held, peer, bucket);
}

/* The address of ours that a datagram was sent to. */
static struct place asked_address(struct msghdr *message) {
  struct place local = {0};
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo info;
      memcpy(&info, CMSG_DATA(header), sizeof info);
      local.address = info.ipi6_addr;
    }
    if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(header), sizeof info);
      local.address.s6_addr[10] = local.address.s6_addr[11] = 0xff;
      memcpy(&local.address.s6_addr[12], &info.ipi_spec_dst, sizeof info.ipi_spec_dst);
    }
  }
  return local;
}

static bool receive_one(struct held *held) {
  struct sockaddr_storage from;
  struct place peer;
  union control control;
  struct iovec part = {datagram, sizeof datagram};
  struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1,
                           .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t got = recvmsg(held->socket.fd, &message, MSG_DONTWAIT);
  if (got < 0)
    return false;
  if ((held->range->flags & HOLD_RELAY) == 0 || !place_of(&from, &peer))
    return true;
  struct flow *flow = flow_of(held, &peer);
  if (flow == NULL)
    return true;
  flow->local = asked_address(&message);
  ages_use(&ages, &flow->age);
  send(flow->target.fd, datagram, (size_t)got, MSG_DONTWAIT);
  return true;
}

void flow_receive(struct held *held) {
  for (int i = 0; i < DATAGRAMS_AT_ONCE && receive_one(held); i++)
    ;
}
