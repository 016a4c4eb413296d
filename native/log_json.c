/* Records as Docker's json-file driver writes them: {"log":"…\n","stream":"stdout","time":"…"} and a newline, with the
 * escapes of Go's encoder. The time is RFC 3339 in UTC, its fraction without trailing zeros. */
#define _GNU_SOURCE
#include <string.h>

#include "monitor.h"

static const char hex[] = "0123456789abcdef";

static uint8_t *put(uint8_t *out, const char *text, size_t size) {
  memcpy(out, text, size);
  return out + size;
}

#define PUT(out, literal) put(out, literal, sizeof(literal) - 1)

/* The bytes that need care: everything else is copied as it is. */
static const bool special[256] = {
    [0 ... 31] = true, ['"'] = true, ['\\'] = true, ['<'] = true, ['>'] = true, ['&'] = true, [128 ... 255] = true};

/* How long the UTF-8 sequence at `at` is; 0 when it is not one (RFC 3629: no overlong forms, no surrogates). */
static size_t sequence_size(const uint8_t *at, size_t size) {
  uint8_t first = at[0], low = 0x80, high = 0xbf;
  size_t wanted;
  if (first >= 0xc2 && first <= 0xdf)
    wanted = 2;
  else if (first >= 0xe0 && first <= 0xef)
    wanted = 3;
  else if (first >= 0xf0 && first <= 0xf4)
    wanted = 4;
  else
    return 0;
  if (first == 0xe0)
    low = 0xa0;
  else if (first == 0xed)
    high = 0x9f;
  else if (first == 0xf0)
    low = 0x90;
  else if (first == 0xf4)
    high = 0x8f;
  if (size < wanted || at[1] < low || at[1] > high)
    return 0;
  for (size_t i = 2; i < wanted; i++)
    if ((at[i] & 0xc0) != 0x80)
      return 0;
  return wanted;
}

/* Writes one special byte or sequence escaped; *used: how many bytes of input it was. */
static uint8_t *put_special(uint8_t *out, const uint8_t *at, size_t size, size_t *used) {
  uint8_t byte = at[0];
  *used = 1;
  if (byte == '\n')
    return PUT(out, "\\n");
  if (byte == '\r')
    return PUT(out, "\\r");
  if (byte == '"' || byte == '\\') {
    *out++ = '\\';
    *out++ = byte;
    return out;
  }
  if (byte < 0x80) {
    out = PUT(out, "\\u00");
    *out++ = (uint8_t)hex[byte >> 4];
    *out++ = (uint8_t)hex[byte & 15];
    return out;
  }
  size_t length = sequence_size(at, size);
  if (length == 0)
    return PUT(out, "\\ufffd");
  *used = length;
  /* U+2028 and U+2029 end a line in JavaScript */
  if (length == 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] & 0xfe) == 0xa8) {
    out = PUT(out, "\\u202");
    *out++ = (uint8_t)hex[at[2] & 15];
    return out;
  }
  return put(out, (const char *)at, length);
}

typedef uint8_t block __attribute__((vector_size(16)));

/* Whether none of these 16 bytes is special. */
static bool is_plain(const uint8_t *at) {
  block b;
  uint64_t half[2];
  memcpy(&b, at, sizeof b);
  block found = (block)((b < 0x20) | (b > 0x7f) | (b == '"') | (b == '\\') | (b == '<') | (b == '>') | (b == '&'));
  memcpy(half, &found, sizeof half);
  return (half[0] | half[1]) == 0;
}

static uint8_t *put_escaped(uint8_t *out, const uint8_t *at, size_t size) {
  size_t start = 0, i = 0;
  while (i < size) {
    if (size - i >= sizeof(block) && is_plain(at + i)) {
      i += sizeof(block);
      continue;
    }
    if (!special[at[i]]) {
      i++;
      continue;
    }
    size_t used;
    out = put(out, (const char *)at + start, i - start);
    out = put_special(out, at + i, size - i, &used);
    i += used;
    start = i;
  }
  return put(out, (const char *)at + start, i - start);
}

static uint8_t *put_digits(uint8_t *out, uint32_t value, int digits) {
  for (int i = digits - 1; i >= 0; i--, value /= 10)
    out[i] = (uint8_t)('0' + value % 10);
  return out + digits;
}

struct date { uint32_t year, month, day; };

/* Days since 1970 as a date of the Gregorian calendar. (gmtime_r would bring the C library's time zones and their heap.)
 * Counted from 1 March of year 0, so that the leap day is a year's last: 146097 days are 400 years. */
static struct date date_of(uint64_t days) {
  uint64_t day = days + 719468, era = day / 146097, of_era = day % 146097;
  uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  uint64_t month = (5 * of_year + 2) / 153; /* 0 is March */
  uint64_t of_month = of_year - (153 * month + 2) / 5;
  year += era * 400 + (month >= 10);
  return (struct date){(uint32_t)year, (uint32_t)(month < 10 ? month + 3 : month - 9), (uint32_t)of_month + 1};
}

/* "2006-01-02T15:04:05". The last second's text is kept, because many lines share a second. */
static uint8_t *put_second(uint8_t *out, time_t second) {
  static time_t known = -1;
  static uint8_t text[19];
  if (second != known) {
    struct date date = date_of((uint64_t)second / 86400);
    uint32_t of_day = (uint32_t)((uint64_t)second % 86400);
    uint8_t *at = put_digits(text, date.year, 4);
    *at++ = '-';
    at = put_digits(at, date.month, 2);
    *at++ = '-';
    at = put_digits(at, date.day, 2);
    *at++ = 'T';
    at = put_digits(at, of_day / 3600, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 60 % 60, 2);
    *at++ = ':';
    put_digits(at, of_day % 60, 2);
    known = second;
  }
  return put(out, (const char *)text, sizeof text);
}

static uint8_t *put_time(uint8_t *out, struct timespec time) {
  out = put_second(out, time.tv_sec);
  if (time.tv_nsec != 0) {
    *out++ = '.';
    out = put_digits(out, (uint32_t)time.tv_nsec, 9);
    while (out[-1] == '0')
      out--;
  }
  *out++ = 'Z';
  return out;
}

size_t encode_json_record(uint8_t *out, const struct record *record) {
  uint8_t *at = PUT(out, "{\"log\":\"");
  at = put_escaped(at, record->line, record->size);
  if (record->partial == NULL || record->last)
    at = PUT(at, "\\n");
  at = PUT(at, "\",\"stream\":\"");
  at = put(at, record->stream, 6); /* "stdout" and "stderr" are equally long */
  *at++ = '"';
  at = put(at, (const char *)record->attributes.at, record->attributes.size);
  at = PUT(at, ",\"time\":\"");
  at = put_time(at, record->time);
  at = PUT(at, "\"}\n");
  return (size_t)(at - out);
}

size_t measure_json_file(const uint8_t *file, size_t size) {
  const uint8_t *newline = size == 0 ? NULL : memrchr(file, '\n', size);
  return newline == NULL ? 0 : (size_t)(newline + 1 - file);
}
