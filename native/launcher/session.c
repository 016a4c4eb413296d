// The conversation: frames from the engine are acted on in their order, all but `read`, which may not wait behind output that
// somebody does not take.
#include "launcher.h"
#include <asm/errno.h>
#include <asm/poll.h>

#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#define BROKEN_PIPE_CODE (128 + 13)

_Noreturn static void leave(int code) {
  restore_terminal();
  sys_exit(code);
}

bool send_frame(struct session *s, uint8_t kind, const void *payload, size_t size) {
  if (s->out_sent == s->out_end)
    s->out_sent = s->out_end = 0;
  if (s->out_end + HEAD_BYTES + size > OUT_BYTES)
    return false;
  uint32_t length = (uint32_t)size;
  s->out[s->out_end] = kind;
  memcpy(s->out + s->out_end + 1, &length, sizeof length);
  memcpy(s->out + s->out_end + HEAD_BYTES, payload, size);
  s->out_end += HEAD_BYTES + size;
  return true;
}

static uint32_t count_of(const uint8_t *bytes) {
  uint32_t count;
  memcpy(&count, bytes, sizeof count);
  return count;
}

// The size of the frame at `at`, head included; 0 when it is not whole yet.
static size_t frame_at(const struct session *s, size_t at) {
  if (s->in_end - at < HEAD_BYTES)
    return 0;
  size_t size = (size_t)HEAD_BYTES + count_of(s->in + at + 1);
  return s->in_end - at < size ? 0 : size;
}

// What may not wait: how much more input the engine takes.
static void look_ahead(struct session *s) {
  for (size_t size; (size = frame_at(s, s->in_seen)) > 0; s->in_seen += size)
    if (s->in[s->in_seen] == DOWN_READ && size == HEAD_BYTES + 4)
      s->may_read += count_of(s->in + s->in_seen + HEAD_BYTES);
}

static void tell_taken(struct session *s, size_t least) {
  uint32_t count = (uint32_t)s->untold;
  if (s->untold >= least && send_frame(s, UP_TAKEN, &count, sizeof count))
    s->untold = 0;
}

size_t give_or_leave(struct session *s, int fd, const uint8_t *bytes, size_t size) {
  long gave = size == 0 ? 0 : give_output(fd, bytes, size);
  if (gave == -EAGAIN || gave == -EINTR)
    return 0;
  if (gave == -EPIPE)
    leave(BROKEN_PIPE_CODE);
  if (gave < 0) {
    char number[21];
    put_number(number, (uint64_t)-gave);
    complain((const char *const[]){"orlop: cannot write the output (errno ", number, ")", NULL});
    leave(s->failure);
  }
  s->written[fd] += (uint64_t)gave;
  return (size_t)gave;
}

// false while the output takes no more. What was written of the frame is cut off from its front.
static bool pass_output(struct session *s, int fd, size_t size) {
  uint8_t *frame = s->in + s->in_done;
  size_t gave = give_or_leave(s, fd, frame + HEAD_BYTES, size - HEAD_BYTES);
  s->untold += gave;
  tell_taken(s, PIECE_BYTES);
  size_t rest = size - HEAD_BYTES - gave;
  s->in_done += gave;
  if (rest > 0) { // its head moves up to what is left
    s->in[s->in_done] = (uint8_t)(fd == 1 ? DOWN_STDOUT : DOWN_STDERR);
    uint32_t length = (uint32_t)rest;
    memcpy(s->in + s->in_done + 1, &length, sizeof length);
    s->blocked = fd;
    return false;
  }
  s->in_done += HEAD_BYTES;
  return true;
}

static void keep_resumable(struct session *s, const uint8_t *text, size_t size) {
  s->resumable_size = size <= RESUMABLE_BYTES ? size : 0;
  memcpy(s->resumable, text, s->resumable_size);
  s->resumable[s->resumable_size] = 0;
}

// Acts on what came, until output has to wait or a frame is not whole.
static void act(struct session *s) {
  s->blocked = -1;
  look_ahead(s);
  for (size_t size; (size = frame_at(s, s->in_done)) > 0;) {
    const uint8_t *payload = s->in + s->in_done + HEAD_BYTES;
    size_t length = size - HEAD_BYTES;
    uint8_t kind = s->in[s->in_done];
    if (kind == DOWN_STDOUT || kind == DOWN_STDERR) {
      if (!pass_output(s, kind == DOWN_STDOUT ? 1 : 2, size))
        return;
      continue;
    }
    if (kind == DOWN_BEGAN)
      s->began = true, s->failure = length > 0 ? payload[0] : 1;
    else if (kind == DOWN_NOT_HERE) {
      restore_terminal();
      become_program(s->call, NULL);
    } else if (kind == DOWN_EXIT)
      leave(length > 0 ? payload[0] : 1);
    else if (kind == DOWN_RAW)
      enter_raw();
    else if (kind == DOWN_RESTORE)
      restore_terminal();
    else if (kind == DOWN_CATCH)
      catch_signals(payload, length);
    else if (kind == DOWN_WATCH_SIZE)
      watch_size();
    else if (kind == DOWN_RESUMABLE)
      keep_resumable(s, payload, length);
    else if (kind == DOWN_STREAM)
      open_stream(s, payload, length);
    s->in_done += size;
  }
}

