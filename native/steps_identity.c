/* The program's user, groups, capabilities and seccomp filter. By raw system calls: glibc's wrappers would synchronise threads, and
 * there is only one. */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "steps.h"

enum { GROUPS_MAX = 65536 /* NGROUPS_MAX of the kernel */ };

/* mask: 1 << CAP_* of the capabilities that stay. EINVAL: this kernel has no more capabilities. */
int step_bounding(struct task *task, union argument *arg) {
  (void)task;
  for (unsigned capability = 0; capability < 64; capability++) {
    if ((arg[0].n >> capability & 1) != 0)
      continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
      return errno == EINVAL ? 0 : -1;
  }
  return 0;
}

/* uid, gid; groups: decimal. Permitted capabilities are kept (PR_SET_KEEPCAPS) until `capabilities` sets them. */
int step_user(struct task *task, union argument *arg) {
  static gid_t groups[GROUPS_MAX];
  size_t count = arg[2].l.count;
  if (count > GROUPS_MAX)
    return fail(task, E2BIG, "%zu groups", count);
  for (size_t i = 0; i < count; i++) {
    char *end;
    errno = 0;
    unsigned long group = strtoul(arg[2].l.at[i], &end, 10);
    if (errno != 0 || *end != 0 || end == arg[2].l.at[i] || group >= UINT32_MAX)
      return fail(task, EINVAL, "group %s", arg[2].l.at[i]);
    groups[i] = (gid_t)group;
  }
  if (syscall(SYS_setgroups, count, groups) < 0)
    return fail(task, errno, "setgroups");
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
    return -1;
  gid_t gid = (gid_t)arg[1].n;
  uid_t uid = (uid_t)arg[0].n;
  if (syscall(SYS_setresgid, gid, gid, gid) < 0)
    return fail(task, errno, "gid %u", gid);
  if (syscall(SYS_setresuid, uid, uid, uid) < 0)
    return fail(task, errno, "uid %u", uid);
  return 0;
}

static int raise_ambient(uint64_t mask) {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
    return -1;
  for (unsigned capability = 0; capability < 64; capability++)
    if ((mask >> capability & 1) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
      return -1;
  return 0;
}

/* effective, permitted, inheritable, ambient: 1 << CAP_*. */
int step_capabilities(struct task *task, union argument *arg) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  for (int half = 0; half < 2; half++) {
    data[half].effective = (uint32_t)(arg[0].n >> 32 * half);
    data[half].permitted = (uint32_t)(arg[1].n >> 32 * half);
    data[half].inheritable = (uint32_t)(arg[2].n >> 32 * half);
  }
  if (syscall(SYS_capset, &header, data) < 0)
    return fail(task, errno, "capset");
  return raise_ambient(arg[3].n) < 0 ? fail(task, errno, "ambient capabilities") : 0;
}

int step_no_new_privileges(struct task *task, union argument *arg) {
  (void)task;
  (void)arg;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* flags: SECCOMP_FILTER_FLAG_*; program: an array of struct sock_filter. */
int step_seccomp(struct task *task, union argument *arg) {
  size_t count = arg[1].b.size / sizeof(struct sock_filter);
  if (count == 0 || count > BPF_MAXINSNS)
    return fail(task, EINVAL, "a filter of %zu instructions", count);
  struct sock_fprog program = {.len = (unsigned short)count, .filter = (struct sock_filter *)(void *)arg[1].b.at};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned)arg[0].n, &program) == 0 ? 0 : -1;
}
