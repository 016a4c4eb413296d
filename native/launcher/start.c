// Where the kernel begins, and the few functions that a compiler or everybody expects.
#include "launcher.h"

#if defined __x86_64__
__asm__(".text\n.globl _start\n_start:\n xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call start\n hlt\n");
#elif defined __aarch64__
__asm__(".text\n.globl _start\n_start:\n mov x29, #0\n mov x30, #0\n mov x0, sp\n bl start\n brk #0\n");
#endif

// The stack that execve(2) leaves: argc, argv, NULL, envp, NULL.
_Noreturn __attribute__((used)) void start(long *stack) {
  struct call call = {.argc = (int)stack[0], .argv = (char **)(stack + 1)};
  call.envp = call.argv + call.argc + 1;
  launch(&call);
}

// No loop here may become a call of the function that it is in.
#define PLAIN __attribute__((used, optimize("no-tree-loop-distribute-patterns")))

PLAIN void *memcpy(void *to, const void *from, size_t size) {
#if defined __x86_64__
  void *at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
#else
  for (size_t i = 0; i < size; i++)
    ((char *)to)[i] = ((const char *)from)[i];
#endif
  return to;
}

PLAIN void *memmove(void *to, const void *from, size_t size) {
  if ((uintptr_t)to <= (uintptr_t)from)
    return memcpy(to, from, size);
  while (size-- > 0)
    ((char *)to)[size] = ((const char *)from)[size];
  return to;
}

PLAIN void *memset(void *to, int byte, size_t size) {
  for (size_t i = 0; i < size; i++)
    ((char *)to)[i] = (char)byte;
  return to;
}

PLAIN size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0)
    length++;
  return length;
}

bool is_equal(const char *a, const char *b) {
  while (*a != 0 && *a == *b)
    a++, b++;
  return *a == *b;
}

bool begins(const char *text, const char *start) {
  while (*start != 0)
    if (*text++ != *start++)
      return false;
  return true;
}

size_t put_number(char *to, uint64_t number) {
  char digits[20];
  size_t count = 0;
  do
    digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  for (size_t i = 0; i < count; i++)
    to[i] = digits[count - 1 - i];
  to[count] = 0;
  return count;
}
