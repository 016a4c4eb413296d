/* The supervisor's first milliseconds: namespaces, locks, sockets, and becoming a daemon. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "steps.h"
#include "supervisor.h"

enum { BACKLOG = 4096, ENGINE_LOG_MAX = 1 << 20 };

static int refuse(int *code, int with, const char *what, const char *why) {
  fprintf(stderr, "orlop: %s: %s\n", what, why);
  *code = with;
  return -1;
}

int supervisor_refuse(int *code, const char *what, const char *why) { return refuse(code, EXIT_REFUSED, what, why); }

/* ── namespaces ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Whether our namespace differs from PID 1's; false also when PID 1's cannot be read (not root). */
static bool is_foreign(const char *name) {
  char path[64];
  struct stat own, first;
  snprintf(path, sizeof path, "/proc/self/ns/%s", name);
  if (stat(path, &own) < 0)
    return false;
  snprintf(path, sizeof path, "/proc/1/ns/%s", name);
  return stat(path, &first) == 0 && (own.st_ino != first.st_ino || own.st_dev != first.st_dev);
}

int supervisor_check_namespaces(int *code) {
  const char *allowed = getenv("ORLOP_FOREIGN_NAMESPACE");
  if (allowed != NULL && strcmp(allowed, "1") == 0)
    return 0;
  if (is_foreign("mnt"))
    return refuse(code, EXIT_REFUSED, "this shell is in another mount namespace than PID 1",
                  "containers would be built from its mounts; start orlop outside, or set ORLOP_FOREIGN_NAMESPACE=1");
  if (is_foreign("net"))
    return refuse(code, EXIT_REFUSED, "this shell is in another network namespace than PID 1",
                  "containers would use its network; start orlop outside, or set ORLOP_FOREIGN_NAMESPACE=1");
  return 0;
}

/* ── directories, locks, sockets ───────────────────────────────────────────────────────────────────────────────── */

/* 0711: users can reach names inside that they know, but cannot list them. */
static int make_place(const char *path, int *code) {
  union argument argument[2] = {{.s = (char *)(uintptr_t)path}, {.n = 0711}};
  struct task task = {0};
  if (path[0] != '/')
    return refuse(code, EXIT_REFUSED, path, "not an absolute path");
  if (step_mkdir(&task, argument) < 0 || chmod(path, 0711) < 0)
    return refuse(code, EXIT_REFUSED, path, strerror(errno));
  return 0;
}

/* Of STATE_DIR/lock and RUN_DIR/lock, open while the supervisor lives. The files contain its pid, for users and for `doctor`. */
static int locks[2] = {-1, -1};

static int lock_place(const char *path, int *lock, int *code, bool quiet) {
  char name[PATH_MAX];
  snprintf(name, sizeof name, "%s/lock", path);
  int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return refuse(code, EXIT_REFUSED, name, strerror(errno));
  if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    bool held = errno == EWOULDBLOCK;
    if (!held || !quiet)
      refuse(code, EXIT_REFUSED, name, held ? "another supervisor holds this" : strerror(errno));
    *code = held ? EXIT_LOCKED : EXIT_REFUSED;
    close(fd);
    return -1;
  }
  *lock = fd;
  return 0;
}

int supervisor_lock(struct places places, int *code, bool quiet) {
  if (make_place(places.run, code) < 0 || make_place(places.state, code) < 0)
    return -1;
  if (locks[0] < 0 && lock_place(places.state, &locks[0], code, quiet) < 0)
    return -1;
  return lock_place(places.run, &locks[1], code, quiet);
}

void supervisor_unlock(void) {
  for (int i = 0; i < 2; i++)
    close(locks[i]);
}

/* In the current directory, so that the path's length does not matter. 0600 from the first moment. */
static int listen_at(const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
  unlink(name); /* left by a dead supervisor: we hold the lock */
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
    return -1;
  return fd;
}

/* ORLOP_SOCKET_GID: the group that may use the API, decimal; the client looked it up. */
static int open_to_group(const char *name) {
  const char *gid = getenv("ORLOP_SOCKET_GID");
  if (gid != NULL && gid[0] != 0 && chown(name, (uid_t)-1, (gid_t)strtoul(gid, NULL, 10)) < 0)
    return -1;
  return chmod(name, 0660);
}

/* Identifies our orlop.sock: a socket that a service has put in its place is not removed at the end. */
static struct stat api_file;

static int listen_for_api(void) {
  int fd = listen_at("orlop.sock");
  return fd < 0 || open_to_group("orlop.sock") < 0 || lstat("orlop.sock", &api_file) < 0 ? -1 : fd;
}

int supervisor_listen(struct places places, struct listeners *listeners, int *code) {
  mode_t before = umask(0177);
  if (chdir(places.run) < 0 || (listeners->control = listen_at("control.sock")) < 0 ||
      (listeners->link = listen_at("supervisor.sock")) < 0 ||
      (listeners->api < 0 && (listeners->api = listen_for_api()) < 0))
    return refuse(code, EXIT_REFUSED, places.run, strerror(errno));
  umask(before);
  return chdir("/");
}

int supervisor_listen_in(const char *directory, const char *name) {
  mode_t before = umask(0177);
  int fd = chdir(directory) < 0 ? -1 : listen_at(name), error = errno;
  umask(before);
  if (chdir("/") < 0)
    return -1;
  errno = error;
  return fd;
}

void supervisor_unlink_sockets(struct places places) {
  static const char *const names[] = {"control.sock", "supervisor.sock"};
  struct stat now;
  if (chdir(places.run) < 0)
    return;
  if (lstat("orlop.sock", &now) == 0 && now.st_ino == api_file.st_ino && now.st_dev == api_file.st_dev)
    unlink("orlop.sock");
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    unlink(names[i]);
}

/* ── the daemon ────────────────────────────────────────────────────────────────────────────────────────────────── */

/* engine.log: standard output and error of the engine and the supervisor. One older file is kept. */
static int open_log(struct places places) {
  char name[PATH_MAX], older[PATH_MAX];
  struct stat stat_;
  snprintf(name, sizeof name, "%s/engine.log", places.run);
  snprintf(older, sizeof older, "%s/engine.log.1", places.run);
  if (stat(name, &stat_) == 0 && stat_.st_size > ENGINE_LOG_MAX)
    rename(name, older);
  return open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int write_pid(pid_t pid) {
  for (int i = 0; i < 2; i++) /* one short write, so that readers see the whole number */
    if (ftruncate(locks[i], 0) < 0 || dprintf(locks[i], "%d\n", (int)pid) < 0)
      return -1;
  return 0;
}

int supervisor_stay(void) { return write_pid(getpid()); }

/* Returns in the daemon, which has no controlling terminal and cannot get one. The process that was started exits with 0 when the
 * lock files name the daemon. */
int supervisor_daemonize(struct places places) {
  int log = open_log(places), null = open("/dev/null", O_RDWR | O_CLOEXEC), status = 0;
  if (log < 0 || null < 0)
    return -1;
  fflush(NULL);
  pid_t child = fork();
  if (child != 0)
    _exit(child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : EXIT_REFUSED);
  setsid();
  child = fork();
  if (child != 0)
    _exit(child > 0 && write_pid(child) == 0 ? 0 : EXIT_REFUSED);
  if (dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
    return -1;
  close(null);
  close(log);
  return 0;
}
