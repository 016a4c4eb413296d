/* Resolvers: DNS sockets at 127.0.0.11 in containers' network namespaces, as the engine wants them (RESOLVER). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "netd.h"

enum { QUERIES_AT_ONCE = 64, SCOPES_MAX = 256, BACKLOG = 64, ATTEMPTS = 8, OWN_ADDRESS = 0x7f00000b /* 127.0.0.11 */ };

static struct table resolvers;

uint32_t resolvers_count(void) { return resolvers.count; }

/* ── questions ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void udp_ready(struct watched *udp, uint32_t events) {
  static uint8_t query[QUERY_MAX];
  struct resolver *resolver = HOLDER(struct resolver, udp, udp);
  (void)events;
  for (int i = 0; i < QUERIES_AT_ONCE; i++) {
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    ssize_t got = recvfrom(udp->fd, query, sizeof query, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&peer, &size);
    if (got < 0)
      return;
    struct asker asker = {.peer = peer, .peer_size = size};
    if ((size_t)got <= sizeof query)
      resolver_ask(resolver, &asker, (struct span){query, (size_t)got});
  }
}

static void tcp_ready(struct watched *tcp, uint32_t events) {
  (void)events;
  conn_accept(HOLDER(struct resolver, tcp, tcp));
}

/* ── the sockets ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int open_socket(int type, uint16_t *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(OWN_ADDRESS)};
  socklen_t size = sizeof address;
  int on = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return -1;
  /* FREEBIND: loopback may not be up yet. REUSEADDR: connections in TIME_WAIT, when netd was restarted */
  if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on) < 0 ||
      (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) ||
      bind(fd, (struct sockaddr *)&address, size) < 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) < 0) ||
      getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
    return close_after(fd, -1);
  }
  *port = ntohs(address.sin_port);
  return fd;
}

/* Opens UDP and TCP on the same port; port 0: any that is free for both. */
static int open_pair(struct resolver *resolver, uint16_t port) {
  for (int attempt = 0; attempt < (port == 0 ? ATTEMPTS : 1); attempt++) {
    resolver->port = port;
    resolver->udp.fd = open_socket(SOCK_DGRAM, &resolver->port);
    if (resolver->udp.fd < 0)
      return -1;
    resolver->tcp.fd = open_socket(SOCK_STREAM, &resolver->port);
    if (resolver->tcp.fd >= 0)
      return 0;
    int error = errno;
    watched_close(&resolver->udp);
    errno = error;
  }
  return -1;
}

/* Opens the sockets in the namespace, and returns to the host's. */
static int open_sockets(struct resolver *resolver, int ns, uint16_t port) {
  if (setns(ns, CLONE_NEWNET) < 0)
    return -1;
  int opened = open_pair(resolver, port), error = errno;
  if (setns(netd_home, CLONE_NEWNET) < 0)
    abort(); /* netd must never go on in a container's network namespace */
  errno = error;
  return opened;
}

/* Opens a namespace and checks its inode: /proc/PID/ns/net of a pid that was reused would be another. */
static int open_namespace(const char *path, uint64_t inode, uint64_t *found) {
  struct stat stat;
  struct statfs fs;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return -1;
  if (fstat(fd, &stat) == 0 && fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC && (inode == 0 || stat.st_ino == inode)) {
    *found = stat.st_ino;
    return fd;
  }
  close(fd);
  errno = ESTALE;
  return -1;
}

/* ── the engine's requests ──────────────────────────────────────────────────────────────────────────────────────────── */

static void resolver_let_go(struct keyed *keyed) {
  struct resolver *resolver = HOLDER(struct resolver, keyed, keyed);
  forward_forget(resolver, NULL);
  conn_forget(resolver);
  watched_close(&resolver->udp);
  watched_close(&resolver->tcp);
  free(resolver->policy);
  table_take(&resolvers, keyed);
  free_later(&keyed->mortal);
}

void resolvers_sweep(void) { table_sweep(&resolvers, netd_generation, resolver_let_go); }

/* `s` path, `u64` inode, `u16` port, `u8` flags, `l` scopes, `u32` n, n times: address, `u16` port, `u32` zone. */
struct wanted { char *path; uint64_t inode; uint16_t port; uint8_t flags; uint32_t scopes, upstreams; struct span rest; };

