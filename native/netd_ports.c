/* Published ports: each is held by a bound socket, so that no other process can take it. What reaches such a socket because no rule
 * forwards it (from ::1, or after somebody has flushed the rules) is relayed, if the port has HOLD_RELAY. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd.h"

enum { LISTEN_BACKLOG = 1024 };

struct port_owner { struct keyed keyed; struct range *ranges; char name[]; };

static struct table owners;
static uint32_t held_count;

uint32_t ports_owners(void) { return owners.count; }
uint32_t ports_held(void) { return held_count; }

struct place held_target(const struct held *held) {
  const struct range *range = held->range;
  return (struct place){range->target, (uint16_t)(range->target_first + (held->port - range->first)), 0};
}

static size_t range_size(const struct range *range) { return (size_t)(range->last - range->first) + 1; }

/* ── one socket ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void held_ready(struct watched *socket, uint32_t events) {
  struct held *held = HOLDER(struct held, socket, socket);
  (void)events;
  if (held->range->protocol == IPPROTO_UDP)
    flow_receive(held);
  else
    relay_accept(held);
}

/* TCP and SCTP: SO_REUSEADDR, so that connections in TIME_WAIT do not prevent the bind; and listening, because a socket with
 * SO_REUSEADDR that is only bound would share the port with others. UDP: PKTINFO tells the address that a datagram was sent to,
 * from which the reply has to come. */
