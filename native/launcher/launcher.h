// The program that people call as `orlop`. It decides nothing: it finds the engine's socket, hands its command line to the
// engine there (src/cli/serve-command.ts), and carries streams, signals and the terminal. Where there is no engine, or one of
// another build, or the engine says that a command needs a process of its own, it becomes the full program beside it.
#pragma once

#include "sys.h"

// What is to be run, and by whom.
struct call {
  int argc;
  char **argv;
  char **envp;
  int words; // index in argv of the first word behind the global flags
};

// The kinds of frames (src/spec/command-frame.ts).
enum { UP_BEGIN = 1, UP_STDIN, UP_STDIN_END, UP_SIGNAL, UP_SIZE, UP_TAKEN, UP_STREAM_END };
enum {
  DOWN_BEGAN = 1,
  DOWN_NOT_HERE,
  DOWN_STDOUT,
  DOWN_STDERR,
  DOWN_EXIT,
  DOWN_READ,
  DOWN_RAW,
  DOWN_RESTORE,
  DOWN_CATCH,
  DOWN_WATCH_SIZE,
  DOWN_RESUMABLE,
  DOWN_STREAM
};

#define HEAD_BYTES 5u
#define WINDOW_BYTES (256u << 10)
#define PIECE_BYTES (64u << 10)
// What `begin` may have; a longer command line or environment is the full program's.
#define BEGIN_BYTES (1u << 20)
#define RESUMABLE_BYTES (16u << 10)

// What came from the engine and is not acted on yet. Output never has more under way than its window, so there is always room.
#define IN_BYTES (WINDOW_BYTES + PIECE_BYTES)
// One piece of input, and the small frames beside it.
#define OUT_BYTES (HEAD_BYTES + PIECE_BYTES + (4u << 10))

struct session {
  struct call *call;
  const char *path; // the engine's socket
  int socket;       // -1: the engine is lost
  uint8_t in[IN_BYTES];
  size_t in_done, in_seen, in_end; // acted on; looked at; received
  uint8_t out[OUT_BYTES];
  size_t out_sent, out_end;
  uint64_t written[3]; // to standard output (1) and error (2)
  size_t untold;       // written, and the engine does not know yet
  uint32_t may_read;   // so much of standard input the engine takes
  bool input_ended;
  bool began;
  int failure; // exit code where the engine is lost
  int blocked; // the descriptor that takes no more output just now, or -1
  size_t resumable_size;
  char resumable[RESUMABLE_BYTES + 1];
};

// main.c
_Noreturn void launch(struct call *call);

// address.c: the engine's socket, from flags and environment. false: the full program knows better.
bool find_socket(struct call *call, char path[static 108]);
// An environment variable's value; "" without it.
const char *variable(const struct call *call, const char *name);

// request.c: connects and hands the command over. The descriptor; -1 when nothing was begun. What came behind the answer's
// head is in `session`.
int hand_over(struct session *session);
int connect_to(const char *path);
bool send_all(int socket, const uint8_t *bytes, size_t size);
// The end of the answer's head in what was received; 0 when it is not there yet.
size_t end_of_head(const uint8_t *bytes, size_t size);

// program.c: becomes the full program; with a session, to go on with it.
_Noreturn void become_program(const struct call *call, const struct session *lost);

// session.c: until the command has ended.
_Noreturn void follow(struct session *session);
// A frame for the engine; false when there is no room for it just now.
bool send_frame(struct session *session, uint8_t kind, const void *payload, size_t size);

// Gives standard output or error what it takes, and counts it; how much that was. Does not come back where it can take nothing
// any more.
size_t give_or_leave(struct session *session, int fd, const uint8_t *bytes, size_t size);

// stream.c: a connection of the command's own. `open_stream` takes what DOWN_STREAM says.
#define STREAM_FDS 3
struct pollfd;
void open_stream(struct session *session, const uint8_t *payload, size_t size);
bool stream_is_open(void);
void wait_for_stream(struct pollfd *fds);
void act_on_stream(struct session *session, const struct pollfd *fds);
// Once, when all that came was passed on. taken_over: it was the exec's; else the request was answered otherwise.
bool stream_has_ended(bool *taken_over);

// output.c: gives standard output or error what it takes; -EAGAIN when it takes nothing just now.
long give_output(int fd, const uint8_t *bytes, size_t size);

// terminal.c
bool is_terminal(int fd);
// Rows and columns of the terminal on standard output; zero where it is none.
void terminal_size(uint16_t size[static 2]);
void enter_raw(void);
void restore_terminal(void);
bool is_raw(void);
void raw_again(void);

// signals.c: what happens to a signal that came is decided between two waits, in `take_signals`.
void ignore_broken_pipes(void);
// As they were when we started.
void restore_signals(void);
void catch_signals(const uint8_t *numbers, size_t count);
void watch_size(void);
// Which signals are ours to catch follows from the above and from the terminal.
void update_signals(void);
void take_signals(struct session *session);
// ppoll(2) with signals let in.
void wait_for(struct pollfd *fds, unsigned count);

// A line on standard error, of parts; the last is NULL.
void complain(const char *const *parts);
