/* Lists in the order of last use, oldest first, so that what has been idle is found at once. */
#include "netd.h"

void ages_leave(struct ages *ages, struct age *age) {
  if (age->at == 0)
    return;
  *(age->older == NULL ? &ages->oldest : &age->older->newer) = age->newer;
  *(age->newer == NULL ? &ages->newest : &age->newer->older) = age->older;
  *age = (struct age){0};
}

void ages_use(struct ages *ages, struct age *age) {
  ages_leave(ages, age);
  age->at = monotonic_ms();
  age->older = ages->newest;
  *(ages->newest == NULL ? &ages->oldest : &ages->newest->newer) = age;
  ages->newest = age;
}

int64_t ages_expire(struct ages *ages, int64_t now, int64_t life_ms, void (*expire)(struct age *)) {
  while (ages->oldest != NULL && ages->oldest->at + life_ms <= now)
    expire(ages->oldest);
  return ages->oldest == NULL ? 0 : ages->oldest->at + life_ms;
}
