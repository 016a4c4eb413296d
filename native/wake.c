/* Asks the supervisor to start the engine. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "orlop.h"

bool wake_engine(const char *supervisor_socket, int patience_s) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct timeval patience = {.tv_sec = patience_s};
  uint32_t version = PROTOCOL_VERSION;
  char name[64];
  int directory = open_parent(supervisor_socket, name, sizeof name);
  if (directory < 0)
    return false;
  /* by the directory's descriptor: a path may be longer than the 107 bytes of sun_path */
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory, name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (patience_s == 0 ? SOCK_NONBLOCK : 0), 0);
  if (patience_s > 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
  if (connected) {
    send_frame(fd, F_HELLO, &version, sizeof version);
    send_frame(fd, F_WAKE, NULL, 0);
  }
  close_after(fd, 0);
  close(directory);
  return connected;
}
