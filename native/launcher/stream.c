// A connection of the command's own, to the streams of an exec. The engine says what to ask for over it, and gives it away to the
// exec's monitor (native/given.c): what is read and typed then passes through no engine, and goes on when the engine is killed.
#include "launcher.h"
#include <asm/errno.h>
#include <asm/poll.h>

#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#define SHUT_WR 1
// Of a frame of output: stream, three zeros, size (big-endian).
#define FRAME_HEAD_BYTES 8u

enum { RAW = 1, INPUT = 2 };

static struct {
  int fd; // 0: none; ours is never 0
  uint8_t flags;
  bool taken_over; // the answer's head came
  bool ended;
  int output;    // where the frame that has begun goes
  uint32_t left; // of that frame
  int blocked;   // the output that takes no more just now, or 0
  uint8_t in[PIECE_BYTES];
  size_t in_done, in_end;
  bool input_ended;
  uint8_t out[PIECE_BYTES];
  size_t out_sent, out_end;
} stream;

bool stream_is_open(void) { return stream.fd > 0; }

void open_stream(struct session *s, const uint8_t *payload, size_t size) {
  int fd = size > 0 && stream.fd == 0 ? connect_to(s->path) : -1;
  if (fd >= 0 && !send_all(fd, payload + 1, size - 1)) {
    sys1(__NR_close, fd);
    fd = -1;
  }
  stream.flags = size > 0 ? payload[0] : 0;
  stream.fd = fd;
  stream.ended = fd < 0; // the engine is told, or is gone
}

// The answer's head is cut off what came; false while it is not whole, or where it is another answer: nothing was begun then.
static bool pass_head(void) {
  size_t end = end_of_head(stream.in, stream.in_end);
  if (end == 0) {
    stream.ended |= stream.in_end == sizeof stream.in;
    return false;
  }
  stream.taken_over = begins((const char *)stream.in, "HTTP/1.1 101 ");
  stream.ended |= !stream.taken_over;
  stream.in_done = end;
  return stream.taken_over;
}

static uint32_t big_endian(const uint8_t *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

// What came goes to the outputs, until one takes no more or a frame's head is not whole.
static void pass_on(struct session *s) {
  stream.blocked = 0;
  if (!stream.taken_over && !pass_head())
    return;
  while (stream.in_done < stream.in_end) {
    const uint8_t *at = stream.in + stream.in_done;
    size_t came = stream.in_end - stream.in_done;
    if ((stream.flags & RAW) != 0) {
      stream.output = 1;
      stream.left = (uint32_t)came;
    } else if (stream.left == 0) {
      if (came < FRAME_HEAD_BYTES)
        return;
      stream.output = at[0] >= 2 ? 2 : 1;
      stream.left = big_endian(at + 4);
      stream.in_done += FRAME_HEAD_BYTES;
      continue;
    }
    size_t size = stream.left < came ? stream.left : came;
    size_t gave = give_or_leave(s, stream.output, at, size);
    stream.in_done += gave;
    stream.left -= (uint32_t)gave;
    if (gave < size) {
      stream.blocked = stream.output;
      return;
    }
  }
}

static bool has_all(void) { return stream.ended && (stream.in_done == stream.in_end || !stream.taken_over || stream.blocked == 0); }

static void receive(void) {
  memmove(stream.in, stream.in + stream.in_done, stream.in_end - stream.in_done);
  stream.in_end -= stream.in_done;
  stream.in_done = 0;
  long got = sys_read(stream.fd, stream.in + stream.in_end, sizeof stream.in - stream.in_end);
  if (got > 0)
    stream.in_end += (size_t)got;
  else if (got != -EINTR && got != -EAGAIN)
    stream.ended = true;
}

static void transmit(void) {
  long sent = sys6(__NR_sendto, stream.fd, (long)(stream.out + stream.out_sent), (long)(stream.out_end - stream.out_sent),
                   MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
  if (sent > 0)
    stream.out_sent += (size_t)sent;
  else if (sent != -EAGAIN && sent != -EINTR)
    stream.out_sent = stream.out_end; // it is over; reading says so
}

static void read_input(void) {
  long got = sys_read(0, stream.out, sizeof stream.out);
  if (got == -EINTR || got == -EAGAIN)
    return;
  stream.out_sent = 0;
  stream.out_end = got > 0 ? (size_t)got : 0;
  stream.input_ended = got <= 0;
  if (stream.input_ended)
    sys3(__NR_shutdown, stream.fd, SHUT_WR, 0);
}

void wait_for_stream(struct pollfd *fds) {
  bool sends = stream.out_sent < stream.out_end;
  bool reads = stream.taken_over && (stream.flags & INPUT) != 0 && !stream.input_ended && !sends;
  bool has_room = !stream.ended && stream.blocked == 0;
  bool open = stream.fd > 0 && !stream.ended;
  fds[0] = (struct pollfd){.fd = open && (has_room || sends) ? stream.fd : -1,
                           .events = (short)((has_room ? POLLIN : 0) | (sends ? POLLOUT : 0))};
  fds[1] = (struct pollfd){.fd = open && reads ? 0 : -1, .events = POLLIN};
  fds[2] = (struct pollfd){.fd = stream.blocked > 0 ? stream.blocked : -1, .events = POLLOUT};
}

void act_on_stream(struct session *s, const struct pollfd *fds) {
  if ((fds[0].revents & POLLOUT) != 0)
    transmit();
  if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && stream.blocked == 0)
    receive();
  pass_on(s);
  if (fds[1].revents != 0 && stream.out_sent == stream.out_end)
    read_input();
}

bool stream_has_ended(bool *taken_over) {
  if (stream.fd == 0 || !has_all())
    return false;
  if (stream.fd > 0)
    sys1(__NR_close, stream.fd);
  *taken_over = stream.taken_over;
  stream.fd = 0;
  stream.ended = stream.taken_over = false;
  stream.in_done = stream.in_end = 0;
  return true;
}
