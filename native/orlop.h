/* What the parts of orlop-executor share. native/README.md has the protocol. */
#ifndef ORLOP_H
#define ORLOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROTOCOL_VERSION = 1, FRAME_MAX = 1 << 20, STEP_ARGS_MAX = 8, NO_STEP = -1 };

/* Frame kinds, as in README.md. */
enum frame_kind {
  F_HELLO = 1, F_STEP, F_END, F_GO, F_SIGNAL, F_RESIZE, F_WATCH_LOG, F_ATTACH, F_CONTROL, F_CLOSE_STDIN,
  F_ENGINE, F_WATCH, F_BUSY, F_STOP, F_WAKE,
  F_DONE = 64, F_FAILED, F_VALUE, F_STARTED, F_EXITED, F_LOGGED, F_ATTACHED, F_STATUS, F_LEAVE, F_SPAWNED,
};

/* ── wire.c: frames and their payloads ─────────────────────────────────────────────────────────────────────────── */

/* A view into bytes that somebody else owns. */
struct span { uint8_t *at; size_t size; };

/* Collects the bytes of a connection until a frame is whole. Starts at 4 KiB (mmap), grows to FRAME_MAX + 4, and
 * shrinks back when empty, so that a monitor keeps nothing of a plan. */
struct inbox { uint8_t *at; size_t used, taken, capacity; };

/* Reads once from fd (which may be non-blocking). 1: something came; 0: end of file; -1: errno (EAGAIN: nothing yet). */
int inbox_fill(struct inbox *box, int fd);
/* Takes the next whole frame: 1 and *kind, *payload (valid until the next call); 0: not whole yet; -1: EPROTO. */
int inbox_next(struct inbox *box, uint8_t *kind, struct span *payload);
void inbox_free(struct inbox *box);

/* Payload readers: each takes from the front of *p; false (and errno EPROTO) when it does not fit. */
bool take_u8(struct span *p, uint8_t *value);
bool take_u16(struct span *p, uint16_t *value);
bool take_u32(struct span *p, uint32_t *value);
bool take_u64(struct span *p, uint64_t *value);
bool take_string(struct span *p, char **value);          /* in place, NUL-terminated, no NUL inside */
bool take_bytes(struct span *p, struct span *value);

/* Frame writers: build in a fixed buffer and send whole. They ignore a peer that is gone (EPIPE, ECONNRESET). */
int send_frame(int fd, enum frame_kind kind, const void *payload, size_t size);
int send_failed(int fd, int32_t step, int error, const char *detail);

/* ── steps.c and steps_*.c ─────────────────────────────────────────────────────────────────────────────────────── */

/* One decoded argument; which member holds follows from the signature's letter. */
union argument {
  char *s;
  uint64_t n;
  struct span b;
  struct { char **at; size_t count; } l;   /* at[count] is NULL */
};

struct task;

/* Carries a step out: 0, or -1 with errno (task->detail may say more, e.g. which path component). */
typedef int step_function(struct task *task, union argument *arg);

struct step_kind { const char *name, *signature; step_function *run; };
extern const struct step_kind step_kinds[];              /* ends with a NULL name */

/* ── task.c: one plan ──────────────────────────────────────────────────────────────────────────────────────────── */

struct monitor;

/* A plan under way, in the task's process or in the child's. */
struct task {
  int conn;                 /* answers go here; -1 in the child */
  int channel;              /* report channel between parent and child (SOCK_SEQPACKET, CLOEXEC); -1 before spawn */
  int32_t step;             /* the step being carried out, for answers */
  char detail[256];         /* says more about a failure; "" when errno says it all */
  int root;                 /* O_PATH of the new root; -1 before `root` */
  int proc;                 /* a private, detached procfs; -1 until needed */
  bool in_child;
  pid_t child;              /* 0 before spawn */
  int child_pidfd;          /* -1 before spawn */
  struct monitor *monitor;  /* made by the first of stdio, log, exit-record, listen; NULL for a plain task */
};

/* Serves one connection to control.sock from HELLO to its end; the task's or the monitor's exit status. */
int task_serve(int conn);
/* One plan from `in`, answers to `out`. */
int task_one_shot(int in, int out);

/* ── the report channel: what the child tells its parent ───────────────────────────────────────────────────────── */

/* C_FAILED: a step failed (then the child exits). C_TERMINAL: carries the pty's master in SCM_RIGHTS. C_GATE: the child
 * waits at the gate. Parent to child: C_RELEASE (await), C_GO (gate). End of file without C_FAILED: execve succeeded. */
enum channel_kind { C_FAILED = 1, C_TERMINAL, C_GATE, C_RELEASE, C_GO };
struct channel_message { uint8_t kind; int32_t step; int32_t error; char detail[256]; };

/* ── monitor.c and its parts: stdio.c, log_*.c, attach.c, record.c ─────────────────────────────────────────────── */

step_function step_stdio, step_log, step_exit_record, step_listen;   /* host side: prepare task->monitor */
step_function step_attach_stdio, step_terminal;                      /* child side */
/* After spawn, in the parent: the monitor adopts the child. Its loop handles conn (the engine's), the channel (STARTED
 * or FAILED, the terminal), the pipes, the log, its listening socket, the pidfd. Returns the process's exit status. */
int monitor_run(struct task *task, struct inbox *box);
/* The plan failed or the engine went away before STARTED: undo what the steps made. */
void monitor_abandon(struct task *task);

/* ── supervisor.c ──────────────────────────────────────────────────────────────────────────────────────────────── */

/* orlop-executor supervisor RUN_DIR STATE_DIR IDLE_SECONDS ENGINE [ARGUMENT...]: daemonizes once its sockets listen. */
int supervisor_main(int argc, char **argv);

/* ── points.c: step points of a test build ─────────────────────────────────────────────────────────────────────── */

#ifdef ORLOP_POINTS
/* Does what ORLOP_POINT asks at this point; 0, or -1 with the errno it asked for. */
int point_reached(const char *name);
#define POINT(name) point_reached(name)
#else
#define POINT(name) 0
#endif

#endif
