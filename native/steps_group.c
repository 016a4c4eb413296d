/* What cgroups need beyond plain writes: killing all processes of a v1 group, and a v2 group's device program. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "steps.h"

enum { KILL_PATIENCE_MS = 10 * 1000, LONGEST_PAUSE_MS = 16, GROUP_DEPTH_MAX = 64 };

/* Sends SIGKILL to each process in the list; returns how many it has, or -1. A line may be split between two reads. */
static int kill_listed(int group, const char *list) {
  char buffer[4096];
  int fd = openat(group, list, O_RDONLY | O_CLOEXEC), count = 0;
  long pid = 0;
  ssize_t size;
  if (fd < 0)
    return errno == ENOENT ? 0 : -1;
  while ((size = read(fd, buffer, sizeof buffer)) > 0)
    for (ssize_t i = 0; i < size; i++) {
      if (buffer[i] != '\n') {
        pid = pid * 10 + (buffer[i] - '0');
        continue;
      }
      if (pid > 0) /* 0: a process outside of our PID namespace */
        kill((pid_t)pid, SIGKILL);
      count++;
      pid = 0;
    }
  close(fd);
  return count;
}

/* The same in the groups below too, which the container may have made. Closes `group`. */
static int kill_below(int group, const char *list, int depth) {
  struct stat stat;
  int count = kill_listed(group, list), error = errno;
  if (fstat(group, &stat) == 0 && stat.st_nlink == 2) { /* no groups below: saves listing some fifty files */
    close(group);
    errno = error;
    return count;
  }
  DIR *names = fdopendir(group);
  struct dirent *entry;
  if (names == NULL) {
    close(group);
    return -1;
  }
  while (count >= 0 && depth < GROUP_DEPTH_MAX && (entry = readdir(names)) != NULL) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
      continue;
    int child = openat(group, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int more = child < 0 ? 0 : kill_below(child, list, depth + 1); /* it may be gone */
    error = errno;
    count = more < 0 ? -1 : count + more;
  }
  closedir(names);
  errno = error;
  return count;
}

static int kill_all(const char *tasks) {
  char list[32];
  int group = open_parent(tasks, list, sizeof list);
  if (group < 0)
    return errno == ENOENT ? 0 : -1;
  return kill_below(group, list, 0);
}

/* tasks: the group's list of processes; freezer: its freezer.state, or "". Frozen processes cannot fork; the signal kills them when
 * they are thawed. Other processes may still join (an exec), so this repeats until the group is empty. */
int step_kill_group(struct task *task, union argument *arg) {
  static struct span frozen = {(uint8_t *)"FROZEN", 6}, thawed = {(uint8_t *)"THAWED", 6};
  const char *tasks = arg[0].s, *freezer = arg[1].s;
  long pause_ms = 1;
  if (kill_all(tasks) == 0)
    return 0; /* empty already, as after most containers */
  for (long waited_ms = 0; waited_ms < KILL_PATIENCE_MS; waited_ms += pause_ms) {
    if (freezer[0] != 0 && write_once(freezer, frozen) < 0 && errno != ENOENT)
      return fail(task, errno, "%s", freezer);
    int count = kill_all(tasks), error = errno;
    if (freezer[0] != 0 && write_once(freezer, thawed) < 0 && errno != ENOENT)
      return fail(task, errno, "%s", freezer);
    if (count < 0)
      return fail(task, error, "%s", tasks);
    if (count == 0)
      return 0;
    nanosleep(&(struct timespec){.tv_nsec = pause_ms * 1000000}, NULL);
    pause_ms = pause_ms < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
  }
  return fail(task, ETIMEDOUT, "%s", tasks);
}

static int bpf(enum bpf_cmd command, union bpf_attr *attributes) {
  return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

/* group: cgroup v2 directory; program: BPF_PROG_TYPE_CGROUP_DEVICE instructions of 8 bytes. */
int step_device_program(struct task *task, union argument *arg) {
  static char log[1024];
  int group = open(arg[0].s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (group < 0)
    return fail(task, errno, "%s", arg[0].s);
  union bpf_attr load = {
      .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
      .insn_cnt = (uint32_t)(arg[1].b.size / sizeof(struct bpf_insn)),
      .insns = (uint64_t)(uintptr_t)arg[1].b.at,
      .license = (uint64_t)(uintptr_t) "Apache-2.0",
  };
  int program = bpf(BPF_PROG_LOAD, &load);
  if (program < 0) { /* load again, with a log, for the verifier's reason */
    int error = errno;
    load.log_level = 1;
    load.log_size = sizeof log;
    load.log_buf = (uint64_t)(uintptr_t)log;
    program = bpf(BPF_PROG_LOAD, &load);
    if (program < 0) {
      close(group);
      return fail(task, error, "load: %.200s", log);
    }
  }
  union bpf_attr attach = {
      .target_fd = (uint32_t)group,
      .attach_bpf_fd = (uint32_t)program,
      .attach_type = BPF_CGROUP_DEVICE,
      .attach_flags = BPF_F_ALLOW_MULTI,
  };
  int result = bpf(BPF_PROG_ATTACH, &attach), error = errno;
  close(program);
  close(group);
  return result < 0 ? fail(task, error, "attach") : 0;
}
