/* What reading a tree out is made of. The tree is hostile and may change while it is read: everything goes by descriptor, and
 * nothing is opened before its kind is known from the very inode that is then opened. */
#ifndef TREE_H
#define TREE_H

#include <limits.h>
#include <sys/stat.h>

#include "orlop.h"

enum {
  TREE_XATTRS_MAX = 64 << 10, /* XATTR_LIST_MAX, XATTR_SIZE_MAX */
  TREE_PIECE_MAX = 64 << 10,  /* of a file's content, at a time */
};

/* tree_inode.c: one inode. fd: O_PATH, unless said otherwise. */

/* Before all others. A procfs of our own becomes the working directory: a plan's other steps take absolute paths. */
int inode_begin(struct task *task);
int inode_open(int directory, const char *name);
/* Another descriptor of the same inode, whatever has become of its name. */
int inode_open_again(int fd, int flags);
int inode_look(int fd, struct statx *stat);
bool inode_is(const struct statx *stat, mode_t kind);
bool inode_is_whiteout(const struct statx *stat);
bool inode_is_opaque(int fd);
/* Of the kernel's own file systems: files without end, and files whose reading does something. */
bool inode_shows_kernel(int fd);
/* The path that leads to it, as readlink(2) gives it. */
ssize_t inode_path(int fd, char path[PATH_MAX]);
/* The names of its attributes, each with its NUL; 0 where its file system has none. */
ssize_t inode_xattrs(int fd, char names[TREE_XATTRS_MAX]);
ssize_t inode_xattr(int fd, const char *name, void *value, size_t size);
/* overlayfs's own marks are not the file's. */
bool is_overlay_mark(const char *name);

/* tree_record.c: records in VALUE frames. native/README.md has the fields. */

struct text { const char *at; size_t size; };

/* Flags of an entry. */
enum { E_MOUNT = 1, E_WHITEOUT = 2, E_OPAQUE = 4, E_BELOW = 8, E_SAME = 16, E_HIDDEN = 32, E_TOUCHED = 64 };

void records_begin(struct task *task);
int records_flush(void);
int put_entry(const struct statx *stat, uint8_t flags, struct text path, struct text link, struct text place);
int put_xattrs(int fd);
/* A file's content; told in extents where that saves sparse_min bytes of holes (0: never). */
int put_file(int fd, const struct statx *stat, uint64_t sparse_min);
int put_walk_end(void);

/* tree_compare.c: nothing but its time was changed, such as a file that was copied up for nothing, or a directory in which
 * something changed. */
bool inode_is_same(int fd, const struct statx *stat, int other, const struct statx *before);
bool inode_same_time(const struct statx *a, const struct statx *b);

#endif
