/* The layer that a task unpacks. Its entries arrive one after the other; each is completed when the next begins. */
#ifndef LAYER_H
#define LAYER_H

#include <limits.h>
#include <sys/stat.h>

#include "orlop.h"

struct layer {
  int root;                     /* the layer's directory; -1 before `layer` */
  int parent;                   /* the directory of the last entry: layer_way.c keeps it open */
  bool follows;                 /* not a layer but a directory of a root (`layer-into`): links on the way are followed inside that root */
  char base[PATH_MAX];          /* that directory's path below the root */
  /* the last entry, for layer-data and layer-xattr */
  int fd;                       /* a file (for writing) or a directory; -1 for others */
  char name[NAME_MAX + 1];
  bool is_file;
  mode_t mode;
  uint64_t size, written;       /* written: up to which offset */
  uint64_t sent;                /* up to which offset write-back was started */
  int64_t mtime;
};
extern struct layer layer;

/* layer_entry.c */

/* Completes the entry before, and makes `path` the current one: sets layer.parent and layer.name. */
int begin_entry(struct task *task, struct span path);
/* Completes the last file: its size (a hole at the end), what writing or chown took from its mode, its time. */
int finish_entry(void);
/* Called after content was written: starts write-back of large files early, so that the sync at the layer's end is short. */
void send_content(void);
/* Where the last component of a path begins; false (EINVAL, ENAMETOOLONG) when it is not a valid file name. */
bool last_name(struct span path, size_t *start);
/* The result, and on failure the path as its detail. */
int report_entry(struct task *task, int result, struct span path);
/* For utimensat(2), with the access time unchanged. mtime: ns, signed. */
void set_times(struct timespec times[2], int64_t mtime);

/* layer_way.c */

/* Opens the directory `path` (its first `size` bytes) below the layer's, as layer.parent. Directories on the way stay open for the
 * next entry. */
int way_to(struct task *task, const char *path, size_t size);
/* Opens the directory `path` (its first `size` bytes) below the layer's. The caller closes it. */
int walk_to(struct task *task, const char *path, size_t size);
int open_directory(int parent, const char *name);
/* `path` (its first `size` bytes) as a path below the root. */
bool below_root(const char *path, size_t size, char full[2 * PATH_MAX]);

#endif
