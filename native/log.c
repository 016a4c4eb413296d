/* The log: output is cut into lines, each line becomes a record, and all records of a burst are written with one write(2).
 *
 * Lines are cut as Docker's copier cuts them: at a newline, and after 16 KiB without one. A disk that refuses a write never stops
 * the container: records are dropped and counted, and the count is the first record once the disk accepts writes again. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor.h"

enum { LOG_NONBLOCKING = 1, LAST_NOTICES_MOST = 3 };
enum { ROTATE_RETRY = 1 << 20 }; /* bytes until a rotation that failed is tried again */

uint8_t batch_buffer[BATCH_MAX] __attribute__((aligned(4096)));
static uint8_t attribute_bytes[ATTRIBUTES_MAX];
uint8_t line_bytes[2][LINE_BYTES] __attribute__((aligned(4096)));

static const char *const stream_names[] = {"stdout", "stderr"};

/* driver: "json-file" or "local". maxSize: bytes, 0 never rotates. maxFiles: at least 1. flags: 1 drops when the disk is slow.
 * buffer: bytes that wait for it then. attributes: what each json-file record has between its stream and its time. */
int step_log(struct task *task, union argument *arg) {
  struct log *log = &monitor_of(task)->log;
  bool json = strcmp(arg[0].s, "json-file") == 0;
  if (!json && strcmp(arg[0].s, "local") != 0)
    return fail(task, EINVAL, "log driver %s", arg[0].s);
  if (log->on || arg[3].n < 1 || arg[3].n > 10000 || arg[4].n > LOG_NONBLOCKING || arg[5].n < RING_LEAST ||
      arg[5].n > RING_MOST || arg[6].b.size > ATTRIBUTES_MAX)
    return fail(task, EINVAL, "log");
  memcpy(attribute_bytes, arg[6].b.at, arg[6].b.size);
  log->attributes = (struct span){attribute_bytes, arg[6].b.size};
  log->ring_bytes = arg[5].n;
  log->encode = json ? encode_json_record : encode_local_record;
  log->file.measure = json ? measure_json_file : measure_local_file;
  log->file.max_size = log->file.rotate_at = arg[2].n;
  log->file.max_files = (uint32_t)arg[3].n;
  if (log_file_open(&log->file, arg[1].s) < 0)
    return fail(task, errno, "%.200s", arg[1].s);
  log->on = true;
  log->nonblocking = arg[4].n == LOG_NONBLOCKING;
  return 0;
}

static void rotate(struct log *log) {
  log_flush();
  if (log->nonblocking) {
    log->rotate_next = true;
    log->file.size = 0;
    return;
  }
  if (log->file.size == 0 || log_file_rotate(&log->file) == 0)
    log->file.rotate_at = log->file.max_size;
  else /* go on with the old file: too long is better than lost records */
    log->file.rotate_at = log->file.size + ROTATE_RETRY;
}

static void add_record(const struct record *record) {
  struct log *log = &monitor.log;
  if (log->file.rotate_at != 0 && log->file.size + log->batch_size >= log->file.rotate_at)
    rotate(log);
  if (BATCH_MAX - log->batch_size < 6 * record->size + 512 + record->attributes.size)
    log_flush();
  log->batch_size += log->encode(batch_buffer + log->batch_size, record);
  log->batch_records++;
}

/* The same id and time for all pieces of one line. */
static void begin_partial(struct partial *partial) {
  uint8_t random[32];
  if (getrandom(random, sizeof random, GRND_NONBLOCK) != sizeof random)
    memset(random, 0, sizeof random);
  for (size_t i = 0; i < sizeof random; i++)
    snprintf(partial->id + 2 * i, 3, "%02x", random[i]);
  partial->ordinal = 0;
  clock_gettime(CLOCK_REALTIME, &partial->time);
}

/* A whole line, or a piece of one; ended: its newline came. */
static void add_line(int index, const uint8_t *bytes, size_t size, bool ended) {
  struct line_buffer *line = &monitor.log.line[index];
  struct record record = {
      .stream = stream_names[index], .line = bytes, .size = size, .last = ended, .attributes = monitor.log.attributes};
  if (!ended && !line->cut)
    begin_partial(&line->partial);
  if (!ended || line->cut) {
    line->partial.ordinal++;
    record.partial = &line->partial;
    record.time = line->partial.time;
  } else {
    clock_gettime(CLOCK_REALTIME, &record.time);
  }
  line->cut = !ended;
  add_record(&record);
}

/* Adds what is buffered and these bytes as one line or piece. */
static void add_buffered(int index, const uint8_t *bytes, size_t size, bool ended) {
  struct line_buffer *line = &monitor.log.line[index];
  if (line->used > 0) {
    if (size > 0)
      memcpy(line_bytes[index] + line->used, bytes, size);
    size += line->used;
    bytes = line_bytes[index];
    line->used = 0;
  }
  add_line(index, bytes, size, ended);
}

