/* What the monitor's parts share. There is one monitor per process, so its state is static: untouched pages cost nothing, and those
 * that a burst touched are given back when the loop is idle. */
#ifndef MONITOR_H
#define MONITOR_H

#include <sys/epoll.h>
#include <time.h>

#include "orlop.h"

enum {
  BURST_MAX = 64 << 10,   /* one read: a pipe's usual capacity */
  LINE_BYTES = 16 << 10,  /* a longer line becomes several records, as Docker cuts it */
  RECORD_MAX = 6 * LINE_BYTES + 512, /* json-file: each byte may become \u00xx */
  BATCH_MAX = 128 << 10,  /* bytes of records that are written with one write(2) */
  PEERS_MAX = 64,
  KEYS_MAX = 64,          /* detach keys */
  ATTRIBUTES_MAX = 16 << 10, /* bytes; with the longest record they fit into a batch */
  RING_LEAST = 1 << 20,    /* bytes of a nonblocking log's ring: several batches */
  RING_MOST = 1 << 30,
  LINGER_MS = 10 * 1000,  /* a reader that takes nothing for this long after the exit is dropped */
};

enum { STDIN_BIT = 1, STDOUT_BIT = 2, STDERR_BIT = 4 };
/* Of an attached client: it wants frames with a terminal, and raw bytes without, the reverse of the default. */
enum { TURNED_BIT = 8, CLIENT_BITS = 15 };
enum { STDIO_KEEP_STDIN = 1, STDIO_TERMINAL = 2 };

/* ── the loop's sources (monitor_source.c) ──────────────────────────────────────────────────────────────────────────── */

enum source_kind { SOURCE_CHANNEL = 1, SOURCE_PIDFD, SOURCE_LISTENER, SOURCE_OUTPUT, SOURCE_INPUT, SOURCE_PEER, SOURCE_WRITER, SOURCE_OOM };

/* A descriptor in the epoll set. armed: the events asked for, or NOT_ARMED. */
enum { NOT_ARMED = -1 };
struct source { int fd, armed; uint16_t kind, index; };

void source_clear(struct source *source, enum source_kind kind, uint16_t index);
/* Asks for these events; NOT_ARMED removes it from the set, so that not even a hang-up is reported. */
void source_arm(struct source *source, int events);
/* Removes it from the set, closes it, and sets fd to -1. */
void source_close(struct source *source);
/* Closes and removes the listening socket. */
void monitor_stop_listening(void);

/* ── the log (log.c, log_file.c, log_json.c, log_local.c) ───────────────────────────────────────────────────────────── */

/* The pieces of a line that did not fit one record (Docker's PartialLogMetaData). */
struct partial { char id[65]; uint32_t ordinal; struct timespec time; };

struct record {
  const char *stream;      /* "stdout" or "stderr" */
  struct timespec time;
  const uint8_t *line;
  size_t size;
  const struct partial *partial; /* NULL: a whole line */
  bool last;               /* the piece that ends the line */
  struct span attributes;  /* json-file: what stands between stream and time */
};

/* Encode a record of at most RECORD_MAX bytes, and return its size. */
typedef size_t record_encoder(uint8_t *out, const struct record *record);
record_encoder encode_json_record, encode_local_record;

/* How many bytes at a file's beginning are whole records; the rest was left by a killed monitor. */
typedef size_t record_measure(const uint8_t *file, size_t size);
record_measure measure_json_file, measure_local_file;

/* The size of a notice ("orlop: N log records were lost"), at most. */
enum { NOTICE_MAX = 1024 };

enum { LOG_NAME_MAX = 200, NUMBERED_NAME_MAX = LOG_NAME_MAX + 12 };

struct log_file {
  int dir, fd;
  char name[LOG_NAME_MAX];
  uint64_t size, max_size, rotate_at;
  uint64_t reserved;       /* up to which offset disk space is allocated to the file */
  uint32_t max_files;
  bool created;            /* by this monitor, so that a failed start removes it */
  record_measure *measure;
};

int log_file_open(struct log_file *file, const char *path);
/* Appends these bytes, whole records, or nothing: -1 with errno. Leaves allocated space for a last notice. */
int log_file_append(struct log_file *file, const uint8_t *bytes, size_t size);
/* As log_file_append; the last notice may use the space that is kept for it. */
int log_file_notice(struct log_file *file, const uint8_t *bytes, size_t size, bool last);
/* Nothing more will be written: frees the space that was allocated in advance. */
void log_file_finish(struct log_file *file);
/* file → file.1 → file.2 …; the last one is removed. On failure the old file stays in use. */
int log_file_rotate(struct log_file *file);
void log_file_abandon(struct log_file *file);

/* Of stdout or stderr: the beginning of a line whose end has not come yet. cut: pieces of it are records already. */
struct line_buffer { uint32_t used; struct partial partial; bool cut; };

