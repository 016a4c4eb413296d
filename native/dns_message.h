/* DNS messages (RFC 1035): as much of them as a question about a container and its answer need. The only outside format that C
 * reads, in one function, with nothing followed and nothing allocated. */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include <netinet/in.h>

#include "orlop.h"

enum {
  DNS_HEADER = 12,
  DNS_NAME_MAX = 255,
  DNS_UDP_LEAST = 512,      /* what a client without EDNS takes */
  DNS_UDP_MOST = 4096,
  DNS_MESSAGE_MAX = 65535,
  DNS_TTL_S = 600,          /* Docker's */
};
enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_SRV = 33, DNS_OPT = 41, DNS_ANY = 255 };
enum dns_rcode { DNS_OK = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5 };

struct dns_question {
  uint16_t type;
  size_t end;               /* of the question, counted from the message's beginning */
  uint16_t udp_size;        /* what the client takes in one datagram */
  bool edns;                /* it sent an OPT record */
  bool internet;            /* its class is IN or ANY */
  char name[DNS_NAME_MAX + 1]; /* lower case, without the last dot; "" when no table of ours can have it */
};

/* DNS_OK, or with which code to answer; -1: no answer at all. */
int dns_read(struct span message, struct dns_question *question);
/* A name below in-addr.arpa or ip6.arpa; false for others. */
bool dns_reversed(const char *name, struct in6_addr *address);
/* Whether this is the answer to that query, ids aside. */
bool dns_answers(struct span message, struct span query, size_t question_end);
enum dns_rcode dns_code(struct span message);

/* An answer under construction, in a buffer of DNS_MESSAGE_MAX bytes. Records that do not fit `limit` are left out, and the client
 * told so. */
struct dns_answer { uint8_t *at; size_t used, limit; uint16_t answers, additional; bool truncated, edns; };

void dns_begin(struct dns_answer *answer, struct span query, const struct dns_question *question, enum dns_rcode code);
/* Of the name that was asked for; IPv4 as ::ffff:a.b.c.d. */
void dns_add_address(struct dns_answer *answer, const struct in6_addr *address);
void dns_add_pointer(struct dns_answer *answer, const char *name);
void dns_add_service(struct dns_answer *answer, uint16_t port, const char *target);
/* In the additional section, after all answers. */
void dns_add_hint(struct dns_answer *answer, const char *name, const struct in6_addr *address);
/* The whole message's size. */
size_t dns_end(struct dns_answer *answer);

#endif
