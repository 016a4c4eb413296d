/* A nonblocking log (flags 1 of the step `log`), which never stops its container: a second process writes the file, and the monitor
 * only copies into a ring buffer (1 MiB, unless more was asked for). While the ring is full because the disk is slow, records
 * are dropped and counted.
 *
 *   monitor ── ring (shared memory, one writer, one reader) ──▶ log writer ──▶ file
 *           ◀── a byte on a socket, each way: look at the ring ──▶
 *
 * End of file on the socket means that the other process is gone: the log writer then empties the ring and exits. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor.h"

/* Holds `struct batch` headers, each followed by the bytes of its records. */
struct ring {
  _Atomic uint64_t head, tail;     /* bytes ever put and taken */
  _Atomic uint64_t inode, size;    /* of the file, when tail was stored */
  _Atomic uint64_t lost;           /* records that the disk refused and the monitor has not counted yet */
  _Atomic int lost_errno;
  size_t capacity;
  uint8_t bytes[] __attribute__((aligned(4096)));
};

static struct ring *ring;

static void ring_copy(uint64_t position, void *bytes, size_t size, bool into_ring) {
  size_t at = position % ring->capacity, first = size < ring->capacity - at ? size : ring->capacity - at;
  uint8_t *other = bytes;
  if (into_ring) {
    memcpy(ring->bytes + at, other, first);
    memcpy(ring->bytes, other + first, size - first);
  } else {
    memcpy(other, ring->bytes + at, first);
    memcpy(other + first, ring->bytes, size - first);
  }
}

/* When the socket is full, the other process has been nudged already. */
static void nudge(int socket) { (void)!send(socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL); }

/* ── the log writer's process ──────────────────────────────────────────────────────────────────────────────────── */

static void store_position(const struct log_file *file) {
  struct stat stat;
  ring->inode = fstat(file->fd, &stat) == 0 ? stat.st_ino : 0;
  ring->size = file->size;
}

static void write_batch(struct log_file *file) {
  struct batch batch;
  ring_copy(ring->tail, &batch, sizeof batch, false);
  ring_copy(ring->tail + sizeof batch, batch_buffer, batch.size, false);
  if (batch.rotate && file->size > 0)
    (void)log_file_rotate(file); /* on failure the old file goes on */
  int result = batch.kind == RECORDS ? log_file_append(file, batch_buffer, batch.size)
                                     : log_file_notice(file, batch_buffer, batch.size, batch.kind == LAST_NOTICE);
  if (result < 0) {
    ring->lost_errno = errno;
    ring->lost += batch.records;
  }
  store_position(file);
  ring->tail += sizeof batch + batch.size;
}

_Noreturn static void writer_run(struct log_file *file, int socket) {
  char bytes[64];
  ssize_t got;
  prctl(PR_SET_NAME, "orlop-log");
  do {
    got = read(socket, bytes, sizeof bytes);
    while (ring->tail != ring->head) {
      write_batch(file);
      nudge(socket);
    }
    madvise(batch_buffer, sizeof batch_buffer, MADV_DONTNEED);
  } while (got > 0 || (got < 0 && errno == EINTR));
  log_file_finish(file);
  _exit(0);
}

/* Closes everything of the monitor's but the log and the socket: an open copy of its listening socket or of a pipe would keep their
 * peers waiting after the monitor's end. */
static void keep_only(struct log_file *file, int *socket) {
  int *kept[] = {&file->dir, &file->fd, socket};
  for (int i = 0; i < 3; i++)
    *kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, 3);
  for (int i = 0; i < 3; i++)
    *kept[i] = dup3(*kept[i], i, O_CLOEXEC);
  syscall(SYS_close_range, 3U, ~0U, 0U);
}

/* ── the monitor's side ────────────────────────────────────────────────────────────────────────────────────────── */

int log_writer_start(struct log *log) {
  int pair[2];
  ring = mmap(NULL, sizeof *ring + log->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (ring == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return -1;
  ring->capacity = log->ring_bytes;
  store_position(&log->file);
  pid_t child = fork();
  if (child == 0) {
    keep_only(&log->file, &pair[1]);
    writer_run(&log->file, pair[1]);
  }
  close(pair[1]);
  log->writer.fd = pair[0];
  source_arm(&log->writer, EPOLLIN);
  return child < 0 ? -1 : 0;
}

bool log_writer_room(const struct log *log, size_t size) {
  return log->writer.fd >= 0 && ring->capacity - (ring->head - ring->tail) >= sizeof(struct batch) + size;
}

bool log_writer_put(struct log *log, uint8_t *bytes, const struct batch *given) {
  struct batch batch = *given;
  if (!log_writer_room(log, batch.size))
    return false;
  ring_copy(ring->head, &batch, sizeof batch, true);
  ring_copy(ring->head + sizeof batch, bytes, batch.size, true);
  ring->head += sizeof batch + batch.size;
  nudge(log->writer.fd);
  return true;
}

bool log_writer_behind(const struct log *log) { return log->writer.fd >= 0 && ring->tail != ring->head; }

void log_writer_ready(struct log *log) {
  char bytes[64];
  ssize_t got = recv(log->writer.fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
    source_close(&log->writer); /* the writer was killed: all later records count as lost */
  uint64_t lost = atomic_exchange(&ring->lost, 0);
  log->lost += lost;
  if (lost > 0)
    log->lost_errno = ring->lost_errno;
  if (ring->tail == ring->head) /* the ring's pages go back */
    madvise(ring->bytes, ring->capacity & ~4095UL, MADV_REMOVE);
}

void log_writer_position(uint64_t *inode, uint64_t *offset) {
  *inode = ring->inode;
  *offset = ring->size;
}
