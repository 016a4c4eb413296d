/* What the monitor's parts share. One process per container (and per exec), so there is one of it: static memory, of which
 * untouched pages cost nothing, and what a burst touched is given back when the loop is idle. */
#ifndef MONITOR_H
#define MONITOR_H

#include <sys/epoll.h>
#include <time.h>

#include "orlop.h"

enum {
  BURST_MAX = 64 << 10,   /* one read: a pipe's usual capacity */
  LINE_BYTES = 16 << 10,  /* a longer line becomes several records, as Docker cuts it */
  RECORD_MAX = 6 * LINE_BYTES + 512, /* json-file: each byte may become \u00xx */
  BATCH_MAX = 128 << 10,  /* records that are written with one write(2) */
  PEERS_MAX = 64,
  KEYS_MAX = 64,          /* that leave a program to itself, typed one after the other */
  ATTRIBUTES_MAX = 16 << 10, /* with the longest record they fit a batch */
  RING_LEAST = 1 << 20,    /* of a nonblocking log: holds several batches */
  RING_MOST = 1 << 30,
  LINGER_MS = 10 * 1000,  /* a reader that takes nothing for this long after the exit is dropped */
};

enum { STDIN_BIT = 1, STDOUT_BIT = 2, STDERR_BIT = 4 };
/* Of an attached client: it wants frames of what a terminal says, and none of what pipes do. */
enum { TURNED_BIT = 8, CLIENT_BITS = 15 };
enum { STDIO_KEEP_STDIN = 1, STDIO_TERMINAL = 2 };

/* ── the loop's sources (monitor_source.c) ───────────────────────────────────────────────────────────────────────── */

enum source_kind { SOURCE_CHANNEL = 1, SOURCE_PIDFD, SOURCE_LISTENER, SOURCE_OUTPUT, SOURCE_INPUT, SOURCE_PEER, SOURCE_WRITER, SOURCE_OOM };

/* A descriptor that epoll knows. armed: the events asked for, or NOT_ARMED. */
enum { NOT_ARMED = -1 };
struct source { int fd, armed; uint16_t kind, index; };

void source_clear(struct source *source, enum source_kind kind, uint16_t index);
/* Asks for these events; NOT_ARMED takes it out, so that not even a hang-up is reported. */
void source_arm(struct source *source, int events);
/* Takes it out, closes it, and sets fd to -1. */
void source_close(struct source *source);
/* Nobody new comes in: the socket goes. */
void monitor_stop_listening(void);

/* ── the log (log.c, log_file.c, log_json.c, log_local.c) ──────────────────────────────────────────────────────── */

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

/* Both write at most RECORD_MAX bytes, and return how many. */
typedef size_t record_encoder(uint8_t *out, const struct record *record);
record_encoder encode_json_record, encode_local_record;

/* How much of a file's beginning is whole records; the rest is what a killed monitor left. */
typedef size_t record_measure(const uint8_t *file, size_t size);
record_measure measure_json_file, measure_local_file;

/* The file records go to, and its rotation. */
/* A notice takes no more. */
enum { NOTICE_MAX = 1024 };

enum { LOG_NAME_MAX = 200, NUMBERED_NAME_MAX = LOG_NAME_MAX + 12 };

struct log_file {
  int dir, fd;
  char name[LOG_NAME_MAX];
  uint64_t size, max_size, rotate_at;
  uint64_t reserved;       /* up to where the disk's room is this file's already */
  uint32_t max_files;
  bool created;            /* by this monitor, so that a failed start removes it */
  record_measure *measure;
};

int log_file_open(struct log_file *file, const char *path);
/* Appends these bytes, whole records, or nothing of them: -1 with errno. Room for a last notice stays. */
int log_file_append(struct log_file *file, const uint8_t *bytes, size_t size);
/* As log_file_append; the last one may use the room that is kept for it. */
int log_file_notice(struct log_file *file, const uint8_t *bytes, size_t size, bool last);
/* Nothing more comes: what is reserved goes back. */
void log_file_finish(struct log_file *file);
/* file → file.1 → file.2 …; the last one goes. On failure the old file is written on. */
int log_file_rotate(struct log_file *file);
void log_file_abandon(struct log_file *file);

/* One of stdout, stderr: the beginning of a line whose end has not come yet. */
struct line_buffer { uint32_t used; struct partial partial; bool cut; };

