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
/* Random bytes, from the kernel; for ids that nobody shall guess. */
uint32_t netd_random(void);

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
