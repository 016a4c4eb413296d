/* An idle monitor keeps a few pages: the pages of its buffers and of the program itself are given back to the kernel. */
#define _GNU_SOURCE
#include <link.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor.h"

/* Where the program's own unchanging pages are mapped; found once, because looking would map more of them. */
static struct span program_parts[4];
static int program_part_count;

static int find_program(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size, (void)unused;
  for (int i = 0; i < info->dlpi_phnum && program_part_count < 4; i++) {
    const ElfW(Phdr) *part = &info->dlpi_phdr[i];
    uintptr_t start = (uintptr_t)(info->dlpi_addr + part->p_vaddr) & ~(uintptr_t)4095;
    if (part->p_type == PT_LOAD && (part->p_flags & PF_W) == 0)
      program_parts[program_part_count++] = (struct span){(uint8_t *)start, part->p_memsz};
  }
  return 1;
}

void monitor_find_program(void) { dl_iterate_phdr(find_program, NULL); }

void monitor_trim(void) {
  madvise(burst_buffer, sizeof burst_buffer, MADV_DONTNEED);
  madvise(batch_buffer, sizeof batch_buffer, MADV_DONTNEED);
  if (monitor.input_size == 0)
    madvise(input_buffer, sizeof input_buffer, MADV_DONTNEED);
  attach_trim();
  monitor.touched = 0;
}

/* Waits with the program's own pages given back: the kernel maps them again from the one sealed copy, 64 KiB around each address
 * that is touched. So the calls between madvise and the wait touch only two addresses: this function and syscall(). */
int monitor_wait_unmapped(struct epoll_event *events, int most, int timeout) {
  int epoll = monitor.epoll;
  for (int i = 0; i < program_part_count; i++)
    syscall(SYS_madvise, program_parts[i].at, program_parts[i].size, MADV_DONTNEED);
  return (int)syscall(SYS_epoll_pwait, epoll, events, most, timeout, NULL, 8);
}
