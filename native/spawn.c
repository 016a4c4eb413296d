/* `spawn`: the child from clone3 to its last step, and how parent and child wait for each other. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "steps.h"

static pid_t clone_child(uint64_t flags, int group, int *pidfd) {
  int fd = -1;
  struct clone_args args = {
      .flags = flags | CLONE_PIDFD,
      .pidfd = (uint64_t)(uintptr_t)&fd,
      /* with CLONE_PARENT the kernel wants 0 here and takes the creator's own */
      .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
  };
  if (group >= 0) { /* no RCU grace period, unlike a write to cgroup.procs */
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = (unsigned)group;
  }
  pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  if (child < 0 && errno == ENOSYS && group < 0) /* we run in a container whose seccomp filter refuses clone3, because it cannot inspect its arguments */
    child = (pid_t)syscall(SYS_clone, args.flags | args.exit_signal, NULL, &fd, NULL, NULL);
  if (child > 0)
    *pidfd = fd;
  return child;
}

_Noreturn static void child_failed(struct task *task, int error) {
  struct channel_message report = {.kind = C_FAILED, .step = task->step, .error = error};
  memcpy(report.detail, task->detail, sizeof report.detail);
  channel_send(task->channel, &report, -1);
  _exit(1);
}

static void keep(int *kept, int *count, int fd) {
  int at = (*count)++;
  for (; at > 0 && kept[at - 1] > fd; at--)
    kept[at] = kept[at - 1];
  kept[at] = fd;
}

/* Closes everything but the channel to the monitor, the program's streams, and these two. */
static void close_but(struct task *task, int proc, int self) {
  const int own[] = {task->channel, task->conn, monitor_stream(task, 0), monitor_stream(task, 1), monitor_stream(task, 2), proc, self};
  int kept[3 + sizeof own / sizeof *own], count = 0, from = 0;
  for (int fd = 0; fd < 3; fd++)
    keep(kept, &count, fd);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    if (own[i] > 2)
      keep(kept, &count, own[i]);
  for (int i = 0; i < count; from = kept[i++] + 1)
    if (kept[i] > from)
      syscall(SYS_close_range, (unsigned)from, (unsigned)kept[i] - 1, 0U);
  syscall(SYS_close_range, (unsigned)from, ~0U, 0U);
  task->root = task->empty = task->home = -1;
  task->proc = proc;
  task->self = self;
  task->target_count = 0;
}

/* Before entering a foreign PID namespace: task->proc is closed too, because it shows the host's processes. */
static void close_host(struct task *task) { close_but(task, -1, -1); }

/* Called once the root is the container's. The descriptors inherited from the monitor lead to host directories, which a path of the
 * container could use (/proc/self/fd/4/../etc as working directory: CVE-2024-21626). task->proc stays open: by now it is the
 * container's procfs, without masks. */
void leave_host(struct task *task) { close_but(task, task->proc, task->self); }

/* setns(2) into a PID namespace takes effect for new children only, so the child forks again, as a child of the monitor
 * (CLONE_PARENT). Processes in the namespace can see it, so all descriptors of the host are closed by now. */
static int fork_into_pid_namespace(struct task *task) {
  int pidfd = -1, told[2];
  char nothing;
  if (pipe2(told, O_CLOEXEC) < 0)
    return -1;
  pid_t child = clone_child(CLONE_PARENT, -1, &pidfd);
  if (child < 0)
    return -1;
  if (child == 0) { /* wait for the parent, so that C_FORKED is the channel's first message */
    close(told[1]);
    while (read(told[0], &nothing, 1) < 0 && errno == EINTR)
      ;
    close(told[0]);
    return 0;
  }
  struct channel_message forked = {.kind = C_FORKED, .pid = child};
  _exit(channel_send(task->channel, &forked, pidfd) < 0);
}

/* session: 1 = the new child begins a session (with a terminal, the step `terminal` does). Processes in the PID namespace may be able
 * to trace the new child (CAP_SYS_PTRACE), so this step comes after those that reduce its rights to theirs. */
int step_enter(struct task *task, union argument *arg) {
  if (!task->in_child || !task->enters)
    return fail(task, EINVAL, "enter without a join that leaves it to do");
  task->enters = false;
  if (fork_into_pid_namespace(task) < 0)
    return -1;
  return arg[0].n == 1 && setsid() < 0 ? -1 : 0;
}

/* The child's part of the plan. Ends in execve, or with the last step. */
_Noreturn static void child_run(struct task *task) {
  size_t at = 0;
  struct span payload;
  struct decoded_step step;
  bool entered = false, to_fork = false;
  parcel_next(&task->parcel, &at, &payload); /* `spawn` itself */
  while (parcel_next(&task->parcel, &at, &payload)) {
    int decoded = step_decode(payload, &step, &task->slots);
    task->step = step.number;
    if (decoded < 0)
      child_failed(task, errno);
    if (step.kind->run == step_continue) /* carried out by the parent; it precedes the steps that it brought */
      continue;
    bool enters = enters_namespaces(&step);
    if (entered && !enters)
      close_host(task);
    if (to_fork && !enters && fork_into_pid_namespace(task) < 0)
      child_failed(task, errno);
    entered = enters;
    to_fork = enters && (to_fork || (joins_pid_namespace(&step) && !enters_later(&step)));
    if (step_run(task, &step) < 0)
      child_failed(task, errno);
  }
  _exit(0);
}

static void become_child(struct task *task, int channel) {
  task->in_child = true;
  close(task->channel);
  task->channel = channel;
  /* so that the engine's connection ends with the monitor, and no container ever has it */
  if (task->conn > 2)
    close(task->conn);
  task->conn = -1;
}

