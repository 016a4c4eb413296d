/* The last steps: limits, the working directory, and the program. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "steps.h"

/* resource: RLIMIT_*; soft, hard: 2^64-1 = unlimited. */
int step_rlimit(struct task *task, union argument *arg) {
  struct { uint64_t soft, hard; } limit = {arg[1].n, arg[2].n}; /* struct rlimit64 */
  if (syscall(SYS_prlimit64, 0, (int)arg[0].n, &limit, NULL) < 0)
    return fail(task, errno, "resource %llu", (unsigned long long)arg[0].n);
  return 0;
}

int step_umask(struct task *task, union argument *arg) {
  (void)task;
  umask((mode_t)arg[0].n);
  return 0;
}

/* Made without following magic links: where the host's processes are visible, /proc/1/root would lead to the host's files. */
static int make_and_enter(struct task *task, const char *path) {
  task->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int made = task->root < 0 ? -1 : root_make(task, path, S_IFDIR, 0755);
  int entered = made < 0 ? -1 : fchdir(made), error = errno;
  if (made >= 0)
    close(made);
  close(task->root);
  task->root = -1;
  errno = error;
  return entered;
}

/* path; make: 1 = make it when missing. */
int step_cwd(struct task *task, union argument *arg) {
  char current[PATH_MAX];
  char *path = arg[0].s;
  if (chdir(path) < 0 && (errno != ENOENT || arg[1].n != 1 || make_and_enter(task, path) < 0))
    return fail(task, errno, "%s", path);
  /* a directory outside the root reads as "(unreachable)…" or ENOENT (CVE-2024-21626) */
  if (syscall(SYS_getcwd, current, sizeof current) < 0 || current[0] != '/')
    return fail(task, EXDEV, "%s leads out of the container", path);
  return 0;
}

/* A program must not inherit what we ignore or block. main() has reset everything else. */
static void reset_signals(void) {
  sigset_t none;
  signal(SIGPIPE, SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Closes every descriptor from 3 on but the one that reports a failure of execve, which execve itself closes. */
static int close_all_but_report(struct task *task) {
  int *report = task->channel >= 0 ? &task->channel : &task->conn;
  if (*report > 3) {
    if (dup3(*report, 3, O_CLOEXEC) < 0)
      return -1;
    *report = 3;
  }
  return (int)syscall(SYS_close_range, *report == 3 ? 4U : 3U, ~0U, 0U);
}

static const char *variable(char **env, const char *name) {
  size_t size = strlen(name);
  for (; *env != NULL; env++)
    if (strncmp(*env, name, size) == 0 && (*env)[size] == '=')
      return *env + size + 1;
  return NULL;
}

/* Tries each directory of PATH. EACCES only when a file was found and none could be executed. */
static int exec_in_path(char **argv, char **env) {
  char file[PATH_MAX];
  const char *path = variable(env, "PATH");
  int error = ENOENT;
  while (path != NULL) {
    size_t size = strcspn(path, ":");
    const char *directory = size == 0 ? "." : path;
    int length = snprintf(file, sizeof file, "%.*s/%s", size == 0 ? 1 : (int)size, directory, argv[0]);
    if (length < (int)sizeof file) {
      execve(file, argv, env);
      if (errno == EACCES)
        error = EACCES;
      else if (errno != ENOENT && errno != ENOTDIR)
        return -1;
    }
    path = path[size] == ':' ? path + size + 1 : NULL;
  }
  errno = error;
  return -1;
}

/* argv, env. */
int step_exec(struct task *task, union argument *arg) {
  char **argv = arg[0].l.at, **env = arg[1].l.at;
  if (arg[0].l.count == 0)
    return fail(task, EINVAL, "no command");
  if (close_all_but_report(task) < 0)
    return fail(task, errno, "close_range");
  reset_signals();
  if (strchr(argv[0], '/') != NULL)
    execve(argv[0], argv, env);
  else if (argv[0][0] == 0)
    errno = ENOENT;
  else
    exec_in_path(argv, env);
  return fail(task, errno, "%s", argv[0]);
}
