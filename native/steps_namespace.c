/* Namespaces and what belongs to one: names, sysctls, the keyring. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "steps.h"

int step_unshare(struct task *task, union argument *arg) {
  (void)task;
  return unshare((int)arg[0].n);
}

bool joins_pid_namespace(const union argument *arg) { return (arg[1].n & CLONE_NEWPID) != 0; }

/* path: /proc/PID/ns/NAME. flags: its CLONE_NEW*. A joined PID namespace takes effect before the first step that is not
 * `setns` (spawn.c), so /proc can still be used by the ones between. */
int step_setns(struct task *task, union argument *arg) {
  /* what runs in there must not reach us through /proc before execve (CVE-2016-9962) */
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return -1;
  int fd = open(arg[0].s, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fail(task, errno, "%s", arg[0].s);
  int result = setns(fd, (int)arg[1].n), error = errno;
  close(fd);
  return result < 0 ? fail(task, error, "%s", arg[0].s) : 0;
}

int step_hostname(struct task *task, union argument *arg) {
  (void)task;
  return sethostname(arg[0].s, strlen(arg[0].s));
}

int step_domainname(struct task *task, union argument *arg) {
  (void)task;
  return setdomainname(arg[0].s, strlen(arg[0].s));
}

/* Opens a file of the private procfs: no links, nothing mounted over it, no "..". */
static int open_proc_file(int proc, const char *directory, const char *path) {
  struct open_how how = {
      .flags = O_WRONLY | O_CLOEXEC,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
  };
  int below = openat(proc, directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (below < 0)
    return -1;
  int fd = POINT("proc.openat2") < 0 ? -1 : (int)syscall(SYS_openat2, below, path, &how, sizeof how);
  if (fd < 0 && (errno == ENOSYS || errno == EPERM) && strstr(path, "..") == NULL)
    fd = openat(below, path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC); /* procfs has no other links below sys */
  int error = errno;
  close(below);
  errno = error;
  return fd;
}

static int write_proc(struct task *task, const char *directory, const char *path, const char *value) {
  int proc = private_proc(task);
  if (proc < 0)
    return -1;
  int fd = open_proc_file(proc, directory, path);
  if (fd < 0)
    return fail(task, errno, "%s", path);
  ssize_t written = write(fd, value, strlen(value));
  int error = errno;
  close(fd);
  return written < 0 ? fail(task, error, "%s", path) : 0;
}

/* key as a path below /proc/sys. */
int step_sysctl(struct task *task, union argument *arg) { return write_proc(task, "sys", arg[0].s, arg[1].s); }

int step_oom_score(struct task *task, union argument *arg) { return write_proc(task, "self", "oom_score_adj", arg[0].s); }

int step_keyring(struct task *task, union argument *arg) {
  (void)task;
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, arg[0].s) < 0 && errno != ENOSYS)
    return -1;
  return 0;
}
