/* Netlink: sends messages that the engine encoded, checks each acknowledgement, and returns dumps. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "steps.h"

enum {
  LIST_MAX = FRAME_MAX - 64, /* a VALUE frame holds it */
  DATAGRAM_MAX = 1 << 15, /* of a list: the kernel's own limit (net/netlink/af_netlink.c, netlink_dump) */
  ANSWER_MAX = 1 << 16,
  /* nf_tables answers a batch of some thousand elements at once */
  RECEIVE_BUFFER = 1 << 20,
};

/* What is sent with one send(2): a message, or an nf_tables batch from NFNL_MSG_BATCH_BEGIN to NFNL_MSG_BATCH_END. */
struct packet { struct span bytes; uint32_t first, answers; };

/* The message at the front of `rest`; false when there is no whole one. */
static bool message_at(struct span rest, struct nlmsghdr *header) {
  if (rest.size < sizeof *header)
    return false;
  memcpy(header, rest.at, sizeof *header);
  return header->nlmsg_len >= sizeof *header && header->nlmsg_len <= rest.size;
}

static void skip(struct span *rest, size_t size) {
  size = NLMSG_ALIGN(size);
  size = size < rest->size ? size : rest->size;
  rest->at += size;
  rest->size -= size;
}

static bool is_frame(int protocol, uint16_t type) {
  return protocol == NETLINK_NETFILTER && (type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END);
}

/* Takes the next packet from `rest`, with flags and sequence numbers set; false (EPROTO) when it is not well formed. */
static bool next_packet(int protocol, struct span *rest, uint32_t *sequence, struct packet *packet) {
  *packet = (struct packet){.bytes = {rest->at, 0}, .first = *sequence + 1};
  bool in_batch = false;
  do {
    struct nlmsghdr header;
    if (!message_at(*rest, &header)) {
      errno = EPROTO;
      return false;
    }
    bool frame = is_frame(protocol, header.nlmsg_type);
    in_batch = frame ? header.nlmsg_type == NFNL_MSG_BATCH_BEGIN : in_batch;
    header.nlmsg_flags |= NLM_F_REQUEST | (frame ? 0 : NLM_F_ACK);
    header.nlmsg_seq = ++*sequence;
    packet->answers += frame ? 0 : 1;
    memcpy(rest->at, &header, sizeof header);
    skip(rest, header.nlmsg_len);
    packet->bytes.size = (size_t)(rest->at - packet->bytes.at);
  } while (in_batch);
  return true;
}

static ssize_t receive(int fd, uint8_t *answer, size_t size) {
  ssize_t got;
  do
    got = recv(fd, answer, size, 0);
  while (got < 0 && errno == EINTR);
  return got;
}

/* Waits for the acknowledgement of every message of a packet: 0, or the first errno and its message's number. */
static int acknowledged(int fd, const struct packet *packet, uint32_t *failed) {
  static uint8_t answer[ANSWER_MAX];
  int error = 0;
  for (uint32_t missing = packet->answers; missing > 0;) {
    ssize_t size = receive(fd, answer, sizeof answer);
    if (size < 0)
      return errno;
    struct span rest = {answer, (size_t)size};
    struct nlmsghdr header;
    for (; message_at(rest, &header); skip(&rest, header.nlmsg_len)) {
      struct nlmsgerr said;
      if (header.nlmsg_seq < packet->first || header.nlmsg_type != NLMSG_ERROR ||
          header.nlmsg_len < NLMSG_HDRLEN + sizeof said.error)
        continue; /* an echo or a notification */
      memcpy(&said.error, rest.at + NLMSG_HDRLEN, sizeof said.error);
      missing -= missing > 0 ? 1 : 0;
      if (error == 0 && said.error != 0) {
        error = -said.error;
        *failed = header.nlmsg_seq;
      }
      /* a batch that is refused as a whole gets one answer, to its first message */
      if (said.error != 0 && header.nlmsg_seq == packet->first)
        missing = 0;
    }
  }
  return error;
}

static int open_netlink(struct task *task, uint64_t protocol) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, (int)protocol), size = RECEIVE_BUFFER;
  if (fd < 0)
    return fail(task, errno, "netlink protocol %llu", (unsigned long long)protocol);
  /* EPERM without CAP_NET_ADMIN: the default size then */
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  /* no copies of our messages in the answers */
  int on = 1;
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  return fd;
}