struct log {
  bool on, nonblocking;
  bool rotate_next;        /* nonblocking: the next batch begins a new file */
  bool finished;           /* no more output */
  uint8_t last_notices;    /* how often the last notice was tried since then */
  struct source writer;    /* nonblocking: the socket of the process that writes */
  struct log_file file;    /* nonblocking: its size once the ring is written */
  record_encoder *encode;
  struct span attributes;
  size_t ring_bytes;
  struct line_buffer line[2];
  size_t batch_size;
  uint32_t batch_records;
  uint64_t lost;           /* records that the disk refused, and no notice tells of yet */
  int lost_errno;
};

/* Takes output of a stream (1 stdout, 2 stderr). Whole lines become records, which log_flush writes. */
void log_take(int stream, const uint8_t *bytes, size_t size);
void log_flush(void);
/* No more output: an unfinished line becomes a record without newline. */
void log_finish(void);
/* Whether the ring still has records that are not in the file (nonblocking logs only). */
bool log_behind(void);
/* The log writer wrote something, or is gone. */
void log_catch_up(void);
/* Output that was taken and is not in the file: the unfinished line. */
struct span log_unfinished(int stream);
/* Where the log ends now; 0, 0 without one. */
void log_position(uint64_t *inode, uint64_t *offset);

enum batch_kind { RECORDS, NOTICE, LAST_NOTICE };

/* Bytes that are written to the file together. records: for a notice, the number that it tells. */
struct batch { uint32_t size, records; bool rotate; uint8_t kind; };

/* log_writer.c: the process behind a nonblocking log. */
int log_writer_start(struct log *log);
bool log_writer_room(const struct log *log, size_t size);
/* false: no room, nothing was taken. */
bool log_writer_put(struct log *log, uint8_t *bytes, const struct batch *batch);
bool log_writer_behind(const struct log *log);
/* Takes over the log writer's count of lost records. */
void log_writer_ready(struct log *log);
void log_writer_position(uint64_t *inode, uint64_t *offset);

/* ── connections (control.c, attach.c) ──────────────────────────────────────────────────────────────────────────────── */

enum peer_role { PEER_NEW = 0, PEER_CONTROL, PEER_ATTACH };

struct peer {
  struct source source;    /* fd -1: a free place */
  enum peer_role role;
  bool greeted;            /* HELLO came */
  bool engine;             /* the connection that brought the plan: without it there is no start */
  bool log_watched, log_grown;
  bool awaits_log, unfinished; /* waits until the log has all earlier output; ATTACH's flag 1 */
  bool reads, writes;      /* an attached client's directions that are still open */
  uint8_t streams;
  int passed;              /* the client's descriptor that came with CLIENT, or -1 */
  int origin;              /* of a given client: the engine's connection that brought it; else -1 */
  uint8_t keys[KEYS_MAX], keys_count, keys_matched;
  struct inbox box;
  uint8_t *pending;        /* output that the client has not taken: at most one burst; more only after the exit */
  size_t pending_at, pending_size, pending_capacity;
  int64_t progress_ms;     /* when it last took something (CLOCK_MONOTONIC) */
};

void peers_accept(void);
void peer_ready(struct peer *peer, uint32_t events);
void peer_close(struct peer *peer);
/* Sends a frame to every control connection; one that does not take it is closed. */
void control_tell(enum frame_kind kind, const void *payload, size_t size);
void control_log_grew(void);
void control_fail(const struct channel_message *message);
bool control_any(void);
/* Whether only control connections exist, at least one, and no given client. */
bool control_alone(void);
/* Ends every control connection. */
void control_leave(void);
/* Makes the connection that brought the plan a control connection; box: frames that came after END. */
void control_adopt(int conn, struct inbox *box);

/* Makes this an attached client; bytes in its inbox after ATTACH are standard input. */
void attach_begin(struct peer *peer, uint8_t streams, bool unfinished);
void attach_ready(struct peer *peer, uint32_t events);
/* The log is no longer behind: answers clients that waited for it (awaits_log). */
void attach_resume(void);
/* Frees the buffers of clients that have taken everything. */
void attach_trim(void);
void attach_forget(struct peer *peer);
/* Sends output to every client of this stream. */
void attach_send(int stream, uint8_t *bytes, size_t size);
/* Whether a client of this stream has not taken everything yet. */
bool attach_behind(int stream);
/* Arms each client's descriptor for what it may do now. */
void attach_arm(void);
/* Called at the exit: given clients see the end only after the engine has recorded it, or after LINGER_MS. */
void attach_await_engine(void);
/* After the exit: closes clients that have taken everything. Returns the ms until the next must be dropped, -1: none is left. */
int attach_linger(void);

/* given.c: makes the client of a CLIENT frame an attached client; false: the frame does not parse. */
bool given_begin(struct peer *peer, struct span payload);
/* Looks for the detach keys in input, which has KEYS_MAX free bytes in front; true: complete. *bytes becomes the program's input. */
bool given_detaches(struct peer *peer, struct span *bytes);
void origin_tell(const struct peer *peer, enum frame_kind kind, const void *payload, size_t size);
bool given_any(void);
void given_close(struct peer *peer);

/* ── stdio (stdio.c, terminal.c, input.c) ───────────────────────────────────────────────────────────────────────────── */

