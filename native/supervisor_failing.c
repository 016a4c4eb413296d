/* An engine that ends before it answers clients: finds out why, and tells the waiting clients.
 *
 * A first such end may be a kill, or an executable that is just being replaced: clients keep waiting. From the third in succession
 * they are answered, each by a process of its own, in the way an engine answers an error. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor.h"

enum {
  TOLD_FROM = 3,             /* failed tries in succession */
  WORDS_MAX = 512,           /* bytes of the engine's last line */
  REQUEST_MAX = 1 << 20,     /* bytes that are read of a request and thrown away */
  CLIENT_PATIENCE_MS = 2000,
};

static struct {
  int tries;                 /* failed tries since an engine last answered clients */
  off_t log_size;            /* before the last try */
  int *exec_error;           /* errno of execve, in a page shared with the child that becomes the engine; 0 */
  char message[3 * WORDS_MAX + 2 * PATH_MAX];
} self;

/* ── what is known ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* The engine's output goes where ours goes: engine.log, or a service's journal, which cannot be read back. */
static off_t log_size(void) {
  struct stat log;
  return fstat(STDERR_FILENO, &log) == 0 && S_ISREG(log.st_mode) ? log.st_size : -1;
}

void failing_prepare(void) {
  if (self.exec_error == NULL) {
    void *page = mmap(NULL, sizeof *self.exec_error, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    self.exec_error = page == MAP_FAILED ? NULL : page;
  }
  if (self.exec_error != NULL)
    *self.exec_error = 0;
  self.log_size = log_size();
}

_Noreturn void failing_exec(const char *program, int error) {
  fprintf(stderr, "orlop: the engine %s cannot be started: %s\n", program, strerror(error));
  if (self.exec_error != NULL)
    *self.exec_error = error;
  _exit(127);
}

void failing_over(void) { self.tries = 0; }

bool failing_is_told(void) { return self.tries >= TOLD_FROM; }

/* `passing` errors end by themselves: an executable that is being written, no free memory or processes. */
bool failing_for_good(void) {
  static const int passing[] = {ETXTBSY, ENOMEM, EAGAIN, EMFILE, ENFILE, EIO};
  int error = self.exec_error == NULL ? 0 : *self.exec_error;
  for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
    if (error == passing[i])
      return false;
  return error != 0;
}

/* The last line that the last try logged, preferably of level "error", without its level and stack trace. */
static void last_words(struct places places, char *words, size_t room) {
  char path[PATH_MAX], text[4096], *line, *rest = text, *found = NULL;
  bool is_error = false;
  words[0] = 0;
  off_t end = log_size();
  snprintf(path, sizeof path, "%s/engine.log", places.run);
  int fd = end < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return;
  off_t from = end - self.log_size < (off_t)sizeof text ? self.log_size : end - (off_t)sizeof text + 1;
  ssize_t size = pread(fd, text, sizeof text - 1, from);
  close(fd);
  text[size < 0 ? 0 : size] = 0;
  while ((line = strsep(&rest, "\n")) != NULL) {
    bool level = strncmp(line, "<3>", 3) == 0;
    if (*line == 0 || (is_error && !level))
      continue;
    is_error = level;
    found = line;
  }
  if (found == NULL)
    return;
  if (found[0] == '<' && found[1] != 0 && found[2] == '>')
    found += 3;
  char *stack = strstr(found, " | ");
  if (stack != NULL)
    *stack = 0;
  snprintf(words, room, "%s", found);
}

void failing_note(struct places places, const char *program, int status, bool service) {
  char words[WORDS_MAX], how[64], log[PATH_MAX + 32];
  self.tries++;
  if (service)
    snprintf(log, sizeof log, "journalctl -u orlop");
  else
    snprintf(log, sizeof log, "%s/engine.log", places.run);
  if (failing_for_good()) {
    snprintf(self.message, sizeof self.message,
             "the engine %s cannot be started: %s: was this installation of Orlop moved, removed or damaged? Containers run on; "
             "the next command of an installation that is whole takes over (log: %s)",
             program, strerror(*self.exec_error), log);
    return;
  }
  last_words(places, words, sizeof words);
  if (WIFSIGNALED(status))
    snprintf(how, sizeof how, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
  else
    snprintf(how, sizeof how, "status %d", WEXITSTATUS(status));
  snprintf(self.message, sizeof self.message,
           "the engine %s ended with %s before it could answer, %d times in succession%s%s (log: %s). It is tried again every few "
           "seconds; containers run on. To have another installation of Orlop take over: orlop system stop, then any command",
           program, how, self.tries, words[0] == 0 ? "" : ": ", words, log);
}

const char *failing_message(void) { return self.message; }

/* ── telling clients ───────────────────────────────────────────────────────────────────────────────────────────── */

/* As a JSON string's content; what JSON would have escaped otherwise becomes a space. */
static void escape(const char *text, char *to, size_t room) {
  char *end = to + room - 2;
  for (; *text != 0 && to < end; text++) {
    if (*text == '"' || *text == '\\')
      *to++ = '\\';
    *to++ = (unsigned char)*text < 0x20 ? ' ' : *text;
  }
  *to = 0;
}

/* Receives until the deadline; 0: nothing more comes. */
static size_t receive(int conn, char *bytes, size_t room, int64_t deadline_ms) {
  struct pollfd client = {.fd = conn, .events = POLLIN};
  int64_t left_ms = deadline_ms - monotonic_ms();
  if (left_ms <= 0 || poll(&client, 1, (int)left_ms) <= 0)
    return 0;
  ssize_t got = recv(conn, bytes, room, 0);
  return got <= 0 ? 0 : (size_t)got;
}

/* Answers one request. Clients send a HEAD or GET of /_ping first, and their request on the same connection; after a request that may
 * have a body the connection is closed. false: it was the last. */
static bool answer_request(int conn, const char *body, int64_t deadline_ms) {
  char request[8192], answer[sizeof self.message * 2 + 512];
  size_t size = 0, got;
  do {
    got = receive(conn, request + size, sizeof request - 1 - size, deadline_ms);
    size += got;
    request[size] = 0;
  } while (got > 0 && size < sizeof request - 1 && strstr(request, "\r\n\r\n") == NULL);
  if (size == 0)
    return false;
  bool head = strncmp(request, "HEAD ", 5) == 0, last = !head && strncmp(request, "GET ", 4) != 0;
  int length = snprintf(answer, sizeof answer,
                        "HTTP/1.1 503 Service Unavailable\r\nServer: Orlop (linux)\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n%s\r\n%s",
                        strlen(body), last ? "Connection: close\r\n" : "", head ? "" : body);
  if (length < 0 || send(conn, answer, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) != length)
    return false;
  return !last && got > 0;
}

static void serve(int conn) {
  char body[sizeof self.message * 2], dropped[4096], text[sizeof self.message * 2 - 32];
  int64_t deadline_ms = monotonic_ms() + CLIENT_PATIENCE_MS;
  escape(self.message, text, sizeof text);
  snprintf(body, sizeof body, "{\"message\":\"%s\"}\n", text);
  while (answer_request(conn, body, deadline_ms))
    ;
  shutdown(conn, SHUT_WR);
  /* Reads what it still sends: closing with unread data would reset the connection before the client has read the answer. */
  for (size_t taken = 0, got; taken < REQUEST_MAX && (got = receive(conn, dropped, sizeof dropped, deadline_ms)) > 0;)
    taken += got;
}

void failing_answer(int listener) {
  int conn;
  fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK);
  while ((conn = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
    pid_t supervisor = getpid(), child = fork();
    if (child == 0) {
      if (conn != 3 && dup3(conn, 3, O_CLOEXEC) < 0)
        _exit(1);
      syscall(SYS_close_range, 4U, ~0U, 0U);
      serve(3);
      if (getppid() != supervisor)
        supervisor_leave_groups(); /* the last one out removes them */
      _exit(0);
    }
    close(conn); /* if fork failed, the client sees its connection end */
  }
}
