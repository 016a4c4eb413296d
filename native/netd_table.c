/* Hash tables with string keys. */
#include <string.h>

#include "netd.h"

/* FNV-1a. Keys are the engine's ids and names: whoever could choose them to collide could do worse. */
static uint32_t hash_of(const char *key) {
  uint32_t hash = 2166136261U;
  for (; *key != 0; key++)
    hash = (hash ^ (uint8_t)*key) * 16777619U;
  return hash;
}

static struct keyed *first_of(struct keyed *at, uint32_t hash, const char *key) {
  while (at != NULL && (at->hash != hash || strcmp(at->key, key) != 0))
    at = at->next;
  return at;
}

struct keyed *table_find(const struct table *table, const char *key) {
  uint32_t hash = hash_of(key);
  return first_of(table->bucket[hash % TABLE_BUCKETS], hash, key);
}

struct keyed *table_next(const struct keyed *keyed) { return first_of(keyed->next, keyed->hash, keyed->key); }

void table_put(struct table *table, struct keyed *keyed) {
  keyed->hash = hash_of(keyed->key);
  struct keyed **bucket = &table->bucket[keyed->hash % TABLE_BUCKETS];
  keyed->next = *bucket;
  *bucket = keyed;
  table->count++;
}

void table_take(struct table *table, struct keyed *keyed) {
  struct keyed **at = &table->bucket[keyed->hash % TABLE_BUCKETS];
  while (*at != NULL && *at != keyed)
    at = &(*at)->next;
  if (*at == NULL)
    return;
  *at = keyed->next;
  table->count--;
}

void table_sweep(struct table *table, uint32_t generation, void (*let_go)(struct keyed *)) {
  for (size_t i = 0; table->count > 0 && i < TABLE_BUCKETS; i++)
    for (struct keyed *at = table->bucket[i], *next; at != NULL; at = next) {
      next = at->next;
      if (at->generation != generation)
        let_go(at);
    }
}
