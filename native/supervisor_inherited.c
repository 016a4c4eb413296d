/* Leaves behind what the supervisor inherited from whoever started it: cgroups, limits, environment. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "supervisor.h"

static const char group_name[] = "orlop-supervisor";

static int write_at(int directory, const char *name, const char *text) {
  int fd = openat(directory, name, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  ssize_t written = write(fd, text, strlen(text));
  close(fd);
  return written < 0 ? -1 : 0;
}

/* A cpuset cgroup accepts no process before its cpus and mems are set: copied from its parent. */
static void copy_file(int from, int to, const char *name) {
  char value[4096];
  int fd = openat(from, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return;
  ssize_t size = read(fd, value, sizeof value - 1);
  close(fd);
  if (size <= 0)
    return;
  value[size] = 0;
  write_at(to, name, value);
}

/* Enters or leaves our own cgroup of one hierarchy. A hierarchy that refuses (read-only, not writable for us) is left as it is.
 * false: other processes are still in the cgroup that we left. */
static bool change_group(int hierarchy, bool enter) {
  struct statfs fs;
  if (fstatfs(hierarchy, &fs) < 0)
    return true;
  /* v1: `tasks`, because `cgroup.procs` waits for an RCU grace period (11 to 16 ms) */
  const char *list = fs.f_type == CGROUP_SUPER_MAGIC ? "tasks" : fs.f_type == CGROUP2_SUPER_MAGIC ? "cgroup.procs" : NULL;
  if (list == NULL)
    return true;
  if (!enter)
    return write_at(hierarchy, list, "0") < 0 || unlinkat(hierarchy, group_name, AT_REMOVEDIR) == 0 || errno != EBUSY;
  if (mkdirat(hierarchy, group_name, 0755) < 0 && errno != EEXIST)
    return true;
  int group = openat(hierarchy, group_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (group < 0)
    return true;
  copy_file(hierarchy, group, "cpuset.cpus");
  copy_file(hierarchy, group, "cpuset.mems");
  write_at(group, list, "0");
  close(group);
  return true;
}

/* v1 and hybrid: the directories below /sys/fs/cgroup; v2: that directory itself. */
static bool change_groups(bool enter) {
  DIR *all = opendir("/sys/fs/cgroup");
  struct dirent *entry;
  struct statfs fs;
  bool alone = true;
  if (all == NULL)
    return true;
  if (fstatfs(dirfd(all), &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC) {
    alone = change_group(dirfd(all), enter);
    closedir(all);
    return alone;
  }
  while ((entry = readdir(all)) != NULL) {
    if (entry->d_name[0] == '.')
      continue;
    int hierarchy = openat(dirfd(all), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (hierarchy < 0)
      continue; /* a link to another hierarchy, as cpu to cpu,cpuacct */
    alone &= change_group(hierarchy, enter);
    close(hierarchy);
  }
  closedir(all);
  return alone;
}

bool supervisor_leave_groups(void) { return change_groups(false); }

/* Takes PID 1's limits, as a service has them. A limit that may not be raised (no CAP_SYS_RESOURCE) stays as it is. */
static void take_limits(void) {
  for (int resource = 0; resource < (int)RLIM_NLIMITS; resource++) {
    struct rlimit limit;
    if (prlimit(1, (enum __rlimit_resource)resource, NULL, &limit) == 0)
      setrlimit((enum __rlimit_resource)resource, &limit);
  }
}

static bool is_kept(const char *variable) {
  static const char *const names[] = {"PATH=",       "LANG=",       "TZ=",         "ORLOP_",    "HTTP_PROXY=",
                                      "HTTPS_PROXY=", "NO_PROXY=",   "ALL_PROXY=",  "http_proxy=", "https_proxy=",
                                      "no_proxy=",    "all_proxy=",  "DBUS_SYSTEM_BUS_ADDRESS="};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strncmp(variable, names[i], strlen(names[i])) == 0)
      return true;
  return false;
}

/* Keeps only known variables. BUN_* above all has to go: it could load foreign code into the engine. */
static void scrub_environment(void) {
  char **kept = environ;
  for (char **variable = environ; *variable != NULL; variable++)
    if (is_kept(*variable))
      *kept++ = *variable;
  *kept = NULL;
  setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
}

void supervisor_normalise(bool service) {
  umask(022);
  setpriority(PRIO_PROCESS, 0, 0); /* a lower value may be refused, and then stays as it is */
  int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (self >= 0) {
    write_at(self, "oom_score_adj", "0");
    close(self);
  }
  if (!service) /* a service's limits were set by systemd */
    take_limits();
  scrub_environment();
  (void)change_groups(true);
}
