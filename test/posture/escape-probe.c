/* One attempt to reach past a container, by name. Exit code 0 and "out" when it worked; else the reason. Nothing is changed
 * where it works: what is opened is closed, what is written is what was there. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* A file handle of the root inode (2) of the file system that /etc/hosts lies on: "shocker", 2014. */
static long by_handle(void) {
  struct {
    unsigned bytes;
    int type;
    uint32_t inode, generation;
  } handle = {8, 1, 2, 0};
  const int mount = open("/etc/hosts", O_RDONLY);
  const long fd = syscall(SYS_open_by_handle_at, mount, &handle, O_RDONLY | O_DIRECTORY);
  return fd < 0 ? -1 : faccessat((int)fd, "etc", F_OK, 0);
}

static long load_program(void) {
  const struct bpf_insn insns[] = {{.code = 0xb7}, {.code = 0x95}};
  union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2};
  attr.insns = (uint64_t)(uintptr_t)insns;
  attr.license = (uint64_t)(uintptr_t) "GPL";
  return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
}

static long count_kernel(void) {
  struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_CPU_CLOCK};
  return syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);
}

/* EINVAL: the kernel looked at the arguments, so the right was there. */
static long allowed_but_invalid(long result) { return result == 0 || errno == EINVAL || errno == EFAULT ? 0 : -1; }

#ifdef __x86_64__
/* mount(2) through int 0x80, number 21: a filter that knows only 64-bit calls lets it pass. */
static long mount_by_32_bits(void) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(21), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0) : "memory", "r8", "r9", "r10", "r11");
  errno = (int)-result;
  return allowed_but_invalid(result);
}

/* socketcall(SYS_SOCKET): the family lies behind a pointer, where no filter can look. */
static long vsock_by_socketcall(void) {
  static unsigned arguments[3] = {AF_VSOCK, SOCK_STREAM, 0}; /* below 4 GiB: the program is static */
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(102), "b"(1), "c"(arguments), "d"(0), "S"(0), "D"(0) : "memory", "r8", "r9", "r10", "r11");
  errno = (int)-result;
  return result >= 0 || errno == EAFNOSUPPORT ? 0 : -1;
}
#endif

static long abstract_socket(const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const size_t length = strlen(name);
  memcpy(address.sun_path + 1, name, length);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  return connect(fd, (struct sockaddr *)&address, (socklen_t)(sizeof(sa_family_t) + 1 + length));
}

static long attempt(const char *name, const char *argument) {
  if (!strcmp(name, "handle")) return by_handle();
  if (!strcmp(name, "bpf")) return load_program();
  if (!strcmp(name, "perf")) return count_kernel();
  if (!strcmp(name, "clock")) return allowed_but_invalid(syscall(SYS_clock_settime, 0, NULL));
  if (!strcmp(name, "reboot")) return allowed_but_invalid(syscall(SYS_reboot, 0, 0, 0, NULL));
  if (!strcmp(name, "swap")) return syscall(SYS_swapon, "/nowhere", 0) == 0 || errno == ENOENT ? 0 : -1;
  if (!strcmp(name, "vsock")) return socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 || errno == EAFNOSUPPORT ? 0 : -1;
  if (!strcmp(name, "wide-vsock"))
    return syscall(SYS_socket, 0x100000028, SOCK_STREAM, 0) >= 0 || errno == EAFNOSUPPORT ? 0 : -1;
  if (!strcmp(name, "trace")) return ptrace(PTRACE_SEIZE, atoi(argument), NULL, NULL);
  if (!strcmp(name, "keys")) return syscall(SYS_keyctl, 0, -3, 0) >= 0 || errno == ENOKEY ? 0 : -1;
  if (!strcmp(name, "abstract")) return abstract_socket(argument);
#ifdef __x86_64__
  if (!strcmp(name, "mount32")) return mount_by_32_bits();
  if (!strcmp(name, "vsock32")) return vsock_by_socketcall();
#endif
  errno = ENOTSUP;
  return -1;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  if (attempt(argv[1], argc > 2 ? argv[2] : "") >= 0) {
    puts("out");
    return 0;
  }
  perror(argv[1]);
  return 1;
}
