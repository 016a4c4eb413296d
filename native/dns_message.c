/* DNS messages, read and written. */
#include <string.h>

#include "dns_message.h"

enum { LABEL_MAX = 63, QR = 0x80, OPCODE = 0x78, TC = 0x02, RD = 0x01, RA = 0x80, CLASS_IN = 1, CLASS_ANY = 255 };
enum { QUESTION_POINTER = 0xc000 | DNS_HEADER, OPT_SIZE = 11 };

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static void put16(uint8_t *at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

/* ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static char lower(uint8_t byte) { return (char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte); }

/* Reads the name at *at, which moves past it; a question's name is never compressed. false: malformed. */
static bool read_name(struct span message, size_t *at, char name[DNS_NAME_MAX + 1]) {
  size_t used = 0;
  bool plain = true;
  for (;;) {
    if (*at >= message.size)
      return false;
    size_t size = message.at[(*at)++];
    if (size == 0)
      break;
    if (size > LABEL_MAX || size > message.size - *at || used + size + 1 > DNS_NAME_MAX)
      return false;
    if (used > 0)
      name[used++] = '.';
    for (size_t i = 0; i < size; i++) {
      uint8_t byte = message.at[(*at)++];
      plain = plain && byte > ' ' && byte < 0x7f && byte != '.' && byte != '/';
      name[used++] = lower(byte);
    }
  }
  name[plain ? used : 0] = 0;
  return true;
}

/* Reads an OPT record (RFC 6891) directly after the question: of its fields only the UDP size is used. */
static void read_edns(struct span message, struct dns_question *question) {
  const uint8_t *at = message.at + question->end;
  question->udp_size = DNS_UDP_LEAST;
  if (get16(message.at + 6) != 0 || get16(message.at + 8) != 0 || get16(message.at + 10) == 0)
    return;
  if (message.size - question->end < OPT_SIZE || at[0] != 0 || get16(at + 1) != DNS_OPT)
    return;
  uint16_t size = get16(at + 3);
  question->edns = true;
  question->udp_size = size < DNS_UDP_LEAST ? DNS_UDP_LEAST : size > DNS_UDP_MOST ? DNS_UDP_MOST : size;
}

int dns_read(struct span message, struct dns_question *question) {
  *question = (struct dns_question){.end = DNS_HEADER, .udp_size = DNS_UDP_LEAST};
  if (message.size < DNS_HEADER || (message.at[2] & QR) != 0)
    return -1;
  if ((message.at[2] & OPCODE) != 0)
    return DNS_NOTIMP;
  size_t at = DNS_HEADER;
  if (get16(message.at + 4) != 1 || !read_name(message, &at, question->name) || message.size - at < 4) {
    question->name[0] = 0;
    return DNS_FORMERR;
  }
  uint16_t class = get16(message.at + at + 2);
  question->type = get16(message.at + at);
  question->internet = class == CLASS_IN || class == CLASS_ANY;
  question->end = at + 4;
  read_edns(message, question);
  return DNS_OK;
}

/* Parses "4.3.2.1", up to `end`, as the address 1.2.3.4. */
static bool reversed4(const char *name, const char *end, struct in6_addr *address) {
  *address = (struct in6_addr){0};
  address->s6_addr[10] = address->s6_addr[11] = 0xff;
  for (int i = 15; i >= 12; i--) {
    unsigned value = 0;
    int digits = 0;
    for (; name < end && *name >= '0' && *name <= '9' && digits < 3; digits++)
      value = value * 10 + (unsigned)(*name++ - '0');
    if (digits == 0 || value > 255 || (i > 12 && (name >= end || *name++ != '.')))
      return false;
    address->s6_addr[i] = (uint8_t)value;
  }
  return name == end;
}

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

/* Parses 32 hexadecimal digits separated by dots, least significant first. */
static bool reversed6(const char *name, const char *end, struct in6_addr *address) {
  *address = (struct in6_addr){0};
  if (end - name != 63)
    return false;
  for (int i = 0; i < 32; i++) {
    int digit = hex_digit(name[2 * i]);
    if (digit < 0 || (i < 31 && name[2 * i + 1] != '.'))
      return false;
    address->s6_addr[15 - i / 2] |= (uint8_t)(i % 2 == 0 ? digit : digit << 4);
  }
  return true;
}

bool dns_reversed(const char *name, struct in6_addr *address) {
  static const char v4[] = ".in-addr.arpa", v6[] = ".ip6.arpa";
  size_t size = strlen(name);
  if (size > sizeof v4 - 1 && strcmp(name + size - (sizeof v4 - 1), v4) == 0)
    return reversed4(name, name + size - (sizeof v4 - 1), address);
  if (size > sizeof v6 - 1 && strcmp(name + size - (sizeof v6 - 1), v6) == 0)
    return reversed6(name, name + size - (sizeof v6 - 1), address);
  return false;
}

bool dns_answers(struct span message, struct span query, size_t question_end) {
  if (message.size < question_end || question_end > query.size || (message.at[2] & QR) == 0 || get16(message.at + 4) != 1)
    return false;
  for (size_t i = DNS_HEADER; i < question_end; i++)
    if (lower(message.at[i]) != lower(query.at[i]))
      return false;
  return true;
}

enum dns_rcode dns_code(struct span message) { return (enum dns_rcode)(message.at[3] & 0x0f); }

/* ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────── */

void dns_begin(struct dns_answer *answer, struct span query, const struct dns_question *question, enum dns_rcode code) {
  memcpy(answer->at, query.at, question->end);
  answer->at[2] = (uint8_t)(QR | (query.at[2] & (OPCODE | RD)));
  answer->at[3] = (uint8_t)(RA | code);
  memset(answer->at + 4, 0, 8);
  put16(answer->at + 4, question->end > DNS_HEADER);
  answer->used = question->end;
  answer->edns = question->edns;
  answer->answers = answer->additional = 0;
  answer->truncated = false;
}

/* Reserves this many bytes, leaving room for the OPT record at the end; NULL, and truncated, when there is none. */
static uint8_t *room(struct dns_answer *answer, size_t size) {
  size_t kept = answer->edns ? OPT_SIZE : 0;
  if (answer->truncated || answer->used + size + kept > answer->limit) {
    answer->truncated = true;
    return NULL;
  }
  uint8_t *at = answer->at + answer->used;
  answer->used += size;
  return at;
}

/* Writes type, class, time to live, and the size of the data. */
static uint8_t *put_head(uint8_t *at, enum dns_type type, size_t size) {
  put16(at, type);
  put16(at + 2, CLASS_IN);
  put16(at + 4, 0);
  put16(at + 6, DNS_TTL_S);
  put16(at + 8, (unsigned)size);
  return at + 10;
}

/* The size of a name encoded as labels; 0 when it is not a valid name, which the engine never sends. */
static size_t name_size(const char *name) {
  size_t size = strlen(name);
  if (size == 0 || size > DNS_NAME_MAX - 2)
    return 0;
  for (const char *label = name, *dot; label != NULL; label = dot == NULL ? NULL : dot + 1) {
    dot = strchr(label, '.');
    size_t length = dot == NULL ? strlen(label) : (size_t)(dot - label);
    if (length == 0 || length > LABEL_MAX)
      return 0;
  }
  return size + 2;
}

static uint8_t *put_name(uint8_t *at, const char *name) {
  for (const char *label = name, *dot; label != NULL; label = dot == NULL ? NULL : dot + 1) {
    dot = strchr(label, '.');
    size_t length = dot == NULL ? strlen(label) : (size_t)(dot - label);
    *at++ = (uint8_t)length;
    memcpy(at, label, length);
    at += length;
  }
  *at++ = 0;
  return at;
}

static size_t address_size(const struct in6_addr *address) { return IN6_IS_ADDR_V4MAPPED(address) ? 4 : 16; }

static void put_address(uint8_t *at, const struct in6_addr *address) {
  size_t size = address_size(address);
  at = put_head(at, size == 4 ? DNS_A : DNS_AAAA, size);
  memcpy(at, &address->s6_addr[16 - size], size);
}

void dns_add_address(struct dns_answer *answer, const struct in6_addr *address) {
  uint8_t *at = room(answer, 2 + 10 + address_size(address));
  if (at == NULL)
    return;
  put16(at, QUESTION_POINTER);
  put_address(at + 2, address);
  answer->answers++;
}

void dns_add_pointer(struct dns_answer *answer, const char *name) {
  size_t size = name_size(name);
  uint8_t *at = size == 0 ? NULL : room(answer, 2 + 10 + size);
  if (at == NULL)
    return;
  put16(at, QUESTION_POINTER);
  put_name(put_head(at + 2, DNS_PTR, size), name);
  answer->answers++;
}

/* Priority and weight are 0, as Docker's. */
void dns_add_service(struct dns_answer *answer, uint16_t port, const char *target) {
  size_t size = name_size(target);
  uint8_t *at = size == 0 ? NULL : room(answer, 2 + 10 + 6 + size);
  if (at == NULL)
    return;
  put16(at, QUESTION_POINTER);
  at = put_head(at + 2, DNS_SRV, 6 + size);
  memset(at, 0, 4);
  put16(at + 4, port);
  put_name(at + 6, target);
  answer->answers++;
}

void dns_add_hint(struct dns_answer *answer, const char *name, const struct in6_addr *address) {
  bool truncated = answer->truncated;
  size_t size = name_size(name);
  uint8_t *at = size == 0 ? NULL : room(answer, size + 10 + address_size(address));
  answer->truncated = truncated; /* an additional record that does not fit is left out without TC */
  if (at == NULL)
    return;
  put_address(put_name(at, name), address);
  answer->additional++;
}

size_t dns_end(struct dns_answer *answer) {
  if (answer->edns) {
    static const uint8_t option[OPT_SIZE] = {0, 0, DNS_OPT, DNS_UDP_MOST >> 8, DNS_UDP_MOST & 0xff};
    memcpy(answer->at + answer->used, option, sizeof option);
    answer->used += sizeof option;
    answer->additional++;
  }
  if (answer->truncated)
    answer->at[2] |= TC;
  put16(answer->at + 6, answer->answers);
  put16(answer->at + 10, answer->additional);
  return answer->used;
}