static bool is_done_already(int error) {
  return error == EEXIST || error == ENOENT || error == ENODEV || error == ESRCH || error == EADDRNOTAVAIL;
}

static int send_all(struct task *task, union argument *arg, bool tolerant) {
  int protocol = (int)arg[0].n, fd = open_netlink(task, arg[0].n);
  if (fd < 0)
    return -1;
  struct span rest = arg[1].b;
  struct packet packet;
  uint32_t begin = protocol == NETLINK_NETFILTER ? OWN_SEQUENCE : 0, sequence = begin, failed = begin;
  int error = 0;
  while (error == 0 && rest.size > 0) {
    failed = sequence + 1;
    if (!next_packet(protocol, &rest, &sequence, &packet) || send(fd, packet.bytes.at, packet.bytes.size, 0) < 0)
      error = errno;
    else
      error = acknowledged(fd, &packet, &failed);
    if (tolerant && is_done_already(error))
      error = 0;
  }
  close(fd);
  return error == 0 ? 0 : fail(task, error, "message %u", failed - begin);
}

/* protocol: NETLINK_*; messages: nlmsghdr after nlmsghdr, each padded to 4 bytes. Flags and sequence are set here. */
int step_netlink(struct task *task, union argument *arg) { return send_all(task, arg, false); }

/* As step_netlink, but creating what exists and removing what is gone are no failures. */
int step_try_netlink(struct task *task, union argument *arg) { return send_all(task, arg, true); }

/* Finds NLMSG_DONE (*error 0) or the kernel's error in what was received; *end: where that message begins. */
static bool end_of_list(struct span rest, const uint8_t **end, int *error) {
  struct nlmsghdr header;
  for (; message_at(rest, &header); skip(&rest, header.nlmsg_len)) {
    int32_t said = 0;
    bool failed = header.nlmsg_type == NLMSG_ERROR && header.nlmsg_len >= NLMSG_HDRLEN + sizeof said;
    if (header.nlmsg_type != NLMSG_DONE && !failed)
      continue;
    if (failed)
      memcpy(&said, rest.at + NLMSG_HDRLEN, sizeof said);
    *error = -said;
    *end = rest.at;
    return true;
  }
  return false;
}

static int send_list(struct task *task, uint8_t *list, size_t size) {
  list[size] = 0;
  return send_value(task->conn, task->step, (struct span){list, size});
}

/* Answers with the kernel's list: a VALUE whenever the next datagram might not fit in the buffer, and one at the end. */
static int collect(struct task *task, int fd, uint8_t *list) {
  size_t used = 0;
  for (;;) {
    const uint8_t *end;
    int error;
    ssize_t got = receive(fd, list + used, LIST_MAX - used);
    if (got <= 0)
      return fail(task, got == 0 ? EPROTO : errno, "list");
    if (end_of_list((struct span){list + used, (size_t)got}, &end, &error))
      return error != 0 ? fail(task, error, "list") : send_list(task, list, (size_t)(end - list));
    used += (size_t)got;
    if (LIST_MAX - used >= DATAGRAM_MAX)
      continue;
    if (send_list(task, list, used) < 0)
      return -1;
    used = 0;
  }
}

/* protocol; message: one request, sent with NLM_F_DUMP. VALUE, or several for a long list: the kernel's messages. */
int step_netlink_list(struct task *task, union argument *arg) {
  struct nlmsghdr header;
  if (!message_at(arg[1].b, &header))
    return fail(task, EPROTO, "message 1");
  header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
  header.nlmsg_seq = 1;
  memcpy(arg[1].b.at, &header, sizeof header);
  int fd = open_netlink(task, arg[0].n);
  if (fd < 0)
    return -1;
  uint8_t *list = mmap(NULL, LIST_MAX + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  int result = -1;
  if (list != MAP_FAILED) {
    result = send(fd, arg[1].b.at, header.nlmsg_len, 0) < 0 ? fail(task, errno, "list") : collect(task, fd, list);
    munmap(list, LIST_MAX + 1);
  }
  return close_after(fd, result);
}
