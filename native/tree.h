/* What the `tree-*` steps share. The tree is hostile and may change while it is read: everything is done by descriptor, and no file is
 * opened before its type is known, from the same inode. */
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

/* Called before the others. Makes our private procfs the working directory, which no other step depends on: they take absolute
 * paths. */
int inode_begin(struct task *task);
int inode_open(int directory, const char *name);
/* Opens the same inode again, whatever has become of its name. */
int inode_open_again(int fd, int flags);
int inode_look(int fd, struct statx *stat);
bool inode_is(const struct statx *stat, mode_t kind);
bool inode_is_whiteout(const struct statx *stat);
bool inode_is_opaque(int fd);
/* Whether it is on a file system of the kernel's, such as procfs: with files without end, or whose reading has effects. */
bool inode_shows_kernel(int fd);
/* Its path, as readlink(2) of /proc/self/fd/N gives it. */
ssize_t inode_path(int fd, char path[PATH_MAX]);
/* The names of its extended attributes, each with its NUL; 0 where the file system has none. */
ssize_t inode_xattrs(int fd, char names[TREE_XATTRS_MAX]);
ssize_t inode_xattr(int fd, const char *name, void *value, size_t size);
/* An attribute that overlayfs uses itself. */
bool is_overlay_mark(const char *name);

/* tree_record.c: records in VALUE frames. native/README.md has the fields. */

struct text { const char *at; size_t size; };

/* Flags of an entry. */
enum { E_MOUNT = 1, E_WHITEOUT = 2, E_OPAQUE = 4, E_BELOW = 8, E_SAME = 16, E_HIDDEN = 32, E_TOUCHED = 64 };

void records_begin(struct task *task);
int records_flush(void);
int put_entry(const struct statx *stat, uint8_t flags, struct text path, struct text link, struct text place);
int put_xattrs(int fd);
/* A file's content; as extents when it has at least sparse_min bytes of holes (0: never). */
int put_file(int fd, const struct statx *stat, uint64_t sparse_min);
int put_walk_end(void);

/* tree_compare.c: whether two inodes are the same; times count for regular files only. True for a file that was copied up without a
 * change, and for a directory in which entries changed. */
bool inode_is_same(int fd, const struct statx *stat, int other, const struct statx *before);
bool inode_same_time(const struct statx *a, const struct statx *b);

#endif
