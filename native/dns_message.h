/* DNS messages (RFC 1035), as far as questions about containers and their answers need them. The only external format that C code
 * parses: in one function (dns_read), which follows no pointers and allocates nothing. */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include <netinet/in.h>

#include "orlop.h"

enum {
  DNS_HEADER = 12,
  DNS_NAME_MAX = 255,
  DNS_UDP_LEAST = 512,      /* bytes that a client without EDNS accepts */
  DNS_UDP_MOST = 4096,
  DNS_MESSAGE_MAX = 65535,
  DNS_TTL_S = 600,          /* Docker's */
};
enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_SRV = 33, DNS_OPT = 41, DNS_ANY = 255 };
enum dns_rcode { DNS_OK = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5 };

struct dns_question {
  uint16_t type;
  size_t end;               /* of the question, counted from the message's beginning */
  uint16_t udp_size;        /* bytes that the client accepts in one datagram */
  bool edns;                /* it sent an OPT record */
  bool internet;            /* its class is IN or ANY */
  char name[DNS_NAME_MAX + 1]; /* lower case, without the final dot; "" when it cannot be in a table of ours */
};

/* DNS_OK, or the code to answer with; -1: do not answer. */
int dns_read(struct span message, struct dns_question *question);
/* The address of a name below in-addr.arpa or ip6.arpa; false for other names. */
bool dns_reversed(const char *name, struct in6_addr *address);
/* Whether this message answers that query, apart from the id. */
bool dns_answers(struct span message, struct span query, size_t question_end);
enum dns_rcode dns_code(struct span message);

/* An answer under construction, in a buffer of DNS_MESSAGE_MAX bytes. Records beyond `limit` are left out, and TC is set. */
struct dns_answer { uint8_t *at; size_t used, limit; uint16_t answers, additional; bool truncated, edns; };

void dns_begin(struct dns_answer *answer, struct span query, const struct dns_question *question, enum dns_rcode code);
/* Adds an address of the name in the question; IPv4 as ::ffff:a.b.c.d. */
void dns_add_address(struct dns_answer *answer, const struct in6_addr *address);
void dns_add_pointer(struct dns_answer *answer, const char *name);
void dns_add_service(struct dns_answer *answer, uint16_t port, const char *target);
/* In the additional section, after all answers. */
void dns_add_hint(struct dns_answer *answer, const char *name, const struct in6_addr *address);
/* Completes the message, and returns its size. */
size_t dns_end(struct dns_answer *answer);

#endif
