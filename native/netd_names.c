/* The tables of names: endpoints, each with its names and addresses within a scope (a network, or the names that only one container
 * sees). */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns_message.h"
#include "netd.h"

enum { SCOPE_MAX = 128, KEY_MAX = SCOPE_MAX + 1 + DNS_NAME_MAX + 1, BYTES_MAX = 256 << 20 };

/* keyed.key is "SCOPE/OWNER". One allocation holds the endpoint, its entries in the tables, and their strings. */
struct endpoint {
  struct keyed keyed;
  size_t size;
  const char *pointer;
  uint32_t name_count, address_count, service_count;
  struct endpoint_name *names;
  struct endpoint_address *addresses;
  struct endpoint_service *services;
};

static struct table endpoints, names, addresses, services;
static size_t bytes;

uint32_t names_count(void) { return endpoints.count; }

/* ── looking up ────────────────────────────────────────────────────────────────────────────────────────────────── */

static const char *key_of(const char *scope, const char *name) {
  static char key[KEY_MAX];
  snprintf(key, sizeof key, "%s/%s", scope, name);
  return key;
}

static const char *text_of(const struct in6_addr *address) {
  static char text[2 * sizeof *address + 1];
  for (size_t i = 0; i < sizeof *address; i++)
    snprintf(text + 2 * i, 3, "%02x", address->s6_addr[i]);
  return text;
}

bool names_find(const char *scope, const char *name, struct found_addresses *found) {
  struct keyed *at = table_find(&names, key_of(scope, name));
  found->count = 0;
  for (struct keyed *next = at; next != NULL; next = table_next(next)) {
    const struct endpoint *endpoint = HOLDER(struct endpoint_name, keyed, next)->endpoint;
    for (uint32_t i = 0; i < endpoint->address_count && found->count < FOUND_MAX; i++)
      found->address[found->count++] = endpoint->addresses[i].address;
  }
  return at != NULL;
}

const char *names_find_pointer(const char *scope, const struct in6_addr *address) {
  struct keyed *at = table_find(&addresses, key_of(scope, text_of(address)));
  return at == NULL ? NULL : HOLDER(struct endpoint_address, keyed, at)->endpoint->pointer;
}

const struct endpoint_service *names_find_service(const char *scope, const char *name, const struct endpoint_service *after) {
  struct keyed *at = after == NULL ? table_find(&services, key_of(scope, name)) : table_next(&after->keyed);
  return at == NULL ? NULL : HOLDER(struct endpoint_service, keyed, at);
}

/* ── an endpoint from a frame ──────────────────────────────────────────────────────────────────────────────────── */

/* The parts of a NAMES frame in order: scope, owner, name for PTR, names, addresses, services. */
struct description {
  char *scope, *owner, *pointer;
  uint32_t name_count, address_count, service_count;
  struct span names, addresses, services; /* not read yet */
};

static bool is_short(const char *text, size_t most) {
  if (strlen(text) <= most)
    return true;
  errno = ENAMETOOLONG;
  return false;
}

static bool skip_names(struct span *p, uint32_t count) {
  char *name;
  for (uint32_t i = 0; i < count; i++)
    if (!take_string(p, &name) || !is_short(name, DNS_NAME_MAX - 2))
      return false;
  return true;
}

static bool skip_services(struct span *p, uint32_t count) {
  char *name, *target;
  uint16_t port;
  for (uint32_t i = 0; i < count; i++)
    if (!take_string(p, &name) || !is_short(name, DNS_NAME_MAX - 2) || !take_u16(p, &port) || !take_string(p, &target) ||
        !is_short(target, DNS_NAME_MAX - 2))
      return false;
  return true;
}

static bool take_description(struct span payload, struct description *d) {
  struct in6_addr address;
  if (!take_string(&payload, &d->scope) || !take_string(&payload, &d->owner) || !take_string(&payload, &d->pointer) ||
      !is_short(d->scope, SCOPE_MAX) || !is_short(d->owner, DNS_NAME_MAX) || !is_short(d->pointer, DNS_NAME_MAX - 2) ||
      !take_u32(&payload, &d->name_count))
    return false;
  d->names = payload;
  if (!skip_names(&payload, d->name_count) || !take_u32(&payload, &d->address_count))
    return false;
  d->addresses = payload;
  for (uint32_t i = 0; i < d->address_count; i++)
    if (!take_address(&payload, &address))
      return false;
  if (!take_u32(&payload, &d->service_count))
    return false;
  d->services = payload;
  if (!skip_services(&payload, d->service_count))
    return false;
  errno = EPROTO;
  return payload.size == 0;
}