struct log {
  bool on, nonblocking;
  bool rotate_next;        /* nonblocking: the next batch begins a new file */
  bool finished;           /* no more output */
  uint8_t last_notices;    /* so many were tried since */
  struct source writer;    /* nonblocking: the socket of the process that writes */
  struct log_file file;    /* nonblocking: as it will be once everything is written */
  record_encoder *encode;
  struct span attributes;
  size_t ring_bytes;
  struct line_buffer line[2];
  size_t batch_size;
  uint32_t batch_records;
  uint64_t lost;           /* records that the disk refused, not yet told */
  int lost_errno;
};

/* Takes bytes of a stream (1 stdout, 2 stderr); whole lines become records, which log_flush writes. */
void log_take(int stream, const uint8_t *bytes, size_t size);
void log_flush(void);
/* No more output: what has no newline yet becomes a record that says so. */
void log_finish(void);
/* Not everything that was flushed is in the file yet (nonblocking logs only). */
bool log_behind(void);
/* The process behind a nonblocking log wrote something, or is gone. */
void log_catch_up(void);
/* What was taken and is not in the file: the unfinished line. */
struct span log_unfinished(int stream);
/* Where the log ends now; 0, 0 without one. */
void log_position(uint64_t *inode, uint64_t *offset);

enum batch_kind { RECORDS, NOTICE, LAST_NOTICE };

/* What goes to the file at once. A notice stands for as many records as it counts. */
struct batch { uint32_t size, records; bool rotate; uint8_t kind; };

/* log_writer.c: the process behind a nonblocking log. */
int log_writer_start(struct log *log);
bool log_writer_room(const struct log *log, size_t size);
/* false: no room, nothing was taken. */
bool log_writer_put(struct log *log, uint8_t *bytes, const struct batch *batch);
bool log_writer_behind(const struct log *log);
/* Takes over what it says about lost records. */
void log_writer_ready(struct log *log);
void log_writer_position(uint64_t *inode, uint64_t *offset);

/* ── connections (control.c, attach.c) ─────────────────────────────────────────────────────────────────────────── */

enum peer_role { PEER_NEW = 0, PEER_CONTROL, PEER_ATTACH };

struct peer {
  struct source source;    /* fd -1: a free place */
  enum peer_role role;
  bool greeted;            /* HELLO came */
  bool engine;             /* the connection that brought the plan: without it there is no start */
  bool log_watched, log_grown;
  bool awaits_log, unfinished; /* an attached client whose beginning is not in the file yet; ATTACH's flag */
  bool reads, writes;      /* an attached client's directions that are still open */
  uint8_t streams;
  int passed;              /* the descriptor that came with its greeting, or -1 */
  int origin;              /* whose client this was: the engine's connection; -1: it came by itself */
  uint8_t keys[KEYS_MAX], keys_count, keys_matched;
  struct inbox box;
  uint8_t *pending;        /* what the client has not taken: at most one burst; more only after the exit */
  size_t pending_at, pending_size, pending_capacity;
  int64_t progress_ms;     /* when it last took something (CLOCK_MONOTONIC) */
};

void peers_accept(void);
void peer_ready(struct peer *peer, uint32_t events);
void peer_close(struct peer *peer);
/* To every control connection; one that does not take it is closed. */
void control_tell(enum frame_kind kind, const void *payload, size_t size);
void control_log_grew(void);
void control_fail(const struct channel_message *message);
bool control_any(void);
/* Nobody else is connected, and nobody's client is ours. */
bool control_alone(void);
/* Ends every control connection. */
void control_leave(void);
/* Handles what the engine sent behind its plan. */
void control_adopt(int conn, struct inbox *box);

/* This connection carries stdio from here on; what its inbox has behind ATTACH is standard input. */
void attach_begin(struct peer *peer, uint8_t streams, bool unfinished);
void attach_ready(struct peer *peer, uint32_t events);
/* The log is no longer behind: answers the clients that waited for it. */
void attach_resume(void);
/* Gives back the buffers of clients that have everything. */
void attach_trim(void);
void attach_forget(struct peer *peer);
/* Hands a burst to every client of this stream. */
void attach_send(int stream, uint8_t *bytes, size_t size);
/* A client of this stream has not taken everything yet. */
bool attach_behind(int stream);
/* Arms each client for what it may do now. */
void attach_arm(void);
/* The container has ended, which the engine shall have noted before a client that it gave away sees the end. */
void attach_await_engine(void);
/* After the exit: closes who has everything; milliseconds until the next one has to go, -1 when none is left. */
int attach_linger(void);

