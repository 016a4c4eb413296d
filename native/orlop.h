/* What the parts of orlop-executor share. native/README.md has the protocol. */
#ifndef ORLOP_H
#define ORLOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROTOCOL_VERSION = 1, FRAME_MAX = 1 << 20, STEP_ARGS_MAX = 8, NO_STEP = -1, TARGETS_MAX = 3 };
/* Sequence numbers of our nftables messages begin here, so that netd can tell our changes from those of others. */
enum { OWN_SEQUENCE = 0x4f500000, OWN_SEQUENCE_MASK = 0xfff00000 };

/* Frame kinds, as in README.md. */
enum frame_kind {
  F_HELLO = 1, F_STEP, F_END, F_GO, F_SIGNAL, F_RESIZE, F_WATCH_LOG, F_ATTACH, F_CONTROL, F_CLOSE_STDIN,
  F_ENGINE, F_WATCH, F_BUSY, F_STOP, F_WAKE, F_NETD, F_SYNC, F_SYNC_END, F_HOLD, F_RESOLVER, F_NAMES, F_WATCH_RULES,
  F_STATE, F_SERVES, F_CLIENT,
  F_DONE = 64, F_FAILED, F_VALUE, F_STARTED, F_EXITED, F_LOGGED, F_ATTACHED, F_STATUS, F_LEAVE, F_SPAWNED, F_CHANGED, F_OOM, F_DETACHED,
};

/* ── wire.c: frames and their payloads ─────────────────────────────────────────────────────────────────────────── */

/* A view of bytes that it does not own. */
struct span { uint8_t *at; size_t size; };

/* Collects the bytes of a connection until a frame is whole. Starts at 4 KiB (mmap), grows to FRAME_MAX + 4, and
 * shrinks back when empty, so that a monitor keeps nothing of a plan. */
struct inbox { uint8_t *at; size_t used, taken, capacity; };

/* Reads once from fd (which may be non-blocking). 1: something came; 0: end of file; -1: errno (EAGAIN: nothing yet). */
int inbox_fill(struct inbox *box, int fd);
/* As inbox_fill, from a socket. A descriptor that came with the bytes (SCM_RIGHTS) replaces *passed, which is closed. */
int inbox_receive(struct inbox *box, int fd, int *passed);
/* Takes the next whole frame: 1 and *kind, *payload (valid until the next call); 0: not whole yet; -1: EPROTO. */
int inbox_next(struct inbox *box, uint8_t *kind, struct span *payload);
void inbox_free(struct inbox *box);

/* Payload readers: each takes a value from the front of *p; false (and errno EPROTO) when the payload is too short. */
bool take_u8(struct span *p, uint8_t *value);
bool take_u16(struct span *p, uint16_t *value);
bool take_u32(struct span *p, uint32_t *value);
bool take_u64(struct span *p, uint64_t *value);
bool take_string(struct span *p, char **value);          /* in place, NUL-terminated, no NUL inside */
bool take_bytes(struct span *p, struct span *value);

/* Frame writers: send a whole frame, waiting for room. They ignore a peer that is gone (EPIPE, ECONNRESET). */
int send_frame(int fd, enum frame_kind kind, const void *payload, size_t size);
int send_failed(int fd, int32_t step, int error, const char *detail);
int send_value(int fd, int32_t step, struct span value); /* value.at[value.size] is NUL */
/* As send_value, but fails when the peer is gone: for a sequence of VALUEs, of which nobody would read the rest. */
int send_piece(int fd, int32_t step, struct span value);

/* ── steps.c and steps_*.c ─────────────────────────────────────────────────────────────────────────────────────── */

/* One decoded argument: the member is named as the signature's letter. */
union argument {
  char *s;
  uint64_t n;
  struct span b;
  struct { char **at; size_t count; } l;   /* at[count] is NULL */
};

struct task;

/* Carries out a step: 0, or -1 with errno (task->detail may say more, such as the path). */
typedef int step_function(struct task *task, union argument *arg);

struct step_kind { const char *name, *signature; step_function *run; };
extern const struct step_kind step_kinds[];              /* ends with a NULL name */

/* ── descriptor.c ──────────────────────────────────────────────────────────────────────────────────────────────── */

/* Closes fd unless it is -1, keeps errno, and returns `result`. */
int close_after(int fd, int result);
/* Closes *fd unless it is -1, and sets it to -1. */
void close_fd(int *fd);
/* Opens the directory of a path, and copies the path's last component, of at most `size` - 1 bytes, to name. */
int open_parent(const char *path, char *name, size_t size);
/* Writes to an existing file with a single write(2), because files of cgroupfs, procfs and sysfs take a value as a whole or not
 * at all. EIO: only a part was taken. */
