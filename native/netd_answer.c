/* What a resolver answers: names of its scopes from the tables; all others are forwarded, where the policy has servers for that. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>

#include "dns_message.h"
#include "netd.h"

/* Two bytes for the length that TCP wants in front. */
static uint8_t answer_buffer[2 + DNS_MESSAGE_MAX];

/* Adds the addresses of this type, rotated by one each time. */
static void add_addresses(struct resolver *resolver, struct dns_answer *answer, const struct found_addresses *found,
                          uint16_t type) {
  uint32_t first = found->count == 0 ? 0 : resolver->turns++ % found->count;
  for (uint32_t i = 0; i < found->count; i++) {
    const struct in6_addr *address = &found->address[(first + i) % found->count];
    if (type == DNS_ANY || type == (is_ipv4(address) ? DNS_A : DNS_AAAA))
      dns_add_address(answer, address);
  }
}

static bool find_addresses(const struct policy *policy, const char *name, struct found_addresses *found) {
  for (uint32_t i = 0; i < policy->scope_count; i++)
    if (names_find(policy->scopes[i], name, found))
      return true;
  return false;
}

static bool add_pointer(const struct policy *policy, struct dns_answer *answer, const char *name) {
  struct in6_addr address;
  if (!dns_reversed(name, &address))
    return false;
  for (uint32_t i = 0; i < policy->scope_count; i++) {
    const char *pointer = names_find_pointer(policy->scopes[i], &address);
    if (pointer == NULL)
      continue;
    dns_add_pointer(answer, pointer);
    return true;
  }
  return false;
}

static void add_hints(const struct policy *policy, struct dns_answer *answer, const char *target) {
  static struct found_addresses found;
  if (!find_addresses(policy, target, &found))
    return;
  for (uint32_t i = 0; i < found.count; i++)
    dns_add_hint(answer, target, &found.address[i]);
}

static bool add_services(const struct policy *policy, struct dns_answer *answer, const char *name) {
  for (uint32_t i = 0; i < policy->scope_count; i++) {
    const char *scope = policy->scopes[i];
    const struct endpoint_service *first = names_find_service(scope, name, NULL);
    for (const struct endpoint_service *at = first; at != NULL; at = names_find_service(scope, name, at))
      dns_add_service(answer, at->port, at->target);
    for (const struct endpoint_service *at = first; at != NULL; at = names_find_service(scope, name, at))
      add_hints(policy, answer, at->target);
    if (first != NULL)
      return true;
  }
  return false;
}

/* true: the tables have the name, though perhaps no record of that type. */
static bool answer_here(struct resolver *resolver, struct dns_answer *answer, const struct dns_question *question) {
  static struct found_addresses found;
  const struct policy *policy = resolver->policy;
  if (!question->internet || question->name[0] == 0)
    return false;
  if (question->type == DNS_PTR)
    return add_pointer(policy, answer, question->name);
  if (question->type == DNS_SRV && add_services(policy, answer, question->name))
    return true;
  if (!find_addresses(policy, question->name, &found))
    return false;
  add_addresses(resolver, answer, &found, question->type);
  return true;
}

/* Where the user set ndots, a name without a dot is not forwarded: the empty answer makes the client try its search domains. */
static bool keeps_back(const struct policy *policy, const struct dns_question *question) {
  return (policy->flags & RESOLVER_KEEPS_SINGLE) != 0 && (question->type == DNS_A || question->type == DNS_AAAA) &&
         strchr(question->name, '.') == NULL;
}

void resolver_ask(struct resolver *resolver, struct asker *asker, struct span query) {
  struct dns_question question;
  struct dns_answer answer = {.at = answer_buffer + 2};
  int code = dns_read(query, &question);
  if (code < 0)
    return;
  asker->limit = answer.limit = asker->conn != NULL ? DNS_MESSAGE_MAX : question.udp_size;
  dns_begin(&answer, query, &question, (enum dns_rcode)code);
  if (code == DNS_OK && !answer_here(resolver, &answer, &question) && !keeps_back(resolver->policy, &question)) {
    if (resolver->policy->upstream_count == 0)
      dns_begin(&answer, query, &question, DNS_SERVFAIL);
    else if (forward(resolver, asker, query, question.end))
      return;
    else
      dns_begin(&answer, query, &question, DNS_REFUSED);
  }
  resolver_answer(resolver, asker, answer.at, dns_end(&answer));
}

void resolver_answer(struct resolver *resolver, const struct asker *asker, uint8_t *message, size_t size) {
  if (asker->conn != NULL)
    conn_answer(asker->conn, message, size);
  else /* what does not fit is lost, as datagrams are */
    sendto(resolver->udp.fd, message, size, MSG_DONTWAIT, (const struct sockaddr *)&asker->peer, asker->peer_size);
}