// The engine is gone. What it sent is passed on; then the full program finds the next engine and goes on, where that is possible.
_Noreturn static void go_on_alone(struct session *s) {
  for (act(s); s->blocked >= 0; act(s)) {
    struct pollfd output = {.fd = s->blocked, .events = POLLOUT};
    wait_for(&output, 1);
    take_signals(s);
    s->out_sent = s->out_end = 0; // nobody reads it
  }
  if (!s->began)
    become_program(s->call, NULL);
  restore_terminal();
  if (s->resumable_size > 0)
    become_program(s->call, s);
  complain((const char *const[]){
      "orlop: the engine broke off: it ended before the command did: try again; it starts again by itself", NULL});
  leave(s->failure);
}

static void receive(struct session *s) {
  if (s->in_done > 0) {
    memmove(s->in, s->in + s->in_done, s->in_end - s->in_done);
    s->in_seen -= s->in_done;
    s->in_end -= s->in_done;
    s->in_done = 0;
  }
  long got = sys_read(s->socket, s->in + s->in_end, IN_BYTES - s->in_end);
  if (got == -EINTR || got == -EAGAIN)
    return;
  if (got > 0) {
    s->in_end += (size_t)got;
    return;
  }
  act(s);
  if (!stream_is_open())
    go_on_alone(s);
  sys1(__NR_close, s->socket); // what is left of the command goes on without the engine, until its stream ends
  s->socket = -1;
}

static void note_stream(struct session *s) {
  uint8_t taken_over;
  bool was_taken_over;
  if (s->out_end + HEAD_BYTES + 1 > OUT_BYTES || !stream_has_ended(&was_taken_over))
    return;
  if (s->socket < 0)
    go_on_alone(s);
  taken_over = was_taken_over;
  send_frame(s, UP_STREAM_END, &taken_over, 1);
}

static void transmit(struct session *s) {
  long sent = sys6(__NR_sendto, s->socket, (long)(s->out + s->out_sent), (long)(s->out_end - s->out_sent),
                   MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
  if (sent > 0)
    s->out_sent += (size_t)sent;
  else if (sent != -EAGAIN && sent != -EINTR)
    s->out_sent = s->out_end; // it is gone; reading says so, after what it sent before
}

// Standard input, a piece at a time, when the piece before it is on its way.
static void read_input(struct session *s) {
  uint32_t most = s->may_read < PIECE_BYTES ? s->may_read : PIECE_BYTES;
  s->out_sent = s->out_end = 0;
  long got = sys_read(0, s->out + HEAD_BYTES, most);
  if (got == -EINTR || got == -EAGAIN)
    return;
  s->input_ended = got <= 0;
  uint32_t size = got > 0 ? (uint32_t)got : 0;
  s->may_read -= size;
  s->out[0] = got > 0 ? UP_STDIN : UP_STDIN_END;
  memcpy(s->out + 1, &size, sizeof size);
  s->out_end = HEAD_BYTES + size;
}

_Noreturn void follow(struct session *s) {
  for (;;) {
    act(s);
    take_signals(s);
    tell_taken(s, PIECE_BYTES);
    note_stream(s);
    if (s->socket < 0)
      s->out_sent = s->out_end = 0; // nobody reads it
    bool sends = s->out_sent < s->out_end;
    bool reads = s->may_read > 0 && !s->input_ended && !sends && s->socket >= 0;
    bool has_room = s->in_end - s->in_done < IN_BYTES;
    if (!has_room && s->blocked < 0)
      go_on_alone(s); // a frame that no engine of ours sends
    struct pollfd fds[3 + STREAM_FDS] = {
        {.fd = s->socket, .events = (short)((has_room ? POLLIN : 0) | (sends ? POLLOUT : 0))},
        {.fd = reads ? 0 : -1, .events = POLLIN},
        {.fd = s->blocked, .events = POLLOUT},
    };
    wait_for_stream(fds + 3);
    if (sends)
      transmit(s);
    wait_for(fds, 3 + STREAM_FDS);
    act_on_stream(s, fds + 3);
    if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
      receive(s);
    if (fds[1].revents != 0 && s->out_sent == s->out_end)
      read_input(s);
  }
}
