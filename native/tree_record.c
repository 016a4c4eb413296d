/* A tree's records: many in one VALUE, which is sent when the next record does not fit. Memory is static. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tree.h"

enum {
  RECORDS_MAX = 128 << 10, /* in one VALUE */
  EXTENTS_MAX = 65536,     /* of one file: the rest of it is then one extent */
};

/* Records: u32 size of what follows, u8 kind, fields. */
enum { R_ENTRY = 1, R_XATTR, R_EXTENT, R_DATA, R_FILE_END, R_WALK_END };

static struct task *reader;
static size_t used;
static uint8_t records[RECORDS_MAX + 1];

void records_begin(struct task *task) {
  reader = task;
  used = 0;
}

int records_flush(void) {
  if (used == 0)
    return 0;
  records[used] = 0;
  int result = send_piece(reader->conn, reader->step, (struct span){records, used});
  used = 0;
  return result;
}

/* Begins a record, and returns where its `size` bytes of fields go; NULL when the reader is gone. */
static uint8_t *begin_record(uint8_t kind, size_t size) {
  if (used + 5 + size > RECORDS_MAX && records_flush() < 0)
    return NULL;
  uint8_t *at = records + used;
  uint32_t length = (uint32_t)(1 + size);
  memcpy(at, &length, sizeof length);
  at[4] = kind;
  used += 5 + size;
  return at + 5;
}

static uint8_t *put(uint8_t *at, const void *value, size_t size) {
  memcpy(at, value, size);
  return at + size;
}

static uint8_t *put_u32(uint8_t *at, uint32_t value) { return put(at, &value, sizeof value); }
static uint8_t *put_u64(uint8_t *at, uint64_t value) { return put(at, &value, sizeof value); }

static uint8_t *put_text(uint8_t *at, const char *text, size_t size) {
  uint16_t length = (uint16_t)size;
  return put(put(at, &length, sizeof length), text, size);
}

/* Some file systems store times outside the range of 64-bit nanoseconds: clamped. */
static int64_t nanoseconds(struct statx_timestamp time) {
  const int64_t most = INT64_MAX / 1000000000 - 1;
  int64_t seconds = time.tv_sec > most ? most : time.tv_sec < -most ? -most : time.tv_sec;
  return seconds * 1000000000 + time.tv_nsec;
}

int put_entry(const struct statx *stat, uint8_t flags, struct text path, struct text link, struct text place) {
  uint64_t mtime = (uint64_t)nanoseconds(stat->stx_mtime);
  uint8_t *at = begin_record(R_ENTRY, 8 * 4 + 3 * 8 + 1 + 3 * 2 + path.size + link.size + place.size);
  if (at == NULL)
    return -1;
  at = put_u32(at, stat->stx_mode);
  at = put_u32(at, stat->stx_uid);
  at = put_u32(at, stat->stx_gid);
  at = put_u32(at, stat->stx_nlink);
  at = put_u32(at, stat->stx_dev_major);
  at = put_u32(at, stat->stx_dev_minor);
  at = put_u32(at, stat->stx_rdev_major);
  at = put_u32(at, stat->stx_rdev_minor);
  at = put_u64(at, stat->stx_size);
  at = put_u64(at, mtime);
  at = put_u64(at, stat->stx_ino);
  *at++ = flags;
  at = put_text(at, path.at, path.size);
  at = put_text(at, link.at, link.size);
  put_text(at, place.at, place.size);
  return 0;
}

int put_xattrs(int fd) {
  static char names[TREE_XATTRS_MAX];
  static uint8_t value[TREE_XATTRS_MAX];
  ssize_t size = inode_xattrs(fd, names);
  if (size < 0)
    return -1;
  for (char *name = names; name < names + size; name += strlen(name) + 1) {
    if (is_overlay_mark(name))
      continue;
    ssize_t length = inode_xattr(fd, name, value, sizeof value);
    if (length < 0 && (errno == ENODATA || errno == EOPNOTSUPP))
      continue; /* removed meanwhile, or made up by a security module that is not active */
    uint8_t *at = length < 0 ? NULL : begin_record(R_XATTR, 2 + strlen(name) + (size_t)length);
    if (at == NULL)
      return -1;
    put(put_text(at, name, strlen(name)), value, (size_t)length);
  }
  return 0;
}

int put_walk_end(void) { return begin_record(R_WALK_END, 0) == NULL ? -1 : records_flush(); }

/* ── content ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Writes at most `size` bytes from `offset` as records. A file that was truncated meanwhile ends early. */
static int put_content(int fd, uint64_t offset, uint64_t size) {
  while (size > 0) {
    size_t wanted = size < TREE_PIECE_MAX ? (size_t)size : TREE_PIECE_MAX;
    uint8_t *at = begin_record(R_DATA, 8 + wanted);
    if (at == NULL)
      return -1;
    ssize_t got = pread(fd, at + 8, wanted, (off_t)offset);
    if (got < 0 && errno != EINTR)
      return -1;
    got = got < 0 ? 0 : got;
    put_u64(at, offset);
    uint32_t length = (uint32_t)(1 + 8 + got);
    memcpy(at - 5, &length, sizeof length);
    used -= wanted - (size_t)got;
    offset += (uint64_t)got;
    size -= (uint64_t)got;
    if (got == 0)
      return 0;
  }
  return 0;
}

struct extent { uint64_t offset, size; };

/* Finds the extents with data. When there are too many, the last one covers the rest of the file. */
static ssize_t find_extents(int fd, uint64_t size, struct extent extents[EXTENTS_MAX]) {
  size_t count = 0;
  off_t at = 0;
  while ((uint64_t)at < size && count < EXTENTS_MAX) {
    off_t start = lseek(fd, at, SEEK_DATA);
    if (start < 0)
      return errno == ENXIO ? (ssize_t)count : -1; /* a hole up to the end */
    off_t end = lseek(fd, start, SEEK_HOLE);
    if (end < 0)
      return -1;
    if ((uint64_t)start >= size)
      break;
    uint64_t until = (uint64_t)end < size && count + 1 < EXTENTS_MAX ? (uint64_t)end : size;
    extents[count++] = (struct extent){(uint64_t)start, until - (uint64_t)start};
    at = (off_t)until;
  }
  return (ssize_t)count;
}

static int put_sparse(int fd, uint64_t size) {
  static struct extent extents[EXTENTS_MAX];
  ssize_t count = find_extents(fd, size, extents);
  for (ssize_t i = 0; i < count; i++) {
    uint8_t *at = begin_record(R_EXTENT, 16);
    if (at == NULL)
      return -1;
    put_u64(put_u64(at, extents[i].offset), extents[i].size);
  }
  for (ssize_t i = 0; i < count; i++)
    if (put_content(fd, extents[i].offset, extents[i].size) < 0)
      return -1;
  return count < 0 ? -1 : 0;
}

int put_file(int fd, const struct statx *stat, uint64_t sparse_min) {
  int file = inode_open_again(fd, O_RDONLY);
  if (file < 0)
    return -1;
  uint64_t stored = stat->stx_blocks * 512;
  bool sparse = sparse_min > 0 && stored < stat->stx_size && stat->stx_size - stored >= sparse_min;
  int result = sparse ? put_sparse(file, stat->stx_size) : put_content(file, 0, stat->stx_size);
  if (result == 0 && begin_record(R_FILE_END, sizeof(uint8_t)) == NULL)
    result = -1;
  else if (result == 0)
    records[used - 1] = sparse;
  return close_after(file, result);
}
