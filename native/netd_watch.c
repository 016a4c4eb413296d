/* Watches, by netlink notifications, for changes of the host's firewall rules and addresses by others. The engine decides what to do
 * about them; it is started for changes of rules, but not of addresses. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netd.h"

enum { TABLE_NAME_MAX = 64, RECEIVE_BYTES = 1 << 20, ATTRIBUTE_HEAD = sizeof(struct nlattr) };
/* The number of the attribute with the table's name, the first one in every nftables message. */
enum { FIRST_ATTRIBUTE = 1 };

static struct watched rules = {.fd = -1, .armed = UNARMED}, addresses = {.fd = -1, .armed = UNARMED};
static char own_table[TABLE_NAME_MAX];
static uint32_t generation;
/* Elements of ours were removed in the transaction that is being reported. */
static bool elements_gone;

bool watch_is_on(void) { return rules.fd >= 0; }

/* ── notifications ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The table that an nftables message is about; "" when it names none. */
static void table_of(const uint8_t *message, size_t size, char table[TABLE_NAME_MAX]) {
  size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
  struct nlattr attribute;
  table[0] = 0;
  if (size < at + ATTRIBUTE_HEAD)
    return;
  memcpy(&attribute, message + at, sizeof attribute);
  if ((attribute.nla_type & NLA_TYPE_MASK) != FIRST_ATTRIBUTE || attribute.nla_len < ATTRIBUTE_HEAD || attribute.nla_len > size - at)
    return;
  size_t length = attribute.nla_len - ATTRIBUTE_HEAD;
  length = length < TABLE_NAME_MAX - 1 ? length : TABLE_NAME_MAX - 1;
  memcpy(table, message + at + ATTRIBUTE_HEAD, length);
  table[length] = 0;
}

/* Whether a rule in somebody else's chain is one of ours that lets traffic pass: its comment begins with our table's name
 * (src/network/other-firewalls.ts). */
static bool is_passage(const uint8_t *message, size_t size) {
  char comment[TABLE_NAME_MAX + sizeof " forwards "];
  int length = snprintf(comment, sizeof comment, "%s forwards ", own_table);
  return memmem(message, size, comment, (size_t)length) != NULL;
}

/* Which bits of CHANGED a message means: for the removal of tables, chains, rules and sets of ours, for others' chains, and for the
 * removal of our elements and pass rules by others. The engine's own removals are known by their sequence numbers (OWN_SEQUENCE). */
static uint8_t meaning_of(const uint8_t *message, const struct nlmsghdr *header) {
  char table[TABLE_NAME_MAX];
  if (NFNL_SUBSYS_ID(header->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
    return 0;
  table_of(message, header->nlmsg_len, table);
  bool ours = strcmp(table, own_table) == 0, foreign = (header->nlmsg_seq & OWN_SEQUENCE_MASK) != OWN_SEQUENCE;
  switch (NFNL_MSG_TYPE(header->nlmsg_type)) {
  case NFT_MSG_DELTABLE:
  case NFT_MSG_DELCHAIN:
    return ours ? CHANGED_OWN_RULES : CHANGED_OTHER_RULES;
  case NFT_MSG_DELRULE:
    if (ours)
      return CHANGED_OWN_RULES;
    return foreign && is_passage(message, header->nlmsg_len) ? CHANGED_OTHER_RULES : 0;
  case NFT_MSG_DELSET:
    return ours ? CHANGED_OWN_RULES : 0;
  case NFT_MSG_DELSETELEM:
    elements_gone |= ours;
    return 0;
  case NFT_MSG_NEWGEN: /* ends a transaction and has its sequence number; elements have none since Linux 6.12 */
    foreign = foreign && elements_gone;
    elements_gone = false;
    return foreign ? CHANGED_OWN_ELEMENTS : 0;
  case NFT_MSG_NEWCHAIN:
    return ours ? 0 : CHANGED_OTHER_RULES;
  default:
    return 0;
  }
}

static uint8_t meaning_of_all(const uint8_t *message, size_t left) {
  uint8_t what = 0;
  struct nlmsghdr header;
  while (left >= sizeof header) {
    memcpy(&header, message, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > left)
      break;
    what |= meaning_of(message, &header);
    size_t size = NLMSG_ALIGN(header.nlmsg_len);
    size = size < left ? size : left;
    message += size;
    left -= size;
  }
  return what;
}

static void rules_ready(struct watched *socket, uint32_t events) {
  static uint8_t messages[32 << 10];
  uint8_t what = 0;
  (void)events;
  for (;;) {
    ssize_t got = recv(socket->fd, messages, sizeof messages, MSG_DONTWAIT);
    if (got < 0 && errno == ENOBUFS)
      what |= CHANGED_OWN_RULES | CHANGED_OTHER_RULES | CHANGED_OWN_ELEMENTS; /* notifications were lost: assume all */
    else if (got < 0)
      break;
    else
      what |= meaning_of_all(messages, (size_t)got);
  }
  if (what != 0)
    engine_tell(what, true);
}

static void addresses_ready(struct watched *socket, uint32_t events) {
  static uint8_t messages[32 << 10];
  (void)events;
  while (recv(socket->fd, messages, sizeof messages, MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
    ;
  engine_tell(CHANGED_ADDRESSES, false);
}

/* ── on and off ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int listen_to(int protocol, unsigned groups) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
  int size = RECEIVE_BYTES, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0)
    return -1;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static void watch_off(void) {
  watched_close(&rules);
  watched_close(&addresses);
}

void watch_sweep(void) {
  if (generation != netd_generation)
    watch_off();
}

int watch_set(const char *table) {
  if (strlen(table) >= sizeof own_table) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(own_table, table);
  generation = netd_generation;
  if (table[0] == 0)
    watch_off();
  if (table[0] == 0 || watch_is_on())
    return 0;
  rules.fd = listen_to(NETLINK_NETFILTER, 1U << (NFNLGRP_NFTABLES - 1));
  addresses.fd = listen_to(NETLINK_ROUTE, RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE);
  if (rules.fd < 0 || addresses.fd < 0) {
    int error = errno;
    watch_off();
    errno = error;
    return -1;
  }
  rules.ready = rules_ready;
  addresses.ready = addresses_ready;
  watched_arm(&rules, EPOLLIN);
  watched_arm(&addresses, EPOLLIN);
  return 0;
}