/* The process that the child forked takes the child's place. */
static int adopt_forked(struct task *task) {
  struct channel_message message;
  int pidfd = -1;
  int got = channel_receive(task->channel, &message, &pidfd);
  if (got <= 0) {
    if (got == 0)
      errno = ESRCH;
    return -1;
  }
  if (message.kind != C_FORKED) {
    task->step = message.step;
    memcpy(task->detail, message.detail, sizeof task->detail);
    errno = message.error;
    return -1;
  }
  waitpid(task->child, NULL, 0);
  close(task->child_pidfd);
  task->child = message.pid;
  task->child_pidfd = pidfd;
  return 0;
}

/* flags: CLONE_NEW*. group: cgroup v2 directory or "". steps: how many of the following are the child's. */
int step_spawn(struct task *task, union argument *arg) {
  int pair[2], group = -1;
  uint64_t flags = arg[0].n;
  task->clone_flags = flags;
  if (arg[1].s[0] != 0 && (group = open(arg[1].s, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
    return fail(task, errno, "%s", arg[1].s);
  /* with CLONE_NEWTIME in clone3 the offsets would be read-only at once; after unshare only children are in the namespace */
  if (flags & CLONE_NEWTIME && unshare(CLONE_NEWTIME) < 0)
    return fail(task, errno, "time namespace");
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return -1;
  task->channel = pair[0];
  task->child = clone_child(flags & ~(uint64_t)CLONE_NEWTIME, group, &task->child_pidfd);
  if (task->child == 0) {
    become_child(task, pair[1]);
    child_run(task);
  }
  int error = errno;
  close(pair[1]);
  if (group >= 0)
    close(group);
  errno = error;
  if (task->child < 0)
    return -1;
  if (POINT("spawn.cloned") < 0)
    return -1;
  if (task->joins_pid && adopt_forked(task) < 0)
    return -1;
  uint32_t pid = (uint32_t)task->child;
  return send_frame(task->conn, F_SPAWNED, &pid, sizeof pid);
}

bool child_failure(struct task *task, struct channel_message *report) {
  struct pollfd readable = {.fd = task->channel, .events = POLLIN};
  while (poll(&readable, 1, 0) > 0 && channel_receive(task->channel, report, NULL) > 0)
    if (report->kind == C_FAILED)
      return true;
  return false;
}

void child_kill(struct task *task) {
  if (task->child <= 0)
    return;
  syscall(SYS_pidfd_send_signal, task->child_pidfd, SIGKILL, NULL, 0);
  waitpid(task->child, NULL, 0);
  close(task->child_pidfd);
  task->child = 0;
  task->child_pidfd = -1;
}

/* ── waiting for each other ────────────────────────────────────────────────────────────────────────────────────── */

/* In the child: waits for a message `wanted` from the parent. When the parent is gone the plan fails, so that nothing half-made stays. */
static int wait_for(struct task *task, enum channel_kind wanted, struct channel_message *message) {
  for (;;) {
    int got = channel_receive(task->channel, message, NULL);
    if (got == 0)
      return fail(task, ECANCELED, "the other side left first");
    if (got < 0)
      return -1;
    if (message->kind == wanted)
      return 0;
    task->gone |= message->kind == C_GO;
  }
}

int step_await(struct task *task, union argument *arg) {
  (void)arg;
  struct channel_message message;
  if (wait_for(task, C_RELEASE, &message) < 0)
    return -1;
  if ((task->clone_flags & CLONE_NEWUSER) == 0)
    return 0;
  if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
    return fail(task, errno, "uid and gid 0 are not mapped");
  /* EPERM: setgroups is denied in this namespace, so groups can be neither dropped nor gained */
  if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
    return -1;
  /* the change of uid made us non-dumpable, and /proc/self root's; safe, because nobody else is in our PID namespace yet */
  return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

int step_gate(struct task *task, union argument *arg) {
  (void)arg;
  struct channel_message waiting = {.kind = C_GATE}, go;
  if (task->gone || task->channel < 0)
    return 0;
  return channel_send(task->channel, &waiting, -1) < 0 ? -1 : wait_for(task, C_GO, &go);
}

/* In the child: waits until `continue` has brought the following steps. */
int step_ready(struct task *task, union argument *arg) {
  (void)arg;
  struct channel_message message;
  if (wait_for(task, C_CONTINUE, &message) < 0)
    return -1;
  task->parcel.used = message.parcel;
  return 0;
}

/* steps: how many of the following are the child's. In the parent, once it has all of them. */
int step_continue(struct task *task, union argument *arg) {
  (void)arg;
  struct channel_message message = {.kind = C_CONTINUE, .parcel = task->parcel.used};
  return channel_send(task->channel, &message, -1);
}

int step_release(struct task *task, union argument *arg) {
  (void)arg;
  struct channel_message release = {.kind = C_RELEASE};
  return channel_send(task->channel, &release, -1);
}

static int write_map(struct task *task, const char *name, const char *content) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)task->child, name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return fail(task, errno, "%s", name);
  ssize_t written = write(fd, content, strlen(content));
  int error = errno;
  close(fd);
  return written < 0 ? fail(task, error, "%s", name) : 0;
}

/* uidMap, gidMap: lines as in user_namespaces(7). deny: 1 = setgroups is denied first, as an unprivileged gid_map needs. */
int step_id_map(struct task *task, union argument *arg) {
  if (arg[2].n == 1 && write_map(task, "setgroups", "deny") < 0)
    return -1;
  if (write_map(task, "uid_map", arg[0].s) < 0)
    return -1;
  return write_map(task, "gid_map", arg[1].s);
}
