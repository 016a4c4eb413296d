/* The supervisor as a systemd service. The API's socket is systemd's, and stays open while the service restarts. sd_listen_fds(3) and
 * sd_notify(3) are small enough to need no library. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

/* INHERITED: descriptor of the first inherited socket, SD_LISTEN_FDS_START. */
enum { INHERITED = 3, TAKE_OVER_MS = 15000, LOOK_MS = 10 };

/* Whether LISTEN_PID is ours: a child that merely inherited the variables must ignore them. */
static bool is_meant(void) {
  const char *pid = getenv("LISTEN_PID");
  return pid != NULL && strtol(pid, NULL, 10) == (long)getpid();
}

static int option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? -1 : value;
}

int supervisor_inherit(int *api, int *code) {
  *api = -1;
  if (!is_meant())
    return 0;
  const char *count = getenv("LISTEN_FDS");
  if (count == NULL || strcmp(count, "1") != 0)
    return supervisor_refuse(code, "LISTEN_FDS", "one socket is expected from systemd, the API's: see orlop.socket");
  if (option(INHERITED, SO_DOMAIN) != AF_UNIX || option(INHERITED, SO_TYPE) != SOCK_STREAM ||
      option(INHERITED, SO_ACCEPTCONN) != 1)
    return supervisor_refuse(code, "the socket from systemd", "it does not listen on a path: see ListenStream= in orlop.socket");
  if (fcntl(INHERITED, F_SETFD, FD_CLOEXEC) < 0)
    return supervisor_refuse(code, "the socket from systemd", strerror(errno));
  *api = INHERITED;
  return 0;
}

/* HELLO and STOP to the supervisor that somebody started by hand. */
static void ask_to_stop(struct places places) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "supervisor.sock"};
  static const uint32_t version = PROTOCOL_VERSION;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return;
  if (chdir(places.run) == 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
    send_frame(fd, F_HELLO, &version, sizeof version);
    send_frame(fd, F_STOP, NULL, 0);
  }
  close(fd);
  if (chdir("/") < 0)
    return;
}

int supervisor_take_over(struct places places, int *code) {
  for (int waited_ms = 0;; waited_ms += LOOK_MS) {
    bool last = waited_ms >= TAKE_OVER_MS;
    if (supervisor_lock(places, code, !last) == 0)
      return 0;
    if (*code != EXIT_LOCKED || last)
      return -1;
    if (waited_ms % 1000 == 0)
      ask_to_stop(places);
    nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
  }
}

void supervisor_notify(const char *socket_path, const char *state) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t size = socket_path == NULL ? 0 : strlen(socket_path);
  if (size == 0 || size >= sizeof address.sun_path)
    return;
  memcpy(address.sun_path, socket_path, size);
  if (address.sun_path[0] == '@') /* abstract */
    address.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return;
  sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
  close(fd);
}

static bool has_entries(const char *directory) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/containers", directory);
  DIR *names = opendir(path);
  struct dirent *entry = NULL;
  if (names == NULL)
    return false;
  while ((entry = readdir(names)) != NULL && entry->d_name[0] == '.')
    ;
  closedir(names);
  return entry != NULL;
}

bool supervisor_has_containers(struct places places) { return has_entries(places.state) || has_entries(places.run); }
