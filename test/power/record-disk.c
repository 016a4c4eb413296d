/* record-disk DIRECTORY BASE LOG: a file system with one file, `disk`, that begins as BASE and keeps a record of what is written
 * to it. With a loop device on that file, everything that a file system above does to its disk is in LOG, in order:
 *
 *   u64 offset, u32 size, bytes     a write that has been answered
 *   u64 ~0, u32 0                   a flush that has been answered: what came before is on the disk, whatever happens
 *
 * All integers little-endian. It ends when DIRECTORY is unmounted. The kernel's side: linux/fuse.h, Documentation/filesystems/fuse.rst. */

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_WRITE = 128 * 1024, REQUEST_MAX = MAX_WRITE + 4096, DISK = 2 };

static int device, record;
static char *disk;
static uint64_t disk_size;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void answer(uint64_t unique, int error, const void *bytes, size_t size) {
  struct fuse_out_header head = {.len = (uint32_t)(sizeof head + size), .error = -error, .unique = unique};
  struct iovec parts[] = {{&head, sizeof head}, {(void *)(uintptr_t)bytes, size}};
  if (writev(device, parts, 2) < 0 && errno != ENOENT) /* ENOENT: whoever asked has been interrupted */
    die("answer");
}

static void log_entry(uint64_t offset, uint32_t size, const void *bytes) {
  struct iovec parts[] = {{&offset, sizeof offset}, {&size, sizeof size}, {(void *)(uintptr_t)bytes, size}};
  if (writev(record, parts, 3) != (ssize_t)(sizeof offset + sizeof size + size))
    die("record");
}

static struct fuse_attr attributes(uint64_t node) {
  struct fuse_attr attr = {.ino = node, .nlink = 1, .blksize = 4096};
  attr.mode = node == DISK ? S_IFREG | 0600 : S_IFDIR | 0700;
  attr.size = node == DISK ? disk_size : 0;
  return attr;
}

static void init(const struct fuse_in_header *in) {
  struct fuse_init_out out = {
      .major = FUSE_KERNEL_VERSION,
      .minor = FUSE_KERNEL_MINOR_VERSION,
      .max_readahead = MAX_WRITE,
      .flags = FUSE_BIG_WRITES | FUSE_MAX_PAGES,
      .max_background = 16,
      .congestion_threshold = 12,
      .max_write = MAX_WRITE,
      .max_pages = MAX_WRITE / 4096,
      .time_gran = 1,
  };
  answer(in->unique, 0, &out, sizeof out);
}

static void handle(const struct fuse_in_header *in, const char *body) {
  switch (in->opcode) {
  case FUSE_INIT:
    init(in);
    return;
  case FUSE_LOOKUP: {
    struct fuse_entry_out out = {.nodeid = DISK, .attr_valid = 3600, .entry_valid = 3600, .attr = attributes(DISK)};
    int known = in->nodeid == FUSE_ROOT_ID && strcmp(body, "disk") == 0;
    answer(in->unique, known ? 0 : ENOENT, &out, known ? sizeof out : 0);
    return;
  }
  case FUSE_GETATTR: {
    struct fuse_attr_out out = {.attr_valid = 3600, .attr = attributes(in->nodeid)};
    answer(in->unique, 0, &out, sizeof out);
    return;
  }
  case FUSE_OPEN: {
    struct fuse_open_out out = {.fh = 1};
    answer(in->unique, 0, &out, sizeof out);
    return;
  }
  case FUSE_READ: {
    const struct fuse_read_in *read_in = (const void *)body;
    uint64_t left = read_in->offset < disk_size ? disk_size - read_in->offset : 0;
    answer(in->unique, 0, disk + read_in->offset, read_in->size < left ? read_in->size : left);
    return;
  }
  case FUSE_WRITE: {
    const struct fuse_write_in *write_in = (const void *)body;
    struct fuse_write_out out = {.size = write_in->size};
    if (write_in->offset + write_in->size > disk_size) {
      answer(in->unique, ENOSPC, NULL, 0);
      return;
    }
    memcpy(disk + write_in->offset, body + sizeof *write_in, write_in->size);
    log_entry(write_in->offset, write_in->size, body + sizeof *write_in);
    answer(in->unique, 0, &out, sizeof out);
    return;
  }
  case FUSE_FSYNC:
    log_entry(UINT64_MAX, 0, NULL);
    answer(in->unique, 0, NULL, 0);
    return;
  case FUSE_FLUSH:
  case FUSE_RELEASE:
    answer(in->unique, 0, NULL, 0);
    return;
  case FUSE_FORGET:
  case FUSE_BATCH_FORGET:
    return; /* nobody waits for an answer */
  case FUSE_STATFS: {
    struct fuse_statfs_out out = {.st = {.bsize = 4096, .namelen = 255}};
    answer(in->unique, 0, &out, sizeof out);
    return;
  }
  default:
    answer(in->unique, ENOSYS, NULL, 0);
  }
}

int main(int argc, char **argv) {
  static char request[REQUEST_MAX] __attribute__((aligned(8)));
  char options[128];
  struct stat status;
  if (argc != 4)
    return 2;
  int base = open(argv[2], O_RDONLY | O_CLOEXEC);
  if (base < 0 || fstat(base, &status) < 0)
    die(argv[2]);
  disk_size = (uint64_t)status.st_size;
  disk = mmap(NULL, disk_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, base, 0);
  record = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (disk == MAP_FAILED || record < 0 || device < 0)
    die("open");
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
  if (mount("record-disk", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) < 0)
    die("mount");
  for (;;) {
    ssize_t size = read(device, request, sizeof request);
    if (size < 0 && errno == ENODEV)
      return 0; /* unmounted */
    if (size < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
      continue;
    if (size < (ssize_t)sizeof(struct fuse_in_header))
      die("read");
    handle((const void *)request, request + sizeof(struct fuse_in_header));
  }
}
