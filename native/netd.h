/* What the parts of netd share. One process, so there is one of everything: static memory, of which untouched pages cost
 * nothing, and allocations that each have a limit. Nothing here ever waits for one peer. */
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

/* ── the loop (netd.c) ─────────────────────────────────────────────────────────────────────────────────────────── */

/* A descriptor that epoll knows: `ready` is called with what epoll says. armed: the events asked for, or UNARMED. */
enum { UNARMED = -1 };
struct watched { int fd, armed; void (*ready)(struct watched *self, uint32_t events); };

/* Asks for these events; UNARMED takes it out, so that not even a hang-up is reported. */
void watched_arm(struct watched *watched, int events);
/* Takes it out, closes it, and sets fd to -1. */
void watched_close(struct watched *watched);

/* The structure that `member` is in. */
#define HOLDER(type, member, at) ((type *)(void *)((char *)(at) - offsetof(type, member)))

/* First member of what is allocated: freed behind the round of events in which it died, for one of them may name it. */
struct mortal { struct mortal *next; };
void free_later(struct mortal *mortal);

int64_t netd_now_ms(void);
/* The earlier of two times, of which 0 is never. */
int64_t sooner(int64_t a, int64_t b);
/* From the kernel, for ids that nobody shall guess. */
uint16_t netd_random(void);

/* ── tables (netd_table.c) ─────────────────────────────────────────────────────────────────────────────────────── */

/* What is found by a name. generation: of the last SYNC before it was named. Several may have the same key. */
struct keyed { struct mortal mortal; struct keyed *next; uint32_t hash, generation; const char *key; };
enum { TABLE_BUCKETS = 1 << 13 };
struct table { struct keyed *bucket[TABLE_BUCKETS]; uint32_t count; };

struct keyed *table_find(const struct table *table, const char *key);
/* The next one with the same key. */
struct keyed *table_next(const struct keyed *keyed);
void table_put(struct table *table, struct keyed *keyed);
void table_take(struct table *table, struct keyed *keyed);
/* Calls `let_go` for each that was not named since the last SYNC; it takes it out of the table. */
void table_sweep(struct table *table, uint32_t generation, void (*let_go)(struct keyed *));

/* ── ages (netd_ages.c) ────────────────────────────────────────────────────────────────────────────────────────── */

/* at: when it was used last; 0: in no list. */
struct age { struct age *older, *newer; int64_t at; };
struct ages { struct age *oldest, *newest; };

void ages_use(struct ages *ages, struct age *age);
void ages_leave(struct ages *ages, struct age *age);
/* Calls `expire` for what was not used for so long, which has to leave; when the next one is due, 0 never. */
int64_t ages_expire(struct ages *ages, int64_t now, int64_t life_ms, void (*expire)(struct age *));

/* ── addresses (netd_address.c) ────────────────────────────────────────────────────────────────────────────────── */

/* An address and port as the protocol has them; IPv4 as ::ffff:a.b.c.d. */
struct place { struct in6_addr address; uint16_t port; uint32_t zone; };

bool take_address(struct span *p, struct in6_addr *address);
bool is_ipv4(const struct in6_addr *address);
/* Its size; the family follows from the address. */
socklen_t socket_address(const struct place *place, struct sockaddr_storage *to);
bool place_of(const struct sockaddr_storage *from, struct place *place);

/* ── published ports (netd_ports.c), relays (netd_relay.c, netd_flow.c) ────────────────────────────────────────── */

enum { HOLD_RELAY = 1 };

/* One socket that holds one port. */
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

/* The ports of an owner, exactly these. -1: errno, the owner holds nothing, and failed says which one: "ENTRY PORT". */
int ports_hold(const char *owner, struct span payload, char *failed, size_t failed_size);
void ports_sweep(void);
uint32_t ports_owners(void), ports_held(void);
/* Where connections to this port go. */
struct place held_target(const struct held *held);