int write_once(const char *path, struct span data);
/* Whether the other end of a connection was closed. A peer that has only shut down its sending side has not left. */
bool peer_left(int fd);

/* ── clock.c ───────────────────────────────────────────────────────────────────────────────────────────────────── */

uint64_t unix_time_ns(void);
/* CLOCK_MONOTONIC. */
int64_t monotonic_ms(void);

/* ── decode.c: STEP payloads become arguments ──────────────────────────────────────────────────────────────────── */

/* Holds the pointers of list arguments: one region, reused for each step; its pages are allocated when touched. */
struct slots { char **at; size_t used; };
int slots_open(struct slots *slots);
void slots_free(struct slots *slots);

/* Arguments point into the payload and into slots: valid until the next step_decode or inbox call. */
struct decoded_step { int32_t number; const struct step_kind *kind; union argument argument[STEP_ARGS_MAX]; };
int step_decode(struct span payload, struct decoded_step *step, struct slots *slots);

/* ── the report channel: what the child tells its parent ───────────────────────────────────────────────────────── */

/* Child to parent: C_FAILED: a step failed, and the child exits. C_TERMINAL: has the pty's master (SCM_RIGHTS). C_GATE: the child
 * waits at the gate. C_FORKED: the child joined a PID namespace and forked again; has the pid and the pidfd (SCM_RIGHTS) of the new
 * child, and is read by `spawn`. Parent to child: C_RELEASE ends `await`, C_CONTINUE ends `ready` (parcel: the parcel's new size),
 * C_GO ends `gate`. End of file without C_FAILED: execve succeeded. */
enum channel_kind { C_FAILED = 1, C_TERMINAL, C_GATE, C_RELEASE, C_CONTINUE, C_GO, C_FORKED };
struct channel_message { uint8_t kind; int32_t step; int32_t error; pid_t pid; uint64_t parcel; char detail[256]; };
/* channel.c. fd: sent with the message (SCM_RIGHTS), or -1. channel_receive returns 1: a message, 0: end of file, -1: errno. */
int channel_send(int channel, const struct channel_message *message, int fd);
int channel_receive(int channel, struct channel_message *message, int *fd);

/* ── task.c: one plan ──────────────────────────────────────────────────────────────────────────────────────────── */

struct monitor;

enum { HELD_MOUNTS_MAX = 64 };

/* The steps that a child will carry out: STEP payloads, each preceded by its u32 length. The memory is shared with the child, so the
 * child also has what `continue` adds. head: offset of the `spawn` or `continue` whose steps are being collected; awaited: how
 * many of those have not come yet. */
struct parcel { uint8_t *at; size_t used, head; uint64_t awaited; };
/* The payload at offset *at, which moves to the next; false at the end. */
bool parcel_next(struct parcel *parcel, size_t *at, struct span *payload);

/* A plan that is being carried out, in the task's process or in its child. */
struct task {
  int conn;                 /* answers go here; -1 in the child */
  int channel;              /* report channel between parent and child (SOCK_SEQPACKET, CLOEXEC); -1 before spawn */
  int32_t step;             /* the step being carried out, for answers */
  char detail[256];         /* says more about a failure; "" when errno says it all */
  int root;                 /* O_PATH of the new root; -1 before `root` */
  int proc;                 /* a private procfs; -1 until needed */
  int held[HELD_MOUNTS_MAX], holding, released; /* mounts that `hold` copied: how many there are, and how many `root-bind` has taken */
  int empty;                /* the read-only tmpfs that hides directories; -1 until needed */
  int self;                 /* O_PATH of this program, for `init`; -1 before `open-init` */
  int home;                 /* the network namespace that the task left and will return to; -1: none */
  int targets[TARGETS_MAX]; /* pidfds of the processes whose namespaces are joined, in the order of `target` */
  unsigned target_count;
  uint64_t clone_flags;     /* CLONE_NEW* of `spawn` */
  bool is_one_shot;         /* plan on standard input, answers on standard output; conn is no socket */
  bool in_child;
  bool gone;                /* GO arrived before the gate was reached */
  bool joins_pid;           /* the child's steps join a PID namespace: it will fork again */
  bool enters;              /* the step `enter` forks, and has not yet */
  struct parcel parcel;
  struct slots slots;
  pid_t child;              /* 0 before spawn */
  int child_pidfd;          /* -1 before spawn */
  struct monitor *monitor;  /* made by the first of stdio, log, exit-record, listen; NULL for a plain task */
};