/* Whether clients may be read: no input is kept, and the terminal, if there is to be one, exists. */
bool input_room(void);
/* Takes one burst, only when input_room. Bytes that nobody can read any more are dropped. */
void input_take(const uint8_t *bytes, size_t size);
void input_flush(void);
/* No more input: closes the pipe after what is kept was written. A terminal has no end of input. */
void input_end(void);
void input_drop(void);

/* Takes the pty's master, which the child sent. */
void terminal_adopt(int master);
/* The terminal was hung up (vhangup(2), or its session ended): makes it readable again. */
void terminal_revive(void);
int terminal_resize(uint16_t rows, uint16_t columns);

/* ── out of memory (oom.c) ──────────────────────────────────────────────────────────────────────────────────────────── */

struct oom {
  struct source source;    /* the cgroup's file itself (is_file), or v1's eventfd; fd -1: not watched */
  int file;
  bool is_file;
  uint64_t before;         /* kills in this cgroup before the container started */
  uint32_t kills;          /* of this container's processes, as last reported */
  int wait_ms;
  int64_t look_at_ms;      /* CLOCK_MONOTONIC; 0: not planned */
};

void oom_arm(struct oom *oom);
void oom_ready(struct oom *oom);
/* Milliseconds until oom_look_again is due; -1: it is not planned. */
int oom_patience(const struct oom *oom);
void oom_look_again(struct oom *oom);
/* The container has ended: reports the last kills, and stops watching. */
void oom_finish(struct oom *oom);
void oom_close(struct oom *oom);

/* ── the exit record (record.c) ─────────────────────────────────────────────────────────────────────────────────────── */

struct exit_record { bool on, sync; int dir; char name[200]; char wake[512]; };

int exit_record_write(struct exit_record *record, int status, uint64_t ended, bool heard);
void exit_record_abandon(struct exit_record *record);
/* Asks the supervisor to start an engine. */
void exit_record_wake(const struct exit_record *record);

/* ── the monitor ────────────────────────────────────────────────────────────────────────────────────────────────────── */

enum monitor_state { WAITING = 0, RUNNING = 1, EXITED = 2 }; /* as STATUS has them */

struct monitor {
  enum monitor_state state;
  bool told;               /* EXITED was sent */
  bool unheard;            /* no engine was connected when the container ended */
  bool failed;             /* the start failed, or the engine left before it */
  struct channel_message failure; /* the child's C_FAILED; kind 0: the engine left */
  int epoll;
  struct task *task;
  pid_t pid;
  uint64_t started, ended; /* Unix time, ns */
  int status;

  struct source channel, pidfd, listener, output[2], input;
  int listen_dir;
  char listen_name[64];

  bool has_stdio;
  uint8_t stdio_streams, stdio_flags;
  int child_end[3];        /* the pipe ends that `attach-stdio` gives the child; -1: /dev/null */
  int mounts;              /* the container's mount namespace (hold_mounts); -1 */
  bool holds;              /* waits until the engine has removed the container's changes (hold_while_wanted) */
  int slave;               /* kept open, so that the master does not hang up while the container runs */
  uint16_t rows, columns;  /* of a RESIZE that came before the terminal existed */
  size_t input_at, input_size;
  bool input_ending;

  struct log log;
  struct oom oom;
  struct exit_record record;
  struct peer peer[PEERS_MAX];
  size_t touched;          /* bytes of the buffers below that were used since the last trim, at most */
  bool active;             /* there were events since the last trim */
};

extern struct monitor monitor;

/* Page-aligned, so that MADV_DONTNEED can give them back. */
extern uint8_t burst_buffer[BURST_MAX], batch_buffer[BATCH_MAX], input_buffer[BURST_MAX], line_bytes[2][LINE_BYTES];

/* The monitor of this plan; made by the first step that needs it. */
struct monitor *monitor_of(struct task *task);

/* monitor_container.c */

/* Reads once from a stream (0 stdout or the terminal, 1 stderr), and hands what came to attached clients and to the log. Returns
 * its size; 0 at the end of the stream, -1 when there is nothing to read now. */
ssize_t read_output(int index);
/* Reads one message of the report channel. Its end of file means that execve succeeded. */
void read_channel(void);
/* Init's pidfd became readable. */
void container_exited(void);
/* The process behind a nonblocking log wrote something. */
void log_written(void);
/* Keeps the container's mount namespace, so that the exit of its last process does not take the mounts apart (which may last) before
 * anybody is told of the exit. Called before the program runs, which may end at once. */
void hold_mounts(void);
/* Lets the mounts go, and then ends the control connections, which tells their engines that the mounts are gone. */
void release_mounts(void);

/* monitor_memory.c. Finds the program's mappings, once, before the first wait. */
void monitor_find_program(void);
/* Gives back the pages of buffers that bursts used. */
void monitor_trim(void);
/* As epoll_wait, with the program's own pages given back during the wait. */
int monitor_wait_unmapped(struct epoll_event *events, int most, int timeout);

#endif