/* Connections to a port that is no longer held go on. */
void relay_accept(struct held *held);
void relay_forget(const struct held *held);
uint32_t relay_count(void);
void flow_receive(struct held *held);
void flow_forget(const struct held *held);
uint32_t flow_count(void);
/* Ends what has been idle; when the next one is due, 0 never. */
int64_t flow_keep_time(int64_t now);

/* ── names (netd_names.c), and who asks for them (netd_resolver.c and its parts) ───────────────────────────────── */


enum { FOUND_MAX = 256, UPSTREAMS_MAX = 8, QUERY_MAX = 2048 };

struct endpoint;
struct endpoint_name { struct keyed keyed; struct endpoint *endpoint; };
struct endpoint_address { struct keyed keyed; struct endpoint *endpoint; struct in6_addr address; };
struct endpoint_service { struct keyed keyed; const char *target; uint16_t port; };
struct found_addresses { uint32_t count; struct in6_addr address[FOUND_MAX]; };

/* What one owner is called within a scope, in place of what it was called. -1: errno. */
int names_set(struct span payload);
void names_sweep(void);
uint32_t names_count(void);
/* Whether the scope has the name, and which addresses. */
bool names_find(const char *scope, const char *name, struct found_addresses *found);
const char *names_find_pointer(const char *scope, const struct in6_addr *address);
/* The first one, or the one behind `after`. */
const struct endpoint_service *names_find_service(const char *scope, const char *name, const struct endpoint_service *after);

enum { RESOLVER_KEEPS_SINGLE = 1 };

/* How a resolver answers: whose names, and whom it asks for all others. */
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

/* Who waits for an answer: a connection, or a peer. */
struct asker { struct conn *conn; struct sockaddr_storage peer; socklen_t peer_size; size_t limit; };

/* -1: errno. *port: where it is asked. */
int resolver_set(const char *owner, struct span payload, uint16_t *port);
void resolvers_sweep(void);
uint32_t resolvers_count(void);
/* netd_answer.c: a question; and an answer, with two bytes in front of it that may be written. */
void resolver_ask(struct resolver *resolver, struct asker *asker, struct span query);
void resolver_answer(struct resolver *resolver, const struct asker *asker, uint8_t *message, size_t size);

/* netd_conn.c: containers that ask over TCP. A connection that cannot take its answer ends. */
void conn_accept(struct resolver *resolver);
void conn_answer(struct conn *conn, uint8_t *message, size_t size);
void conn_forget(const struct resolver *resolver);
int64_t conn_keep_time(int64_t now);

/* Asks the upstream servers, one after the other; question_end: as dns_read has it. false: too many are on their way. */
bool forward(struct resolver *resolver, const struct asker *asker, struct span query, size_t question_end);
void forward_forget(const struct resolver *resolver, const struct conn *conn);
int64_t forward_keep_time(int64_t now);

/* ── the watch (netd_watch.c) ──────────────────────────────────────────────────────────────────────────────────── */

/* As CHANGED has them. */
enum { CHANGED_OWN_RULES = 1, CHANGED_ADDRESSES = 2, CHANGED_OTHER_RULES = 4, CHANGED_OWN_ELEMENTS = 8 };

/* Watches the host's rules, of which this table is ours, and its addresses; "": no more. -1: errno. */
int watch_set(const char *table);
void watch_sweep(void);
bool watch_is_on(void);

/* ── the engine's connections (netd_engine.c) ──────────────────────────────────────────────────────────────────── */

void engine_accept(struct watched *listener, uint32_t events);
bool engine_connected(void);
/* Rules or routes changed: CHANGED to the engine, which is started when there is none. */
void engine_tell(uint8_t what, bool wake);
int64_t engine_keep_time(int64_t now);

/* Counted up by each SYNC. */
extern uint32_t netd_generation;
extern const char *netd_run_directory;
/* A namespace of the host's network: where everything is made that is not said to be elsewhere. */
extern int netd_home;

#endif
