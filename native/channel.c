/* The report channel between a container's child and its parent: SOCK_SEQPACKET, one message per packet. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "orlop.h"

union control { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; };

int channel_send(int channel, const struct channel_message *message, int fd) {
  struct iovec part = {(void *)(uintptr_t)message, sizeof *message};
  struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
  union control control = {0};
  if (fd >= 0) {
    packet.msg_control = &control;
    packet.msg_controllen = sizeof control;
    struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  ssize_t sent;
  do
    sent = sendmsg(channel, &packet, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent < 0 ? -1 : 0;
}

int channel_receive(int channel, struct channel_message *message, int *fd) {
  struct iovec part = {message, sizeof *message};
  union control control = {0};
  struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t got;
  do /* ECONNRESET is reported once, before the peer's last messages, when the peer closed with ours unread */
    got = recvmsg(channel, &packet, MSG_CMSG_CLOEXEC);
  while (got < 0 && (errno == EINTR || errno == ECONNRESET));
  if (got <= 0)
    return (int)got;
  struct cmsghdr *header = CMSG_FIRSTHDR(&packet);
  if (fd != NULL)
    *fd = -1;
  if (fd != NULL && header != NULL && header->cmsg_type == SCM_RIGHTS)
    memcpy(fd, CMSG_DATA(header), sizeof *fd);
  if ((size_t)got != sizeof *message) {
    errno = EPROTO;
    return -1;
  }
  message->detail[sizeof message->detail - 1] = 0;
  return 1;
}
