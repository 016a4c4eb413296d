/* What the parts of netd share. There is one netd process, so its state is static; every allocation has a limit. Nothing here ever
 * waits for a peer. */
#ifndef NETD_H
#define NETD_H

#include <netinet/in.h>
#include <sys/epoll.h>

#include "orlop.h"

enum {
  OWNERS_MAX = 1 << 16,     /* of ports, of resolvers, of names: each */
  HELD_MAX = 1 << 18,       /* sockets that hold ports */
  RELAYS_MAX = 1 << 14,     /* tcp connections */
  FLOWS_MAX = 1 << 12,      /* udp peers */
};

/* ── the loop (netd.c) ──────────────────────────────────────────────────────────────────────────────────────────────── */

/* A descriptor in the epoll set; `ready` is called with its events. armed: the events asked for, or UNARMED. */
enum { UNARMED = -1 };
struct watched { int fd, armed; void (*ready)(struct watched *self, uint32_t events); };

/* Asks for these events; UNARMED removes it from the set, so that not even a hang-up is reported. */
void watched_arm(struct watched *watched, int events);
/* Removes it from the set, closes it, and sets fd to -1. */
void watched_close(struct watched *watched);

/* The structure of this type whose `member` is at `at` (container_of). */
#define HOLDER(type, member, at) ((type *)(void *)((char *)(at) - offsetof(type, member)))

/* First member of what is allocated. It is freed after the current round of epoll events, because a later one may point to it. */
struct mortal { struct mortal *next; };
void free_later(struct mortal *mortal);

/* The earlier of two times, of which 0 is never. */
int64_t sooner(int64_t a, int64_t b);
/* Random bits of the kernel's, for ids that nobody can guess. */
uint16_t netd_random(void);

/* ── tables (netd_table.c) ──────────────────────────────────────────────────────────────────────────────────────────── */

/* An entry of a hash table; several may have the same key. generation: how many SYNCs had come when the engine last named it. */
struct keyed { struct mortal mortal; struct keyed *next; uint32_t hash, generation; const char *key; };
enum { TABLE_BUCKETS = 1 << 13 };
struct table { struct keyed *bucket[TABLE_BUCKETS]; uint32_t count; };

struct keyed *table_find(const struct table *table, const char *key);
/* The next entry with the same key. */
struct keyed *table_next(const struct keyed *keyed);
void table_put(struct table *table, struct keyed *keyed);
void table_take(struct table *table, struct keyed *keyed);
/* Calls `let_go`, which takes the entry out of the table, for each entry that was not named since the last SYNC. */
void table_sweep(struct table *table, uint32_t generation, void (*let_go)(struct keyed *));

/* ── ages (netd_ages.c) ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* A list in the order of last use. at: when it was last used; 0: in no list. */
struct age { struct age *older, *newer; int64_t at; };
struct ages { struct age *oldest, *newest; };

void ages_use(struct ages *ages, struct age *age);
void ages_leave(struct ages *ages, struct age *age);
/* Calls `expire`, which has to take it out of the list or use it, for what was not used for life_ms. Returns when the next one is due;
 * 0: never. */
int64_t ages_expire(struct ages *ages, int64_t now, int64_t life_ms, void (*expire)(struct age *));

/* ── addresses (netd_address.c) ─────────────────────────────────────────────────────────────────────────────────────── */

/* An address and port; IPv4 as ::ffff:a.b.c.d. zone: the interface of a link-local address. */
struct place { struct in6_addr address; uint16_t port; uint32_t zone; };

bool take_address(struct span *p, struct in6_addr *address);
bool is_ipv4(const struct in6_addr *address);
/* Fills in a socket address of the family that the address has, and returns its size. */
socklen_t socket_address(const struct place *place, struct sockaddr_storage *to);
bool place_of(const struct sockaddr_storage *from, struct place *place);

/* ── published ports (netd_ports.c), relays (netd_relay.c, netd_flow.c) ─────────────────────────────────────────────── */

enum { HOLD_RELAY = 1 };

/* A socket that holds one port. */
struct held { struct watched socket; struct range *range; uint16_t port; bool taken, starved; };

/* Consecutive ports of an owner. protocol: IPPROTO_*. */
struct range {
  struct mortal mortal;
  struct range *next;
  uint8_t protocol, flags;
  struct in6_addr address, target;
  uint16_t first, last, target_first;
  struct held held[];
};

/* Sets the ports of an owner to exactly these. -1: errno; the owner holds nothing, and `failed` names the port: "ENTRY PORT". */
int ports_hold(const char *owner, struct span payload, char *failed, size_t failed_size);
void ports_sweep(void);
uint32_t ports_owners(void), ports_held(void);
/* Where connections to this port go. */
struct place held_target(const struct held *held);

