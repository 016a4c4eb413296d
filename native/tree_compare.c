/* Compares an inode with the one of the same path in another tree. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tree.h"

static bool same_metadata(const struct statx *a, const struct statx *b) {
  return a->stx_mode == b->stx_mode && a->stx_uid == b->stx_uid && a->stx_gid == b->stx_gid &&
         a->stx_rdev_major == b->stx_rdev_major && a->stx_rdev_minor == b->stx_rdev_minor &&
         (inode_is(a, S_IFDIR) || a->stx_size == b->stx_size);
}

bool inode_same_time(const struct statx *a, const struct statx *b) {
  return a->stx_mtime.tv_sec == b->stx_mtime.tv_sec && a->stx_mtime.tv_nsec == b->stx_mtime.tv_nsec;
}

static bool same_link(int a, int b) {
  static char text[2][PATH_MAX];
  ssize_t size = readlinkat(a, "", text[0], sizeof text[0]);
  return size >= 0 && size == readlinkat(b, "", text[1], sizeof text[1]) && memcmp(text[0], text[1], (size_t)size) == 0;
}

/* Whether b has each of a's attributes with the same value. */
static bool has_xattrs_of(int a, int b) {
  static char names[TREE_XATTRS_MAX];
  static uint8_t value[2][TREE_XATTRS_MAX];
  ssize_t size = inode_xattrs(a, names);
  if (size < 0)
    return false;
  for (char *name = names; name < names + size; name += strlen(name) + 1) {
    if (is_overlay_mark(name))
      continue;
    ssize_t length = inode_xattr(a, name, value[0], TREE_XATTRS_MAX);
    if (length < 0 || inode_xattr(b, name, value[1], TREE_XATTRS_MAX) != length ||
        memcmp(value[0], value[1], (size_t)length) != 0)
      return false;
  }
  return true;
}

static bool same_bytes(int a, int b) {
  static uint8_t piece[2][TREE_PIECE_MAX];
  for (off_t offset = 0;;) {
    ssize_t got = pread(a, piece[0], TREE_PIECE_MAX, offset);
    if (got < 0 || pread(b, piece[1], TREE_PIECE_MAX, offset) != got || memcmp(piece[0], piece[1], (size_t)got) != 0)
      return false;
    if (got == 0)
      return true;
    offset += got;
  }
}

static bool same_content(int a, int b) {
  int mine = inode_open_again(a, O_RDONLY);
  int other = inode_open_again(b, O_RDONLY);
  bool same = mine >= 0 && other >= 0 && same_bytes(mine, other);
  close_after(mine, 0);
  close_after(other, 0);
  return same;
}

bool inode_is_same(int fd, const struct statx *stat, int other, const struct statx *before) {
  if (!same_metadata(stat, before) || !has_xattrs_of(fd, other) || !has_xattrs_of(other, fd))
    return false;
  if (inode_is(stat, S_IFLNK))
    return same_link(fd, other);
  return !inode_is(stat, S_IFREG) || (inode_same_time(stat, before) && same_content(fd, other));
}