static bool take_wanted(struct span payload, struct wanted *wanted) {
  char *scope;
  if (!take_string(&payload, &wanted->path) || !take_u64(&payload, &wanted->inode) || !take_u16(&payload, &wanted->port) ||
      !take_u8(&payload, &wanted->flags) || !take_u32(&payload, &wanted->scopes))
    return false;
  errno = EPROTO;
  if (wanted->scopes > SCOPES_MAX)
    return false;
  wanted->rest = payload;
  for (uint32_t i = 0; i < wanted->scopes; i++)
    if (!take_string(&payload, &scope))
      return false;
  if (!take_u32(&payload, &wanted->upstreams))
    return false;
  errno = EPROTO;
  return wanted->upstreams <= UPSTREAMS_MAX && payload.size == wanted->upstreams * (sizeof(struct in6_addr) + 2 + 4);
}

static struct policy *policy_new(const struct wanted *wanted) {
  struct span rest = wanted->rest;
  struct policy *policy = calloc(1, sizeof *policy + wanted->scopes * sizeof(char *) + rest.size);
  if (policy == NULL)
    return NULL;
  policy->flags = wanted->flags;
  policy->scopes = (void *)(policy + 1);
  char *text = (void *)(policy->scopes + wanted->scopes), *scope;
  for (; policy->scope_count < wanted->scopes && take_string(&rest, &scope); policy->scope_count++) {
    policy->scopes[policy->scope_count] = text;
    text = stpcpy(text, scope) + 1;
  }
  uint32_t count = 0;
  take_u32(&rest, &count);
  for (; policy->upstream_count < wanted->upstreams; policy->upstream_count++) {
    struct place *place = &policy->upstream[policy->upstream_count];
    if (!take_address(&rest, &place->address) || !take_u16(&rest, &place->port) || !take_u32(&rest, &place->zone))
      break;
  }
  return policy;
}

static struct resolver *resolver_new(const char *owner, int ns, uint64_t inode, uint16_t port) {
  struct resolver *resolver = resolvers.count < OWNERS_MAX ? calloc(1, sizeof *resolver + strlen(owner) + 1) : NULL;
  if (resolver == NULL) {
    errno = ENOMEM;
    return NULL;
  }
  strcpy(resolver->name, owner);
  resolver->keyed.key = resolver->name;
  resolver->inode = inode;
  resolver->udp = (struct watched){-1, UNARMED, udp_ready};
  resolver->tcp = (struct watched){-1, UNARMED, tcp_ready};
  if (POINT("netd.resolver.open") < 0 || open_sockets(resolver, ns, port) < 0) {
    int error = errno;
    free(resolver);
    errno = error;
    return NULL;
  }
  table_put(&resolvers, &resolver->keyed);
  watched_arm(&resolver->udp, EPOLLIN);
  watched_arm(&resolver->tcp, EPOLLIN);
  return resolver;
}

/* The owner's resolver, if it has this namespace and port; else a new one in its place. */
static struct resolver *resolver_in(const char *owner, const struct wanted *wanted) {
  uint64_t inode;
  int ns = open_namespace(wanted->path, wanted->inode, &inode);
  if (ns < 0)
    return NULL;
  struct keyed *found = table_find(&resolvers, owner);
  struct resolver *resolver = found == NULL ? NULL : HOLDER(struct resolver, keyed, found);
  bool kept = resolver != NULL && resolver->inode == inode && (wanted->port == 0 || wanted->port == resolver->port);
  if (found != NULL && !kept)
    resolver_let_go(found);
  if (!kept)
    resolver = resolver_new(owner, ns, inode, wanted->port);
  int error = errno;
  close(ns);
  errno = error;
  return resolver;
}

int resolver_set(const char *owner, struct span payload, uint16_t *port) {
  struct wanted wanted;
  *port = 0;
  if (!take_wanted(payload, &wanted))
    return -1;
  if (wanted.path[0] == 0) {
    struct keyed *found = table_find(&resolvers, owner);
    if (found != NULL)
      resolver_let_go(found);
    return 0;
  }
  struct policy *policy = policy_new(&wanted);
  struct resolver *resolver = policy == NULL ? NULL : resolver_in(owner, &wanted);
  if (resolver == NULL) {
    int error = errno;
    free(policy);
    errno = error;
    return -1;
  }
  free(resolver->policy);
  resolver->policy = policy;
  resolver->keyed.generation = netd_generation;
  *port = resolver->port;
  return 0;
}
