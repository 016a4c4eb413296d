/* Addresses: 16 bytes in the protocol, IPv4 as ::ffff:a.b.c.d; what sockets want, and back. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "netd.h"

bool take_address(struct span *p, struct in6_addr *address) {
  if (p->size < sizeof *address) {
    errno = EPROTO;
    return false;
  }
  memcpy(address, p->at, sizeof *address);
  p->at += sizeof *address;
  p->size -= sizeof *address;
  return true;
}

bool is_ipv4(const struct in6_addr *address) { return IN6_IS_ADDR_V4MAPPED(address); }

socklen_t socket_address(const struct place *place, struct sockaddr_storage *to) {
  memset(to, 0, sizeof *to);
  if (is_ipv4(&place->address)) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(place->port)};
    memcpy(&in.sin_addr, &place->address.s6_addr[12], sizeof in.sin_addr);
    memcpy(to, &in, sizeof in);
    return sizeof in;
  }
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(place->port), .sin6_addr = place->address};
  in6.sin6_scope_id = place->zone;
  memcpy(to, &in6, sizeof in6);
  return sizeof in6;
}

bool place_of(const struct sockaddr_storage *from, struct place *place) {
  *place = (struct place){0};
  if (from->ss_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, from, sizeof in);
    place->address.s6_addr[10] = place->address.s6_addr[11] = 0xff;
    memcpy(&place->address.s6_addr[12], &in.sin_addr, sizeof in.sin_addr);
    place->port = ntohs(in.sin_port);
    return true;
  }
  if (from->ss_family != AF_INET6)
    return false;
  struct sockaddr_in6 in6;
  memcpy(&in6, from, sizeof in6);
  *place = (struct place){in6.sin6_addr, ntohs(in6.sin6_port), in6.sin6_scope_id};
  return true;
}
