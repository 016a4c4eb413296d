/* libFuzzer target: a datagram as a container sends it, through the reader of questions and the writer of answers; and the same
 * bytes as an upstream server's answer. Built and run by scripts/fuzz-native.ts. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "../dns_message.h"

static void check(bool holds) {
  if (!holds)
    abort();
}

/* Everything that an answer can be made of, in whatever room the question says there is. */
static void write_answer(struct span query, const struct dns_question *question, int code) {
  static uint8_t buffer[DNS_MESSAGE_MAX];
  struct in6_addr v6 = {0}, v4 = {.s6_addr = {[10] = 0xff, [11] = 0xff, [15] = 1}};
  struct dns_answer answer = {.at = buffer, .limit = question->udp_size};
  dns_begin(&answer, query, question, (enum dns_rcode)code);
  for (int i = 0; i < 40; i++) {
    dns_add_address(&answer, &v4);
    dns_add_address(&answer, &v6);
    dns_add_pointer(&answer, question->name);
    dns_add_service(&answer, 80, question->name);
  }
  dns_add_hint(&answer, question->name, &v4);
  size_t size = dns_end(&answer);
  check(size <= question->udp_size);
  check(dns_answers((struct span){buffer, size}, query, question->end) || question->end == DNS_HEADER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct in6_addr address;
  struct dns_question question;
  struct span message = {malloc(size), size}; /* exactly so long, so that ASan sees every byte beyond */
  memcpy(message.at, data, size);
  int code = dns_read(message, &question);
  if (code >= 0) {
    check(question.end >= DNS_HEADER && question.end <= size);
    check(strlen(question.name) <= DNS_NAME_MAX);
    check(question.udp_size >= DNS_UDP_LEAST && question.udp_size <= DNS_UDP_MOST);
    dns_reversed(question.name, &address);
    write_answer(message, &question, code);
  }
  if (size >= DNS_HEADER) {
    struct span half = {message.at, size / 2};
    dns_answers(message, half, size / 2 < DNS_HEADER ? DNS_HEADER : size / 2);
    dns_code(message);
  }
  free(message.at);
  return 0;
}