/* relay_*: TCP connections. They outlive the holding of their port. */
void relay_accept(struct held *held);
void relay_forget(const struct held *held);
uint32_t relay_count(void);
void flow_receive(struct held *held);
void flow_forget(const struct held *held);
uint32_t flow_count(void);
/* Ends flows that have been idle; returns when the next one is due, 0: never. */
int64_t flow_keep_time(int64_t now);

/* ── names (netd_names.c), and the resolvers that answer them (netd_resolver.c …) ───────────────────────────────────── */

enum { FOUND_MAX = 256, UPSTREAMS_MAX = 8, QUERY_MAX = 2048 };

struct endpoint;
struct endpoint_name { struct keyed keyed; struct endpoint *endpoint; };
struct endpoint_address { struct keyed keyed; struct endpoint *endpoint; struct in6_addr address; };
struct endpoint_service { struct keyed keyed; const char *target; uint16_t port; };
struct found_addresses { uint32_t count; struct in6_addr address[FOUND_MAX]; };

/* Sets the names of one owner within a scope, in place of those that it had. -1: errno. */
int names_set(struct span payload);
void names_sweep(void);
uint32_t names_count(void);
/* Whether the scope has the name, and the name's addresses. */
bool names_find(const char *scope, const char *name, struct found_addresses *found);
const char *names_find_pointer(const char *scope, const struct in6_addr *address);
/* The first service of the name, or the one after `after`; NULL: no more. */
const struct endpoint_service *names_find_service(const char *scope, const char *name, const struct endpoint_service *after);

enum { RESOLVER_KEEPS_SINGLE = 1 };

/* How a resolver answers: the scopes that it looks names up in, and the servers that it asks for all others. */
struct policy { uint8_t flags; uint32_t scope_count, upstream_count; struct place upstream[UPSTREAMS_MAX]; char **scopes; };

/* Sockets at 127.0.0.11 in a container's network namespace. */
struct resolver {
  struct keyed keyed;
  uint64_t inode;           /* of the namespace */
  struct watched udp, tcp;
  uint16_t port;            /* of both */
  struct policy *policy;
  uint32_t turns;           /* so that several addresses take turns at being first */
  uint32_t flights, conns;
  char name[];
};

struct conn;

/* Who waits for an answer: a TCP connection, or a UDP peer. limit: bytes of the answer. */
struct asker { struct conn *conn; struct sockaddr_storage peer; socklen_t peer_size; size_t limit; };

/* Sets, or with an empty path removes, the resolver of an owner. -1: errno. *port: where it listens. */
int resolver_set(const char *owner, struct span payload, uint16_t *port);
void resolvers_sweep(void);
uint32_t resolvers_count(void);
/* netd_answer.c: takes a question; sends an answer. Two bytes in front of `message` may be overwritten (TCP's length). */
void resolver_ask(struct resolver *resolver, struct asker *asker, struct span query);
void resolver_answer(struct resolver *resolver, const struct asker *asker, uint8_t *message, size_t size);

/* netd_conn.c: questions over TCP. A connection that does not take an answer is closed. */
void conn_accept(struct resolver *resolver);
void conn_answer(struct conn *conn, uint8_t *message, size_t size);
void conn_forget(const struct resolver *resolver);
int64_t conn_keep_time(int64_t now);

/* netd_forward.c: asks the upstream servers, one after the other. question_end: from dns_read. false: too many questions are under
 * way. */
bool forward(struct resolver *resolver, const struct asker *asker, struct span query, size_t question_end);
void forward_forget(const struct resolver *resolver, const struct conn *conn);
int64_t forward_keep_time(int64_t now);

/* ── the watch (netd_watch.c) ───────────────────────────────────────────────────────────────────────────────────────── */

/* The bits of CHANGED. */
enum { CHANGED_OWN_RULES = 1, CHANGED_ADDRESSES = 2, CHANGED_OTHER_RULES = 4, CHANGED_OWN_ELEMENTS = 8 };

/* Watches the host's addresses and nftables rules; table: ours; "": stops watching. -1: errno. */
int watch_set(const char *table);
void watch_sweep(void);
bool watch_is_on(void);

/* ── the engine's connections (netd_engine.c) ───────────────────────────────────────────────────────────────────────── */

void engine_accept(struct watched *listener, uint32_t events);
bool engine_connected(void);
/* Sends CHANGED to the engine. wake: when none is connected, one is started. */
void engine_tell(uint8_t what, bool wake);
int64_t engine_keep_time(int64_t now);

/* The number of SYNCs so far. */
extern uint32_t netd_generation;
extern const char *netd_run_directory;
/* The host's network namespace, to which netd returns from a container's. */
extern int netd_home;

#endif
