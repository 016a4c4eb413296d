/* libFuzzer target: the bytes of a connection, through the inbox and the step decoder. Arguments are read to their ends, so
 * that ASan sees every byte a step could see. Built and run by scripts/fuzz-native.ts. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../orlop.h"

/* Read, and kept, so that the compiler cannot leave it out. */
static volatile size_t sum;

static void read_span(struct span span) {
  for (size_t i = 0; i <= span.size; i++) /* its NUL too */
    sum += span.at[i];
}

static void read_argument(char letter, const union argument *argument) {
  if (letter == 's')
    sum += strlen(argument->s);
  if (letter == 'b')
    read_span(argument->b);
  if (letter != 'l')
    return;
  for (size_t i = 0; i < argument->l.count; i++)
    sum += strlen(argument->l.at[i]);
  if (argument->l.at[argument->l.count] != NULL)
    abort();
}

/* In an allocation of exactly its size: what is mapped has no red zones. */
static void read_step(struct span payload, struct slots *slots) {
  struct decoded_step step;
  struct span copy = {malloc(payload.size), payload.size};
  memcpy(copy.at, payload.at, payload.size);
  if (step_decode(copy, &step, slots) == 0)
    for (size_t i = 0; step.kind->signature[i] != 0; i++)
      read_argument(step.kind->signature[i], &step.argument[i]);
  free(copy.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct slots slots;
  static int stream = -1;
  struct inbox box = {0};
  uint8_t kind;
  struct span payload;
  int have = 0;
  if (stream < 0)
    stream = memfd_create("stream", MFD_CLOEXEC);
  if (slots.at == NULL && slots_open(&slots) < 0)
    abort();
  if (ftruncate(stream, 0) < 0 || pwrite(stream, data, size, 0) != (ssize_t)size || lseek(stream, 0, SEEK_SET) != 0)
    abort();
  while (have >= 0 && inbox_fill(&box, stream) > 0)
    while ((have = inbox_next(&box, &kind, &payload)) > 0)
      if (kind == F_STEP)
        read_step(payload, &slots);
  inbox_free(&box);
  return 0;
}
