/* Asks the kernel what this process may do: one line per fact, "NAME: ANSWER". The arguments of each call are such that
 * nothing happens where it is allowed: what tells is the errno (EPERM: refused before the arguments were looked at). */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
  const char *name;
  long number;
  long arg[5];
} calls[] = {
    {"acct", SYS_acct, {-1}},
    {"add_key", SYS_add_key, {0, 0, 0, 0, 0}},
    {"bpf", SYS_bpf, {-1, 0, 0}},
    {"clock_settime", SYS_clock_settime, {-1, 0}},
    {"clone3", SYS_clone3, {0, 0}},
    {"delete_module", SYS_delete_module, {0, 0}},
    {"fanotify_init", SYS_fanotify_init, {-1, 0}},
    {"fsopen", SYS_fsopen, {0, 0}},
    {"get_mempolicy", SYS_get_mempolicy, {0, 0, 0, 0, -1}},
    {"init_module", SYS_init_module, {0, 0, 0}},
    {"io_uring_setup", SYS_io_uring_setup, {0, 0}},
#ifdef SYS_ioperm
    {"ioperm", SYS_ioperm, {-1, -1, 1}},
    {"iopl", SYS_iopl, {4}},
#endif
    {"kcmp", SYS_kcmp, {1, 1, -1, 0, 0}},
    {"kexec_load", SYS_kexec_load, {0, 0, 0, -1}},
    {"keyctl", SYS_keyctl, {-1}},
    {"lookup_dcookie", 212, {0, 0, 0}},
    {"mbind", SYS_mbind, {0, 0, -1, 0, 0}},
    {"mount", SYS_mount, {0, 0, 0, 0, 0}},
    {"mount_setattr", SYS_mount_setattr, {-1, 0, 0, 0, 0}},
    {"move_mount", SYS_move_mount, {-1, 0, -1, 0, -1}},
    {"name_to_handle_at", SYS_name_to_handle_at, {-1, 0, 0, 0, 0}},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1, 0, 0}},
    {"open_tree", SYS_open_tree, {-1, 0, -1}},
    {"perf_event_open", SYS_perf_event_open, {0, 0, 0, 0, -1}},
    {"personality", SYS_personality, {0x0bad0000}},
    {"pidfd_getfd", SYS_pidfd_getfd, {-1, 0, 0}},
    {"pivot_root", SYS_pivot_root, {0, 0}},
    {"process_vm_readv", SYS_process_vm_readv, {1, 0, 0, 0, 0}},
    {"ptrace", SYS_ptrace, {-1, 0, 0, 0}},
    {"quotactl", SYS_quotactl, {-1, 0, 0, 0}},
    {"reboot", SYS_reboot, {0, 0, 0, 0}},
    {"request_key", SYS_request_key, {0, 0, 0, 0}},
    {"setdomainname", SYS_setdomainname, {0, -1}},
    {"sethostname", SYS_sethostname, {0, -1}},
    {"setns", SYS_setns, {-1, 0}},
    {"settimeofday", SYS_settimeofday, {0, 0}},
    {"swapon", SYS_swapon, {0, 0}},
    {"syslog", SYS_syslog, {-1, 0, 0}},
    {"umount2", SYS_umount2, {0, -1}},
    {"unshare user", SYS_unshare, {CLONE_NEWUSER}},
    {"unshare mount", SYS_unshare, {CLONE_NEWNS}},
    {"userfaultfd", SYS_userfaultfd, {-1}},
    {"vhangup", SYS_vhangup, {0}},
    {"unknown call 999", 999, {0}},
};

int main(void) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    const long *arg = calls[i].arg;
    errno = 0;
    const long result = syscall(calls[i].number, arg[0], arg[1], arg[2], arg[3], arg[4]);
    printf("call %s: %s\n", calls[i].name, result < 0 ? strerrorname_np(errno) : "carried out");
  }
  printf("socket families:");
  for (int family = 0; family < AF_MAX; family++) {
    const int fd = socket(family, SOCK_RAW, 0);
    if (fd >= 0 || (errno != EAFNOSUPPORT && errno != EPERM))
      printf(" %d", family);
    if (fd >= 0)
      close(fd);
  }
  /* The family is an int to the kernel: what is above its 32 bits must not hide it from a filter. */
  const long wide = syscall(SYS_socket, 0x100000028, SOCK_STREAM, 0);
  printf("\nsocket AF_VSOCK with a bit above: %s\n", wide < 0 ? strerrorname_np(errno) : "opened");
  const long own = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
  printf("session keyring: %s\n", own < 0 ? strerrorname_np(errno) : "readable");
  return 0;
}
