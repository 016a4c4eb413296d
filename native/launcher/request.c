// The request: an upgrade of HTTP, and behind it at once the frame that says what is to be run.
#include "launcher.h"
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/un.h>

#define SOCK_STREAM 1
#define SOCK_CLOEXEC 02000000
#define MSG_NOSIGNAL 0x4000
#define ANSWER_BYTES 4096u
#define DIRECTORY_BYTES 4096

static const char head[] = "POST /orlop/command HTTP/1.1\r\nHost: orlop\r\nConnection: Upgrade\r\n"
                           "Upgrade: orlop-command\r\nContent-Length: 0\r\n\r\n";

int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = 1 /* AF_UNIX */};
  memcpy(address.sun_path, path, strlen(path) + 1);
  long fd = sys3(__NR_socket, 1, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || sys3(__NR_connect, fd, (long)&address, sizeof address) < 0)
    return -1;
  return (int)fd;
}

static size_t put(uint8_t *to, size_t at, const char *text) {
  size_t size = strlen(text) + 1;
  memcpy(to + at, text, size);
  return at + size;
}

static size_t put_texts(uint8_t *to, size_t at, char **texts) {
  for (; *texts != NULL; texts++)
    at = put(to, at, *texts);
  return at;
}

static size_t size_of(char **texts) {
  size_t size = 0;
  for (; *texts != NULL; texts++)
    size += strlen(*texts) + 1;
  return size;
}

static size_t put_digits(uint8_t *to, size_t at, uint64_t number) {
  char digits[21];
  put_number(digits, number);
  return put(to, at, digits);
}

// The order is that of src/spec/command-frame.ts, "begin". The size of what was put.
static size_t put_begin(uint8_t *to, const struct call *call, const char *directory) {
  char terminals[4] = {0};
  uint16_t size[2];
  for (int fd = 0; fd <= 2; fd++)
    terminals[fd] = is_terminal(fd) ? '1' : '0';
  terminal_size(size);
  size_t at = put(to, 0, ORLOP_BUILD);
  at = put(to, at, directory);
  at = put(to, at, terminals);
  at = put_digits(to, at, size[0]);
  at = put_digits(to, at, size[1]);
  at = put_digits(to, at, (uint64_t)call->argc - 1);
  at = put_texts(to, at, call->argv + 1);
  return put_texts(to, at, call->envp);
}

bool send_all(int socket, const uint8_t *bytes, size_t size) {
  while (size > 0) {
    long sent = sys6(__NR_sendto, socket, (long)bytes, (long)size, MSG_NOSIGNAL, 0, 0);
    if (sent < 0)
      return false;
    bytes += sent;
    size -= (size_t)sent;
  }
  return true;
}

// Where we are. A directory of another mount namespace has no path (nsenter(1) leads there): then PWD is taken, if it is the
// same directory.
static bool find_directory(const struct call *call, char directory[static DIRECTORY_BYTES]) {
  if (sys3(__NR_getcwd, (long)directory, DIRECTORY_BYTES, 0) > 0 && directory[0] == '/')
    return true;
  const char *named = variable(call, "PWD");
  struct stat here, there;
  if (named[0] != '/' || strlen(named) >= DIRECTORY_BYTES ||
      sys4(__NR_newfstatat, AT_FDCWD, (long)".", (long)&here, 0) < 0 ||
      sys4(__NR_newfstatat, AT_FDCWD, (long)named, (long)&there, 0) < 0 || here.st_dev != there.st_dev ||
      here.st_ino != there.st_ino)
    return false;
  memcpy(directory, named, strlen(named) + 1);
  return true;
}

static bool send_request(int socket, const struct call *call) {
  char directory[DIRECTORY_BYTES];
  if (!find_directory(call, directory))
    return false;
  size_t texts = size_of(call->argv) + size_of(call->envp);
  if (texts > BEGIN_BYTES - sizeof directory - 256)
    return false;
  size_t room = sizeof head + HEAD_BYTES + texts + sizeof directory + 256;
  uint8_t *bytes = (uint8_t *)sys6(__NR_mmap, 0, (long)room, PROT_READ | PROT_WRITE, MAP_PRIVATE | 0x20 /* ANONYMOUS */, -1, 0);
  if ((uintptr_t)bytes > -4096ul)
    return false;
  size_t at = sizeof head - 1;
  memcpy(bytes, head, at);
  uint32_t size = (uint32_t)put_begin(bytes + at + HEAD_BYTES, call, directory);
  bytes[at] = UP_BEGIN;
  memcpy(bytes + at + 1, &size, sizeof size);
  return send_all(socket, bytes, at + HEAD_BYTES + size);
}

size_t end_of_head(const uint8_t *bytes, size_t size) {
  for (size_t i = 3; i < size; i++)
    if (bytes[i] == '\n' && bytes[i - 1] == '\r' && bytes[i - 2] == '\n')
      return i + 1;
  return 0;
}

// Whether the engine took the connection over. Anything else is an engine that does not know us, or no engine at all.
static bool read_answer(struct session *session, int socket) {
  size_t end = 0;
  while (end == 0) {
    if (session->in_end >= ANSWER_BYTES)
      return false;
    long got = sys_read(socket, session->in + session->in_end, IN_BYTES - session->in_end);
    if (got <= 0)
      return false;
    session->in_end += (size_t)got;
    end = end_of_head(session->in, session->in_end);
  }
  session->in_done = session->in_seen = end;
  return begins((const char *)session->in, "HTTP/1.1 101 ");
}

int hand_over(struct session *session) {
  int socket = connect_to(session->path);
  if (socket < 0)
    return -1;
  if (send_request(socket, session->call) && read_answer(session, socket))
    return socket;
  sys1(__NR_close, socket);
  return -1;
}
