/* Entering namespaces, and what is set in them: host name, sysctls; also the session keyring. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "steps.h"

/* All rights for the possessor; view, read, search and link for the owner (keyctl(2), KEYCTL_SETPERM). */
enum { KEYRING_PERMISSIONS = 0x3f1b0000 };

/* Keeps a descriptor of our network namespace, by which `setns` with "" returns to it. Opening PID 1's instead may be refused, when
 * that process has capabilities that we lack (ptrace(2), PTRACE_MODE_READ). A child never returns, and keeps none. */
static int keep_home(struct task *task, uint64_t flags) {
  if (task->in_child || task->home >= 0 || (flags & CLONE_NEWNET) == 0)
    return 0;
  task->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  return task->home < 0 ? -1 : 0;
}

int step_unshare(struct task *task, union argument *arg) {
  return keep_home(task, arg[0].n) < 0 ? -1 : unshare((int)arg[0].n);
}

bool enters_namespaces(const struct decoded_step *step) {
  return step->kind->run == step_setns || step->kind->run == step_join;
}

bool joins_pid_namespace(const struct decoded_step *step) {
  if (step->kind->run == step_join)
    return (step->argument[1].n & CLONE_NEWPID) != 0;
  return step->kind->run == step_setns && (step->argument[1].n & CLONE_NEWPID) != 0;
}

/* A flag of `join` beside CLONE_NEW*. */
enum { JOIN_ENTERS_LATER = 1 };

bool enters_later(const struct decoded_step *step) {
  return step->kind->run == step_join && (step->argument[1].n & JOIN_ENTERS_LATER) != 0;
}

/* Processes in the namespace must not reach us through /proc before execve (CVE-2016-9962). */
static int hide(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

/* path: /proc/PID/ns/NAME; "": back to the network namespace that was left. flags: its CLONE_NEW*. The fork into a joined PID
 * namespace comes before the first step that enters no namespace (spawn.c), so /proc can be used until then. */
int step_setns(struct task *task, union argument *arg) {
  if (hide() < 0)
    return -1;
  bool returns = arg[0].s[0] == 0;
  if (!returns && keep_home(task, arg[1].n) < 0)
    return -1;
  int fd = returns ? task->home : open(arg[0].s, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fail(task, returns ? EINVAL : errno, "%s", arg[0].s);
  if (returns)
    task->home = -1;
  int result = setns(fd, (int)arg[1].n), error = errno;
  close(fd);
  return result < 0 ? fail(task, error, "%s", arg[0].s) : 0;
}

/* Field 22 of /proc/PID/stat, counted from the last ')', because the command's name may contain anything. */
static int read_start(int pid, uint64_t *started) {
  char path[32], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  text[got > 0 ? got : 0] = 0;
  char *at = strrchr(text, ')');
  for (int field = 2; at != NULL && field < 22; field++)
    at = strchr(at + 1, ' ');
  if (at == NULL) {
    errno = ESRCH;
    return -1;
  }
  *started = strtoull(at + 1, NULL, 10);
  return 0;
}

/* pid; started: clock ticks since boot. Comes before `spawn`, because the child's own PID namespace has no number for the process. The
 * start time is read after the pidfd was opened: a pid that was reused is noticed, and the pidfd stays with that process. */
int step_target(struct task *task, union argument *arg) {
  int pid = (int)arg[0].n;
  uint64_t started;
  if (task->target_count == TARGETS_MAX)
    return fail(task, E2BIG, "more than %d targets", TARGETS_MAX);
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0)
    return fail(task, errno, "process %d", pid);
  task->targets[task->target_count++] = fd;
  if (read_start(pid, &started) < 0)
    return fail(task, errno == ENOENT ? ESRCH : errno, "process %d", pid);
  return started == arg[1].n ? 0 : fail(task, ESRCH, "process %d is another one by now", pid);
}

/* target: number of a `target` step, from 0. Sends SIGKILL; a process that has ended is no error. */
int step_kill_target(struct task *task, union argument *arg) {
  if (arg[0].n >= task->target_count)
    return fail(task, EINVAL, "no target %llu", (unsigned long long)arg[0].n);
  return syscall(SYS_pidfd_send_signal, task->targets[arg[0].n], SIGKILL, NULL, 0) < 0 && errno != ESRCH ? -1 : 0;
}

void targets_close(struct task *task) {
  while (task->target_count > 0)
    close(task->targets[--task->target_count]);
}

/* target: number of a `target` step, from 0. flags: CLONE_NEW* of the namespaces to join, in one setns(2), so that the kernel chooses
 * the order; 1: the fork into the PID namespace is left to `enter`. */
int step_join(struct task *task, union argument *arg) {
  if (arg[0].n >= task->target_count)
    return fail(task, EINVAL, "no target %llu", (unsigned long long)arg[0].n);
  if (hide() < 0)
    return -1;
  task->enters = (arg[1].n & JOIN_ENTERS_LATER) != 0;
  return setns(task->targets[arg[0].n], (int)(arg[1].n & ~(uint64_t)JOIN_ENTERS_LATER));
}

int step_hostname(struct task *task, union argument *arg) {
  (void)task;
  return sethostname(arg[0].s, strlen(arg[0].s));
}

int step_domainname(struct task *task, union argument *arg) {
  (void)task;
  return setdomainname(arg[0].s, strlen(arg[0].s));
}

/* Opens a file of the private procfs: without links, mounts on the way, or "..". */
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
  return close_after(below, fd);
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
  long ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, arg[0].s);
  if (ring < 0)
    return errno == ENOSYS ? 0 : -1;
  /* searchable by its user: else an exec that joins by this name gets a new keyring. EACCES: an existing one, whose permissions are set */
  if (syscall(SYS_keyctl, KEYCTL_SETPERM, (int)ring, KEYRING_PERMISSIONS) < 0 && errno != EACCES)
    return fail(task, errno, "permissions of the keyring");
  return 0;
}
