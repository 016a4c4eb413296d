/* The container's standard input: clients' bytes are written to the pipe or terminal at once. What does not fit is kept, at most
 * one burst, and until that is written no client is read: a container that does not read blocks its clients, not the monitor. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "monitor.h"

uint8_t input_buffer[BURST_MAX] __attribute__((aligned(4096)));

bool input_room(void) {
  struct monitor *m = &monitor;
  bool awaited = m->stdio_flags & STDIO_TERMINAL && m->stdio_streams & STDIN_BIT && m->output[0].fd < 0;
  return m->state == EXITED || (m->input_size == 0 && !awaited);
}

void input_drop(void) {
  monitor.input_size = monitor.input_at = 0;
  source_close(&monitor.input);
}

/* Returns how many bytes were taken: all of them when nobody can read them any more. */
static size_t input_write(const uint8_t *bytes, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t written = write(monitor.input.fd, bytes + done, size - done);
    if (written > 0)
      done += (size_t)written;
    else if (written == 0 || errno == EAGAIN)
      return done;
    else if (errno != EINTR) {
      input_drop();
      return size;
    }
  }
  return done;
}

void input_take(const uint8_t *bytes, size_t size) {
  struct monitor *m = &monitor;
  if (m->input.fd < 0 || m->input_ending)
    return;
  size_t taken = input_write(bytes, size);
  if (taken == size)
    return;
  m->input_at = 0;
  m->input_size = size - taken;
  memcpy(input_buffer, bytes + taken, m->input_size);
  if (m->input_size > m->touched)
    m->touched = m->input_size;
}

void input_flush(void) {
  struct monitor *m = &monitor;
  if (m->input.fd < 0)
    return;
  size_t taken = input_write(input_buffer + m->input_at, m->input_size);
  if (m->input.fd < 0)
    return;
  m->input_at += taken;
  m->input_size -= taken;
  if (m->input_size == 0 && m->input_ending)
    input_drop();
}

void input_end(void) {
  struct monitor *m = &monitor;
  if (m->stdio_flags & STDIO_TERMINAL)
    return;
  m->input_ending = true;
  if (m->input_size == 0)
    input_drop();
}