void log_take(int stream, const uint8_t *bytes, size_t size) {
  int index = stream - 1;
  struct line_buffer *line = &monitor.log.line[index];
  if (!monitor.log.on)
    return;
  while (size > 0) {
    size_t room = LINE_BYTES - line->used, scan = size < room ? size : room;
    const uint8_t *newline = memchr(bytes, '\n', scan);
    size_t used = newline != NULL ? (size_t)(newline - bytes) : scan;
    if (newline != NULL || scan == room) {
      add_buffered(index, bytes, used, newline != NULL);
    } else {
      memcpy(line_bytes[index] + line->used, bytes, scan);
      line->used += (uint32_t)scan;
    }
    used += newline != NULL;
    bytes += used;
    size -= used;
  }
}

/* Writes whole records, or hands them to the log's own process; -1 with errno: they are lost. */
static int put(struct log *log, uint8_t *bytes, struct batch batch) {
  if (!log->nonblocking)
    return batch.kind == RECORDS ? log_file_append(&log->file, bytes, batch.size)
                                 : log_file_notice(&log->file, bytes, batch.size, batch.kind == LAST_NOTICE);
  batch.rotate = log->rotate_next;
  if (!log_writer_put(log, bytes, &batch)) {
    errno = log->writer.fd < 0 ? EPIPE : EAGAIN;
    return -1;
  }
  log->rotate_next = false;
  log->file.size += batch.size;
  return 0;
}

/* Whether the ring has room for the batch and, after lost records, for two notices: else notices alone could fill the ring. */
static bool has_room(const struct log *log) {
  size_t notice = log->lost > 0 ? 2 * NOTICE_MAX : 0;
  return !log->nonblocking || log->writer.fd < 0 || log_writer_room(log, log->batch_size + notice);
}

/* "orlop: 12 log records were lost: No space left on device", as a line of stderr. */
static int tell_lost(struct log *log, enum batch_kind kind) {
  uint8_t bytes[NOTICE_MAX];
  char text[128];
  const char *reason = log->lost_errno == EAGAIN ? "the disk is too slow" : strerror(log->lost_errno);
  int size = snprintf(text, sizeof text, "orlop: %llu log records were lost: %s", (unsigned long long)log->lost, reason);
  struct record record = {.stream = stream_names[1], .line = (const uint8_t *)text, .size = (size_t)size, .last = true};
  clock_gettime(CLOCK_REALTIME, &record.time);
  uint32_t lost = log->lost < UINT32_MAX ? (uint32_t)log->lost : UINT32_MAX;
  if (put(log, bytes, (struct batch){.size = (uint32_t)log->encode(bytes, &record), .records = lost, .kind = (uint8_t)kind}) < 0)
    return -1;
  log->lost = 0;
  return 0;
}

void log_flush(void) {
  struct log *log = &monitor.log;
  if (log->batch_size == 0)
    return;
  errno = EAGAIN;
  struct batch batch = {.size = (uint32_t)log->batch_size, .records = log->batch_records, .kind = RECORDS};
  if (!has_room(log) || (log->lost > 0 && tell_lost(log, NOTICE) < 0) || put(log, batch_buffer, batch) < 0) {
    log->lost_errno = errno;
    log->lost += log->batch_records;
  } else if (!log->nonblocking) {
    control_log_grew();
  }
  if (log->batch_size > monitor.touched)
    monitor.touched = log->batch_size;
  log->batch_size = 0;
  log->batch_records = 0;
}

void log_finish(void) {
  struct log *log = &monitor.log;
  if (!log->on)
    return;
  for (int index = 0; index < 2; index++)
    if (log->line[index].used > 0)
      add_buffered(index, NULL, 0, false);
  log_flush();
  log->finished = true;
  if (log->nonblocking)
    log_writer_ready(log);
  if (log->lost > 0 && tell_lost(log, LAST_NOTICE) == 0 && !log->nonblocking)
    control_log_grew();
  if (!log->nonblocking)
    log_file_finish(&log->file);
}

void log_catch_up(void) {
  struct log *log = &monitor.log;
  log_writer_ready(log);
  control_log_grew();
  if (log->lost == 0 || log_writer_behind(log))
    return;
  /* A full disk would refuse the notice as well, so it waits for the next output or the end; a disk that was only slow has caught
   * up. */
  if (log->finished && log->last_notices++ < LAST_NOTICES_MOST)
    tell_lost(log, LAST_NOTICE);
  else if (!log->finished && log->lost_errno == EAGAIN)
    tell_lost(log, NOTICE);
}

bool log_behind(void) { return monitor.log.nonblocking && log_writer_behind(&monitor.log); }

struct span log_unfinished(int stream) {
  int index = stream - 1;
  return (struct span){line_bytes[index], monitor.log.line[index].used};
}

void log_position(uint64_t *inode, uint64_t *offset) {
  struct stat stat;
  *inode = *offset = 0;
  if (monitor.log.nonblocking) {
    log_writer_position(inode, offset);
    return;
  }
  if (!monitor.log.on || fstat(monitor.log.file.fd, &stat) < 0)
    return;
  *inode = stat.st_ino;
  *offset = monitor.log.file.size;
}