/* Writes a key at *at, which moves behind it. */
static const char *put_key(char **at, const char *scope, const char *name) {
  const char *key = *at;
  *at += sprintf(*at, "%s/%s", scope, name) + 1;
  return key;
}

static const char *put_text(char **at, const char *text) {
  const char *copy = *at;
  *at += sprintf(*at, "%s", text) + 1;
  return copy;
}

/* Upper bound of the bytes of all strings: each key with its scope, and the rest. */
static size_t strings_size(const struct description *d) {
  size_t scope = strlen(d->scope) + 2;
  size_t text = d->names.size + strlen(d->pointer) + strlen(d->owner) + 4; /* d->names reaches to the end of the frame */
  return text + scope * (1 + (size_t)d->name_count + d->address_count + d->service_count) +
         (size_t)d->address_count * 2 * sizeof(struct in6_addr);
}

static struct endpoint *endpoint_new(const struct description *d, char **strings) {
  size_t size = sizeof(struct endpoint) + d->name_count * sizeof(struct endpoint_name) +
                d->address_count * sizeof(struct endpoint_address) + d->service_count * sizeof(struct endpoint_service) +
                strings_size(d);
  struct endpoint *endpoint = NULL;
  if (endpoints.count < OWNERS_MAX && size <= BYTES_MAX - bytes)
    endpoint = calloc(1, size);
  if (endpoint == NULL) {
    errno = ENOMEM;
    return NULL;
  }
  bytes += size;
  endpoint->size = size;
  endpoint->names = (void *)(endpoint + 1);
  endpoint->addresses = (void *)(endpoint->names + d->name_count);
  endpoint->services = (void *)(endpoint->addresses + d->address_count);
  *strings = (void *)(endpoint->services + d->service_count);
  return endpoint;
}

static void fill(struct endpoint *endpoint, struct description *d, char *strings) {
  char *name, *target;
  endpoint->keyed.key = put_key(&strings, d->scope, d->owner);
  endpoint->keyed.generation = netd_generation;
  endpoint->pointer = put_text(&strings, d->pointer);
  table_put(&endpoints, &endpoint->keyed);
  for (; endpoint->name_count < d->name_count && take_string(&d->names, &name); endpoint->name_count++) {
    struct endpoint_name *at = &endpoint->names[endpoint->name_count];
    at->endpoint = endpoint;
    at->keyed.key = put_key(&strings, d->scope, name);
    table_put(&names, &at->keyed);
  }
  for (; endpoint->address_count < d->address_count; endpoint->address_count++) {
    struct endpoint_address *at = &endpoint->addresses[endpoint->address_count];
    if (!take_address(&d->addresses, &at->address))
      return;
    at->endpoint = endpoint;
    at->keyed.key = put_key(&strings, d->scope, text_of(&at->address));
    table_put(&addresses, &at->keyed);
  }
  for (; endpoint->service_count < d->service_count && take_string(&d->services, &name); endpoint->service_count++) {
    struct endpoint_service *at = &endpoint->services[endpoint->service_count];
    if (!take_u16(&d->services, &at->port) || !take_string(&d->services, &target))
      return;
    at->keyed.key = put_key(&strings, d->scope, name);
    at->target = put_text(&strings, target);
    table_put(&services, &at->keyed);
  }
}

static void endpoint_let_go(struct keyed *keyed) {
  struct endpoint *endpoint = HOLDER(struct endpoint, keyed, keyed);
  for (uint32_t i = 0; i < endpoint->name_count; i++)
    table_take(&names, &endpoint->names[i].keyed);
  for (uint32_t i = 0; i < endpoint->address_count; i++)
    table_take(&addresses, &endpoint->addresses[i].keyed);
  for (uint32_t i = 0; i < endpoint->service_count; i++)
    table_take(&services, &endpoint->services[i].keyed);
  table_take(&endpoints, keyed);
  bytes -= endpoint->size;
  free_later(&keyed->mortal);
}

void names_sweep(void) { table_sweep(&endpoints, netd_generation, endpoint_let_go); }

int names_set(struct span payload) {
  struct description d;
  char *strings;
  if (!take_description(payload, &d))
    return -1;
  struct endpoint *endpoint = NULL;
  bool named = d.name_count > 0 || d.address_count > 0 || d.service_count > 0;
  if (named && (endpoint = endpoint_new(&d, &strings)) == NULL)
    return -1;
  char key[KEY_MAX + DNS_NAME_MAX];
  snprintf(key, sizeof key, "%s/%s", d.scope, d.owner);
  struct keyed *old = table_find(&endpoints, key);
  if (old != NULL)
    endpoint_let_go(old);
  if (endpoint != NULL)
    fill(endpoint, &d, strings);
  return 0;
}
