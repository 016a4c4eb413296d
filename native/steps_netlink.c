/* Netlink: sends what the other side encoded, and checks each acknowledgement. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "steps.h"

/* The kernel's answer to message `sequence`: 0, or -1 with its errno. */
static int acknowledged(int fd, uint32_t sequence) {
  uint8_t answer[4096];
  for (;;) {
    ssize_t size = recv(fd, answer, sizeof answer, 0);
    if (size < 0 && errno == EINTR)
      continue;
    if (size < (ssize_t)sizeof(struct nlmsghdr))
      return -1;
    struct nlmsghdr header;
    struct nlmsgerr error;
    memcpy(&header, answer, sizeof header);
    if (header.nlmsg_seq != sequence || header.nlmsg_type != NLMSG_ERROR ||
        size < (ssize_t)(NLMSG_HDRLEN + sizeof error.error))
      continue; /* an echo or a notification */
    memcpy(&error.error, answer + NLMSG_HDRLEN, sizeof error.error);
    errno = -error.error;
    return error.error == 0 ? 0 : -1;
  }
}

/* protocol: NETLINK_*; messages: nlmsghdr after nlmsghdr, each padded to 4 bytes. Flags and sequence are set here. */
int step_netlink(struct task *task, union argument *arg) {
  struct span rest = arg[1].b;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, (int)arg[0].n);
  if (fd < 0)
    return fail(task, errno, "netlink protocol %llu", (unsigned long long)arg[0].n);
  int result = 0, error = 0;
  for (uint32_t number = 1; result == 0 && rest.size > 0; number++) {
    struct nlmsghdr header;
    if (rest.size < sizeof header || (memcpy(&header, rest.at, sizeof header), header.nlmsg_len < sizeof header) ||
        header.nlmsg_len > rest.size) {
      result = fail(task, EPROTO, "message %u", number);
      error = errno;
      break;
    }
    header.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    header.nlmsg_seq = number;
    memcpy(rest.at, &header, sizeof header);
    if (send(fd, rest.at, header.nlmsg_len, 0) < 0 || acknowledged(fd, number) < 0) {
      error = errno;
      result = fail(task, error, "message %u", number);
    }
    size_t size = NLMSG_ALIGN(header.nlmsg_len);
    size = size < rest.size ? size : rest.size;
    rest.at += size;
    rest.size -= size;
  }
  close(fd);
  errno = error;
  return result;
}
