/* Says "opened PATH" whenever somebody opens one of these files (inotify(7), IN_OPEN; not for O_PATH, which opens nothing). */
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

int main(int argc, char **argv) {
  struct inotify_event event; /* none has a name behind it: what is watched are files */
  const int watch = inotify_init();
  for (int i = 1; i < argc; i++)
    if (inotify_add_watch(watch, argv[i], IN_OPEN) != i) return 1; /* they are numbered from 1 */
  puts("watching");
  fflush(stdout);
  while (read(watch, &event, sizeof event) == sizeof event) {
    printf("opened %s\n", argv[event.wd]);
    fflush(stdout);
  }
  return 1;
}
