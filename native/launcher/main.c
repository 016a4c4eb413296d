// What happens in which order.
#include "launcher.h"

static struct session session; // large, and zero until it is used

_Noreturn void launch(struct call *call) {
  char path[108];
  for (int fd = 0; fd <= 2; fd++)
    if (sys3(__NR_fcntl, fd, 1 /* F_GETFD */, 0) < 0)
      become_program(call, NULL); // a descriptor of ours would take its place
  if (!find_socket(call, path))
    become_program(call, NULL);
  session.call = call;
  session.blocked = -1;
  session.path = path;
  session.socket = hand_over(&session);
  if (session.socket < 0)
    become_program(call, NULL);
  ignore_broken_pipes();
  follow(&session);
}

void complain(const char *const *parts) {
  char line[1024];
  size_t size = 0;
  for (; *parts != NULL; parts++)
    for (const char *at = *parts; *at != 0 && size < sizeof line - 1; at++)
      line[size++] = *at;
  line[size++] = '\n';
  sys_write(2, line, size);
}