/* given.c: a client's connection that came over the engine's (CLIENT); false: the frame does not parse. */
bool given_begin(struct peer *peer, struct span payload);
/* Looks for the keys in what the client typed, behind KEYS_MAX free bytes; leaves what is the program's. */
bool given_detaches(struct peer *peer, struct span *bytes);
void origin_tell(const struct peer *peer, enum frame_kind kind, const void *payload, size_t size);
bool given_any(void);
void given_close(struct peer *peer);

/* ── stdio (stdio.c, terminal.c, input.c) ──────────────────────────────────────────────────────────────────────── */

/* Clients may be read: nothing is buffered, and the terminal, if there is to be one, has come. */
bool input_room(void);
/* Takes one burst, only after input_room. Bytes that nobody can read any more are dropped. */
void input_take(const uint8_t *bytes, size_t size);
void input_flush(void);
/* No more input; what is buffered still goes. A terminal has no end of input. */
void input_end(void);
void input_drop(void);

/* The pty's master came from the child. */
void terminal_adopt(int master);
/* The terminal was hung up (vhangup(2), or its session ended): makes it readable again. */
void terminal_revive(void);
int terminal_resize(uint16_t rows, uint16_t columns);

/* ── memory that ran out (oom.c) ───────────────────────────────────────────────────────────────────────────────── */

struct oom {
  struct source source;    /* the group's file itself (is_file), or v1's eventfd; fd -1: nothing is watched */
  int file;
  bool is_file;
  uint64_t before;         /* killed in this group before we came */
  uint32_t kills;          /* of this container's processes, so far as was told */
  int wait_ms;
  int64_t look_at_ms;      /* CLOCK_MONOTONIC; 0: nothing is awaited */
};

void oom_arm(struct oom *oom);
void oom_ready(struct oom *oom);
/* Milliseconds until it is to be looked at again; -1: nothing is awaited. */
int oom_patience(const struct oom *oom);
void oom_look_again(struct oom *oom);
/* The container has ended: what is not told yet is told, and nothing is watched any more. */
void oom_finish(struct oom *oom);
void oom_close(struct oom *oom);

/* ── the exit record (record.c) ────────────────────────────────────────────────────────────────────────────────── */

struct exit_record { bool on, sync; int dir; char name[200]; char wake[512]; };

int exit_record_write(struct exit_record *record, int status, uint64_t ended, bool heard);
void exit_record_abandon(struct exit_record *record);
/* Tells the supervisor that an engine is needed. */
void exit_record_wake(const struct exit_record *record);

/* ── the monitor ───────────────────────────────────────────────────────────────────────────────────────────────── */

enum monitor_state { WAITING = 0, RUNNING = 1, EXITED = 2 }; /* as STATUS has them */

struct monitor {
  enum monitor_state state;
  bool told;               /* EXITED was sent */
  bool unheard;            /* the container ended, and no engine was connected */
  bool failed;             /* the start failed, or the engine left before it */
  struct channel_message failure; /* what the child said; kind 0 when the engine left */
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
  int child_end[3];        /* what `attach-stdio` gives the child: -1 /dev/null */
  int mounts;              /* the container's mount namespace: see hold_mounts */
  bool holds;              /* them, for an engine that may take away what they show: see hold_while_wanted */
  int slave;               /* held, so that the master never hangs up while the container runs */
  uint16_t rows, columns;  /* of a RESIZE that came before the terminal */
  size_t input_at, input_size;
  bool input_ending;

  struct log log;
  struct oom oom;
  struct exit_record record;
  struct peer peer[PEERS_MAX];
  size_t touched;          /* bytes of the buffers below that bursts used since the last trim */
  bool active;             /* something happened since then */
};

extern struct monitor monitor;

/* Page-aligned, so that MADV_DONTNEED can give them back. */
extern uint8_t burst_buffer[BURST_MAX], batch_buffer[BATCH_MAX], input_buffer[BURST_MAX], line_bytes[2][LINE_BYTES];

/* The monitor of this plan; made by the first step that needs it. */
struct monitor *monitor_of(struct task *task);
/* monitor_memory.c. Before the first wait: where the program lies. */
void monitor_find_program(void);
void monitor_trim(void);
/* As epoll_wait on the loop's descriptors; the program's pages are given back meanwhile. */
int monitor_wait_unmapped(struct epoll_event *events, int most, int timeout);

uint64_t unix_time_ns(void);
int64_t monotonic_ms(void);

#endif
