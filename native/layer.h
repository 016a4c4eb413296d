/* The layer that a task unpacks: its entries come one after the other, each completed when the next begins. */
#ifndef LAYER_H
#define LAYER_H

#include <limits.h>
#include <sys/stat.h>

#include "orlop.h"

struct layer {
  int root;                     /* the layer's directory; -1 before `layer` */
  int parent;                   /* the directory of the last entry: layer_way.c keeps it open */
  bool follows;                 /* not a layer but a place in a root: links on the way lead to where they lead in there */
  char base[PATH_MAX];          /* that place's path below the root */
  /* the last entry, for layer-data and layer-xattr */
  int fd;                       /* a file (for writing) or a directory; -1 for others */
  char name[NAME_MAX + 1];
  bool is_file;
  mode_t mode;
  uint64_t size, written;       /* written: up to which offset */
  uint64_t sent;                /* up to which offset the disk has begun to write */
  int64_t mtime;
};
extern struct layer layer;

/* layer_entry.c */

/* Completes the entry before, and makes `path` the one that is worked on: layer.parent and layer.name. */
int begin_entry(struct task *task, struct span path);
/* Completes the last file: its size (a hole at the end), what writing or chown took from its mode, its time. */
int finish_entry(void);
/* Content came: the disk begins to write a large file before it is whole, so that the sync at the layer's end is short. */
void send_content(void);
/* Where the last name of a path begins; false (EINVAL, ENAMETOOLONG) when it is none that a directory could hold. */
bool last_name(struct span path, size_t *start);
/* The result, and on failure the path as its detail. */
int report_entry(struct task *task, int result, struct span path);
/* Access time left alone: a layer's is nobody's business. mtime: ns, signed. */
void set_times(struct timespec times[2], int64_t mtime);

/* layer_way.c */

/* Makes the directory that `path` (its first `size` bytes) names below the layer's layer.parent; those on the way stay open. */
int way_to(struct task *task, const char *path, size_t size);
/* The directory that `path` (its first `size` bytes) names below the layer's. The caller closes it. */
int walk_to(struct task *task, const char *path, size_t size);
int open_directory(int parent, const char *name);
/* `path` (its first `size` bytes) as a path below the root. */
bool below_root(const char *path, size_t size, char full[2 * PATH_MAX]);

#endif
