/* Frames and their payloads, as drawn in README.md. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "orlop.h"

enum { INBOX_MIN = 4096, INBOX_MAX = FRAME_MAX + 4096 /* a whole frame and its length, in whole pages */ };

/* A peer that reads nothing of our answers for this long counts as gone. */
enum { SEND_PATIENCE_MS = 10 * 1000 };

static int inbox_resize(struct inbox *box, size_t capacity) {
  void *at = box->at == NULL
                 ? mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                 : mremap(box->at, box->capacity, capacity, MREMAP_MAYMOVE);
  if (at == MAP_FAILED)
    return -1;
  box->at = at;
  box->capacity = capacity;
  return 0;
}

/* Makes room for at least one more byte: drops the frames that were taken, then doubles the buffer. */
static int inbox_make_room(struct inbox *box) {
  if (box->taken > 0) {
    memmove(box->at, box->at + box->taken, box->used - box->taken);
    box->used -= box->taken;
    box->taken = 0;
  }
  if (box->used == 0 && box->capacity > INBOX_MIN)
    return inbox_resize(box, INBOX_MIN);
  if (box->used < box->capacity)
    return 0;
  if (box->capacity >= INBOX_MAX) {
    errno = EPROTO; /* the caller asks for more before it has taken the frames that are there */
    return -1;
  }
  size_t capacity = box->capacity == 0 ? INBOX_MIN : box->capacity * 2;
  return inbox_resize(box, capacity < INBOX_MAX ? capacity : INBOX_MAX);
}

int inbox_fill(struct inbox *box, int fd) {
  if (inbox_make_room(box) < 0)
    return -1;
  ssize_t got;
  do
    got = read(fd, box->at + box->used, box->capacity - box->used);
  while (got < 0 && errno == EINTR);
  if (got <= 0)
    return (int)got;
  box->used += (size_t)got;
  return 1;
}

int inbox_receive(struct inbox *box, int fd, int *passed) {
  union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control;
  if (inbox_make_room(box) < 0)
    return -1;
  struct iovec part = {box->at + box->used, box->capacity - box->used};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t got;
  do
    got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got <= 0)
    return (int)got;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    if (*passed >= 0)
      close(*passed);
    memcpy(passed, CMSG_DATA(header), sizeof *passed);
  }
  box->used += (size_t)got;
  return 1;
}

int inbox_next(struct inbox *box, uint8_t *kind, struct span *payload) {
  struct span rest = {box->at + box->taken, box->used - box->taken};
  uint32_t size;
  if (rest.size < sizeof size)
    return 0;
  take_u32(&rest, &size);
  if (size < 1 || size > FRAME_MAX) {
    errno = EPROTO;
    return -1;
  }
  if (rest.size < size)
    return 0;
  *kind = rest.at[0];
  *payload = (struct span){rest.at + 1, size - 1};
  box->taken += sizeof size + size;
  return 1;
}

void inbox_free(struct inbox *box) {
  if (box->at != NULL)
    munmap(box->at, box->capacity);
  *box = (struct inbox){0};
}

static bool take(struct span *p, void *value, size_t size) {
  if (p->size < size) {
    errno = EPROTO;
    return false;
  }
  memcpy(value, p->at, size); /* little-endian on both of our architectures, and unaligned */
  p->at += size;
  p->size -= size;
  return true;
}

bool take_u8(struct span *p, uint8_t *value) { return take(p, value, sizeof *value); }
bool take_u16(struct span *p, uint16_t *value) { return take(p, value, sizeof *value); }
bool take_u32(struct span *p, uint32_t *value) { return take(p, value, sizeof *value); }
bool take_u64(struct span *p, uint64_t *value) { return take(p, value, sizeof *value); }

bool take_bytes(struct span *p, struct span *value) {
  uint32_t size;
  if (!take_u32(p, &size))
    return false;
#ifndef ORLOP_SEEDED_BOUNDS /* test/seeded leaves this check out, which the fuzzer must find */
  if (p->size <= size || p->at[size] != 0) {
    errno = EPROTO;
    return false;
  }
#endif
  *value = (struct span){p->at, size};
  p->at += size + 1;
  p->size -= size + 1;
  return true;
}

bool take_string(struct span *p, char **value) {
  struct span bytes;
  if (!take_bytes(p, &bytes))
    return false;
  if (memchr(bytes.at, 0, bytes.size) != NULL) {
    errno = EPROTO;
    return false;
  }
  *value = (char *)bytes.at;
  return true;
}

/* Writes all parts; waits while a non-blocking connection is full. */
static int write_whole(int fd, struct iovec *part, int count) {
  while (count > 0) {
    ssize_t written = writev(fd, part, count);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0 && errno == EAGAIN) {
      struct pollfd writable = {.fd = fd, .events = POLLOUT};
      if (poll(&writable, 1, SEND_PATIENCE_MS) > 0)
        continue;
      errno = ETIMEDOUT;
      return -1;
    }
    if (written < 0)
      return -1;
    size_t left = (size_t)written;
    for (; count > 0 && left >= part->iov_len; count--, part++)
      left -= part->iov_len;
    if (count > 0) {
      part->iov_base = (uint8_t *)part->iov_base + left;
      part->iov_len -= left;
    }
  }
  return 0;
}

static int forgive_absence(int result) { return result < 0 && (errno == EPIPE || errno == ECONNRESET) ? 0 : result; }

/* A frame whose payload is head followed by tail. */
static int send_parts(int fd, enum frame_kind kind, struct span head, struct span tail) {
  uint8_t start[5];
  uint32_t size = (uint32_t)(1 + head.size + tail.size);
  memcpy(start, &size, sizeof size);
  start[4] = (uint8_t)kind;
  struct iovec part[] = {{start, sizeof start}, {head.at, head.size}, {tail.at, tail.size}};
  return write_whole(fd, part, 3);
}

int send_frame(int fd, enum frame_kind kind, const void *payload, size_t size) {
  uint8_t *at = (uint8_t *)(uintptr_t)payload; /* iovec has no const */
  return forgive_absence(send_parts(fd, kind, (struct span){at, size}, (struct span){NULL, 0}));
}

int send_value(int fd, int32_t step, struct span value) { return forgive_absence(send_piece(fd, step, value)); }

int send_piece(int fd, int32_t step, struct span value) {
  uint8_t head[8];
  uint32_t size = (uint32_t)value.size;
  memcpy(head, &step, 4);
  memcpy(head + 4, &size, 4);
  value.size++;
  return send_parts(fd, F_VALUE, (struct span){head, sizeof head}, value);
}

int send_failed(int fd, int32_t step, int error, const char *detail) {
  uint8_t head[12];
  int32_t number = error;
  uint32_t size = (uint32_t)strlen(detail);
  memcpy(head, &step, 4);
  memcpy(head + 4, &number, 4);
  memcpy(head + 8, &size, 4);
  struct span tail = {(uint8_t *)(uintptr_t)detail, size + 1};
  return forgive_absence(send_parts(fd, F_FAILED, (struct span){head, sizeof head}, tail));
}