/* Serves one connection to control.sock from HELLO to its end; the task's or the monitor's exit status. */
int task_serve(int conn);
/* One plan from `in`, answers to `out`. */
int task_one_shot(int in, int out);
/* Without a monitor: relays GO and SIGNAL, answers STARTED and EXITED. The process's exit status. */
int child_wait(struct task *task, struct inbox *box, int in);
/* Kills the child, if there is one, and reaps it. */
void child_kill(struct task *task);
/* Whether the child has said that a step failed; does not wait. */
bool child_failure(struct task *task, struct channel_message *report);
/* Carries out one decoded step; returns as its step_function. */
int step_run(struct task *task, struct decoded_step *step);
/* Closes the file that the last `write` left open for the next one. */
void write_done(void);
/* Closes the directory that the last `root-mknod` or `root-symlink` left open for the next one. */
void fill_done(void);
/* Closes what `target` opened. */
void targets_close(struct task *task);
/* Sets errno, and task->detail from the format; returns -1. */
__attribute__((format(printf, 3, 4))) int fail(struct task *task, int error, const char *format, ...);

/* ── path.c: names below the new root, by descriptor only ──────────────────────────────────────────────────────── */

/* Opens an existing path as the container would: absolute links start at its root, and ".." does not leave it. */
int root_open(struct task *task, const char *path, int flags);
/* As root_open with O_PATH, but creates missing directories on the way, and the last component as `type` (S_IFDIR, S_IFREG). */
int root_make(struct task *task, const char *path, mode_t type, mode_t mode);
/* Opens a path (O_PATH) as if this directory were the root. */
int open_below(int directory, const char *path);
/* Opens the directory of `path`, created when missing, and copies the path's last component, which is not resolved. */
int root_parent(struct task *task, const char *path, char name[256]);
/* Opens the file of a descriptor again with other flags, through the private procfs. */
int reopen(struct task *task, int fd, int flags);
/* The private procfs: a mount of procfs for our PID namespace that nobody else can reach (CVE-2019-19921). */
int private_proc(struct task *task);

/* ── monitor.c and its parts: stdio.c, log_*.c, attach.c, record.c ─────────────────────────────────────────────── */

step_function step_stdio, step_log, step_exit_record, step_listen;   /* host side: prepare task->monitor */
step_function step_enter, step_attach_stdio, step_terminal;                     /* child side */
/* The pipe end that becomes the program's stream 0, 1 or 2; -1: none. */
int monitor_stream(const struct task *task, int stream);
/* Runs the monitor of the spawned child, after the plan's END. Returns the process's exit status: MONITOR_ENDED when the container
 * ended and no engine was connected. */
enum { MONITOR_ENDED = 64 };
int monitor_run(struct task *task, struct inbox *box);
/* The plan failed or the engine left before STARTED: removes what the monitor's steps made. */
void monitor_abandon(struct task *task);

/* ── wake.c ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* WAKE to the supervisor at this socket; false when it cannot be reached. A supervisor that hangs is waited for this many
 * seconds; 0: not at all. */
bool wake_engine(const char *supervisor_socket, int patience_s);

/* ── supervisor.c ──────────────────────────────────────────────────────────────────────────────────────────────── */

/* orlop-executor supervisor RUN_DIR STATE_DIR IDLE_SECONDS ENGINE [ARGUMENT...]: becomes a daemon once its sockets listen. */
int supervisor_main(int argc, char **argv);

/* ── netd.c ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Serves the engine's connections until it holds nothing any more; returns the process's exit status. */
int netd_run(int listener, const char *run_directory);

/* ── init.c ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Runs as a container's init (`--init`); returns the program's exit status. */
int init_main(void);
#define INIT_NAME "/sbin/docker-init"

/* ── sealed.c ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Returns 0 in a process whose executable nobody can write; executes itself again from such a copy if it is not yet. -1: errno. */
int run_sealed(char **argv);

/* ── points.c: step points of a test build ─────────────────────────────────────────────────────────────────────── */

#ifdef ORLOP_POINTS
/* Does what the test asked for at this point. Returns 0; -1 with the errno that was asked for; or 1: skip the step. */
int point_reached(const char *name);
/* The name is also put into a section of its own, from which `orlop-executor points` lists it. */
#define POINT(name)                                                                                                    \
  ({                                                                                                                   \
    static const char *const point_name __attribute__((section("orlop_points"), used)) = name;                        \
    point_reached(point_name);                                                                                         \
  })
#else
#define POINT(name) 0
#endif
/* One name per line; none in a build without points. */
void points_print(void);

#endif
