/* Decodes STEP payloads into arguments. Every length is checked here; no later code parses bytes of the wire. Fuzzed by
 * fuzz/plan.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "orlop.h"

/* A list item is at least five bytes (length and NUL), so one frame's lists need at most this many pointers in all. */
enum { SLOTS_MAX = FRAME_MAX / 5 + STEP_ARGS_MAX + 1 };

int slots_open(struct slots *slots) {
  void *at = mmap(NULL, SLOTS_MAX * sizeof(char *), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
  if (at == MAP_FAILED)
    return -1;
  slots->at = at;
  slots->used = 0;
  return 0;
}

void slots_free(struct slots *slots) {
  if (slots->at != NULL)
    munmap(slots->at, SLOTS_MAX * sizeof(char *));
  slots->at = NULL;
}

static bool take_list(struct span *p, union argument *argument, struct slots *slots) {
  uint32_t count;
  if (!take_u32(p, &count))
    return false;
  if (count > p->size / 5) {
    errno = EPROTO;
    return false;
  }
  char **at = slots->at + slots->used;
  slots->used += count + 1;
  for (uint32_t i = 0; i < count; i++)
    if (!take_string(p, &at[i]))
      return false;
  at[count] = NULL;
  argument->l.at = at;
  argument->l.count = count;
  return true;
}

static bool take_argument(struct span *p, char letter, union argument *argument, struct slots *slots) {
  switch (letter) {
  case 's':
    return take_string(p, &argument->s);
  case 'n':
    return take_u64(p, &argument->n);
  case 'b':
    return take_bytes(p, &argument->b);
  default:
    return take_list(p, argument, slots);
  }
}

static const struct step_kind *find_step(const uint8_t *name, size_t size) {
  for (const struct step_kind *kind = step_kinds; size > 0 && kind->name != NULL; kind++)
    if (kind->name[0] == name[0] && strlen(kind->name) == size && memcmp(kind->name, name, size) == 0)
      return kind;
  return NULL;
}

/* The step's number is set as soon as it is known, so that a failure to decode names the step. */
int step_decode(struct span payload, struct decoded_step *step, struct slots *slots) {
  uint32_t number;
  uint8_t size;
  step->number = NO_STEP;
  slots->used = 0;
  if (!take_u32(&payload, &number))
    return -1;
  step->number = (int32_t)number;
  if (!take_u8(&payload, &size))
    return -1;
  if (payload.size < size) {
    errno = EPROTO;
    return -1;
  }
  step->kind = find_step(payload.at, size);
  if (step->kind == NULL) {
    errno = ENOSYS; /* an engine newer than this executor */
    return -1;
  }
  payload.at += size;
  payload.size -= size;
  for (int i = 0; step->kind->signature[i] != 0; i++)
    if (!take_argument(&payload, step->kind->signature[i], &step->argument[i], slots))
      return -1;
  if (payload.size != 0) {
    errno = EPROTO;
    return -1;
  }
  return 0;
}
