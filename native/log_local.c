/* Records as Docker's `local` driver writes them: u32 big-endian size, a protobuf LogEntry, the size again, so that a file
 * can be read from both ends.
 *
 *   LogEntry        1 source (string)  2 time_nano (int64)  3 line (bytes)  4 partial (bool)  5 PartialLogEntryMetadata
 *   …Metadata       1 last (bool)  2 id (string)  3 ordinal (int32)
 *
 * proto3: a field with its default value is left out. */
#define _GNU_SOURCE
#include <endian.h>
#include <string.h>

#include "monitor.h"

enum { FIELD_VARINT = 0, FIELD_BYTES = 2 };

static uint8_t *put_varint(uint8_t *out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    *out++ = (uint8_t)(value | 0x80);
  *out++ = (uint8_t)value;
  return out;
}

static uint8_t *put_number(uint8_t *out, unsigned field, uint64_t value) {
  if (value == 0)
    return out;
  *out++ = (uint8_t)(field << 3 | FIELD_VARINT);
  return put_varint(out, value);
}

static uint8_t *put_bytes(uint8_t *out, unsigned field, const void *bytes, size_t size) {
  if (size == 0)
    return out;
  *out++ = (uint8_t)(field << 3 | FIELD_BYTES);
  out = put_varint(out, size);
  memcpy(out, bytes, size);
  return out + size;
}

static uint8_t *put_partial(uint8_t *out, const struct record *record) {
  uint8_t message[96];
  uint8_t *at = put_number(message, 1, record->last);
  at = put_bytes(at, 2, record->partial->id, strlen(record->partial->id));
  at = put_number(at, 3, record->partial->ordinal);
  return put_bytes(out, 5, message, (size_t)(at - message));
}

static void put_size(uint8_t *out, size_t size) {
  uint32_t big = htobe32((uint32_t)size);
  memcpy(out, &big, sizeof big);
}

size_t encode_local_record(uint8_t *out, const struct record *record) {
  uint8_t *entry = out + sizeof(uint32_t), *at = entry;
  at = put_bytes(at, 1, record->stream, strlen(record->stream));
  at = put_number(at, 2, (uint64_t)record->time.tv_sec * 1000000000U + (uint64_t)record->time.tv_nsec);
  at = put_bytes(at, 3, record->line, record->size);
  if (record->partial != NULL) {
    at = put_number(at, 4, 1);
    at = put_partial(at, record);
  }
  size_t size = (size_t)(at - entry);
  put_size(out, size);
  put_size(at, size);
  return size + 2 * sizeof(uint32_t);
}

size_t measure_local_file(const uint8_t *file, size_t size) {
  size_t whole = 0;
  for (;;) {
    uint32_t first, last;
    size_t left = size - whole;
    if (left < 2 * sizeof first)
      return whole;
    memcpy(&first, file + whole, sizeof first);
    size_t entry = be32toh(first);
    if (entry > left - 2 * sizeof first)
      return whole;
    memcpy(&last, file + whole + sizeof first + entry, sizeof last);
    if (last != first)
      return whole;
    whole += entry + 2 * sizeof first;
  }
}
