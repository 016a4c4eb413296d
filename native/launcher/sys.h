// System calls without a C library. A static glibc asks the processor some thirty questions at its start (CPUID), each of
// which traps in a virtual machine: 0.6 ms, as much as everything else that the launcher does. Calls give -errno.
#pragma once

#include <asm/unistd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined __x86_64__
static inline long sys6(long n, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined __aarch64__
static inline long sys6(long n, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#else
#error "the launcher knows the system calls of x86-64 and arm64"
#endif

static inline long sys4(long n, long a, long b, long c, long d) { return sys6(n, a, b, c, d, 0, 0); }
static inline long sys3(long n, long a, long b, long c) { return sys6(n, a, b, c, 0, 0, 0); }
static inline long sys1(long n, long a) { return sys6(n, a, 0, 0, 0, 0, 0); }

static inline long sys_read(int fd, void *to, size_t size) { return sys3(__NR_read, fd, (long)to, (long)size); }
static inline long sys_write(int fd, const void *from, size_t size) {
  return sys3(__NR_write, fd, (long)from, (long)size);
}
static inline long sys_ioctl(int fd, unsigned long what, void *value) {
  return sys3(__NR_ioctl, fd, (long)what, (long)value);
}

_Noreturn static inline void sys_exit(int code) {
  for (;;)
    sys1(__NR_exit_group, code);
}

// start.c
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
size_t strlen(const char *text);
bool is_equal(const char *a, const char *b);
// Whether `text` begins with `start`.
bool begins(const char *text, const char *start);
// `number` in decimal digits with NUL; room for 21 bytes.
size_t put_number(char *to, uint64_t number);