static int bind_held(int fd, int protocol, const struct sockaddr_storage *address, socklen_t size) {
  int on = 1;
  bool v6 = address->ss_family == AF_INET6, udp = protocol == IPPROTO_UDP;
  if (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
    return -1;
  if (udp && v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) < 0)
    return -1;
  if (udp && !v6 && setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0)
    return -1;
  if (!udp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
    return -1;
  if (bind(fd, (const struct sockaddr *)address, size) < 0)
    return -1;
  return udp ? 0 : listen(fd, LISTEN_BACKLOG);
}

static int open_held(const struct range *range, uint16_t port) {
  struct sockaddr_storage address;
  struct place place = {range->address, port, 0};
  socklen_t size = socket_address(&place, &address);
  int type = (range->protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  int fd = socket(address.ss_family, type, range->protocol);
  if (fd < 0 || bind_held(fd, range->protocol, &address, size) == 0)
    return fd;
  return close_after(fd, -1);
}

/* Without sctp in the kernel no process can take an sctp port: it is held by nothing. */
static bool needs_no_socket(int error, int protocol) {
  return protocol == IPPROTO_SCTP && (error == EPROTONOSUPPORT || error == ESOCKTNOSUPPORT);
}

static int range_open(struct range *range, uint16_t *failed) {
  for (size_t i = 0; i < range_size(range); i++) {
    struct held *held = &range->held[i];
    *failed = (uint16_t)(range->first + i);
    *held = (struct held){.socket = {-1, UNARMED, held_ready}, .range = range, .port = *failed};
    if (POINT("netd.port.bind") < 0)
      return -1;
    held->socket.fd = open_held(range, held->port);
    if (held->socket.fd < 0 && !needs_no_socket(errno, range->protocol))
      return -1;
    held->taken = true;
    held_count++;
    watched_arm(&held->socket, EPOLLIN);
  }
  return 0;
}

static void range_close(struct range *range) {
  for (size_t i = 0; i < range_size(range); i++) {
    struct held *held = &range->held[i];
    if (!held->taken)
      continue;
    flow_forget(held);
    relay_forget(held);
    held_count--;
    watched_close(&held->socket);
  }
  free_later(&range->mortal);
}

/* ── owners ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void owner_let_go(struct keyed *keyed) {
  struct port_owner *owner = HOLDER(struct port_owner, keyed, keyed);
  while (owner->ranges != NULL) {
    struct range *range = owner->ranges;
    owner->ranges = range->next;
    range_close(range);
  }
  table_take(&owners, keyed);
  free_later(&keyed->mortal);
}

void ports_sweep(void) { table_sweep(&owners, netd_generation, owner_let_go); }

static struct port_owner *owner_of(const char *name) {
  struct keyed *found = table_find(&owners, name);
  if (found != NULL)
    return HOLDER(struct port_owner, keyed, found);
  struct port_owner *owner = owners.count < OWNERS_MAX ? calloc(1, sizeof *owner + strlen(name) + 1) : NULL;
  if (owner == NULL) {
    errno = ENOMEM;
    return NULL;
  }
  strcpy(owner->name, name);
  owner->keyed.key = owner->name;
  table_put(&owners, &owner->keyed);
  return owner;
}

/* `u8` protocol, `u8` flags, address, `u16` first, `u16` last, target's address, `u16` target's first port. */
static bool take_range(struct span *p, struct range *range) {
  *range = (struct range){0};
  return take_u8(p, &range->protocol) && take_u8(p, &range->flags) && take_address(p, &range->address) &&
         take_u16(p, &range->first) && take_u16(p, &range->last) && take_address(p, &range->target) &&
         take_u16(p, &range->target_first);
}

static int check_range(const struct range *range) {
  errno = EINVAL;
  if (range->protocol != IPPROTO_TCP && range->protocol != IPPROTO_UDP && range->protocol != IPPROTO_SCTP)
    return -1;
  if (range->first == 0 || range->last < range->first || range->flags > HOLD_RELAY)
    return -1;
  if ((range->flags & HOLD_RELAY) != 0 &&
      (range->protocol == IPPROTO_SCTP || range->target_first == 0 ||
       range->target_first + (range->last - range->first) > UINT16_MAX))
    return -1;
  if (range_size(range) > HELD_MAX - held_count) {
    errno = ENOMEM;
    return -1;
  }
  return 0;
}

static bool same_ports(const struct range *a, const struct range *b) {
  return a->protocol == b->protocol && a->first == b->first && a->last == b->last &&
         IN6_ARE_ADDR_EQUAL(&a->address, &b->address);
}

/* Removes the range with the same ports from a list, and returns it; NULL: there is none. */
static struct range *take_same(struct range **list, const struct range *wanted) {
  for (; *list != NULL; list = &(*list)->next)
    if (same_ports(*list, wanted)) {
      struct range *found = *list;
      *list = found->next;
      return found;
    }
  return NULL;
}

static struct range *range_new(const struct range *wanted) {
  struct range *range = calloc(1, sizeof *range + range_size(wanted) * sizeof range->held[0]);
  if (range == NULL)
    return NULL;
  range->protocol = wanted->protocol;
  range->address = wanted->address;
  range->first = wanted->first;
  range->last = wanted->last;
  return range;
}

/* Closes the owner's ranges that are not among the entries, before new ones are opened: the new ports may overlap the old ones. */
static void keep_same(struct port_owner *owner, struct span entries, uint32_t count) {
  struct range wanted, *kept = NULL;
  for (uint32_t i = 0; i < count && take_range(&entries, &wanted); i++) {
    struct range *same = take_same(&owner->ranges, &wanted);
    if (same == NULL)
      continue;
    same->next = kept;
    kept = same;
  }
  while (owner->ranges != NULL) {
    struct range *gone = owner->ranges;
    owner->ranges = gone->next;
    range_close(gone);
  }
  owner->ranges = kept;
}

static int hold_one(struct port_owner *owner, const struct range *wanted, uint16_t *failed) {
  *failed = wanted->first;
  if (check_range(wanted) < 0)
    return -1;
  struct range *range = owner->ranges;
  while (range != NULL && !same_ports(range, wanted))
    range = range->next;
  bool opened = range != NULL;
  if (!opened && (range = range_new(wanted)) == NULL)
    return -1;
  if (!opened) {
    range->next = owner->ranges;
    owner->ranges = range;
  }
  range->flags = wanted->flags;
  range->target = wanted->target;
  range->target_first = wanted->target_first;
  return opened ? 0 : range_open(range, failed);
}

/* Whether all entries are well formed, and nothing follows. */
static bool well_formed(struct span entries, uint32_t count) {
  struct range range;
  for (uint32_t i = 0; i < count; i++)
    if (!take_range(&entries, &range))
      return false;
  return entries.size == 0;
}

int ports_hold(const char *name, struct span entries, char *failed, size_t failed_size) {
  uint32_t count;
  failed[0] = 0;
  if (!take_u32(&entries, &count) || !well_formed(entries, count)) {
    errno = EPROTO;
    return -1;
  }
  struct port_owner *owner = owner_of(name);
  if (owner == NULL)
    return -1;
  owner->keyed.generation = netd_generation;
  keep_same(owner, entries, count);
  for (uint32_t i = 0; i < count; i++) {
    struct range wanted;
    uint16_t port = 0;
    if (take_range(&entries, &wanted) && hold_one(owner, &wanted, &port) == 0)
      continue;
    int error = errno;
    owner_let_go(&owner->keyed);
    snprintf(failed, failed_size, "%u %u", i, port);
    errno = error;
    return -1;
  }
  if (count == 0)
    owner_let_go(&owner->keyed);
  return 0;
}
