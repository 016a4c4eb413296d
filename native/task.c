/* Carries out one plan: reads frames from a connection, runs each step, answers. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "steps.h"

/* All steps of one child together. A default container needs about 30 KiB. */
enum { PARCEL_MAX = 16 << 20, DRAIN_PATIENCE_MS = 10 * 1000, HEAP_KEPT = 1 << 20 };

/* What to do after a frame. */
enum verdict { GO_ON, PLAN_DONE, PLAN_FAILED };

int fail(struct task *task, int error, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(task->detail, sizeof task->detail, format, arguments);
  va_end(arguments);
  errno = error;
  return -1;
}

int step_run(struct task *task, struct decoded_step *step) {
  task->step = step->number;
  task->detail[0] = 0;
  if (step->kind->run != step_write)
    write_done();
  if (step->kind->run != step_root_mknod && step->kind->run != step_root_symlink)
    fill_done();
#ifdef ORLOP_POINTS
  char point[64];
  snprintf(point, sizeof point, "step.%s", step->kind->name);
  int asked = point_reached(point);
  if (asked != 0)
    return asked < 0 ? -1 : 0; /* a seeded fault: the step is silently left out */
#endif
  return step->kind->run(task, step->argument);
}

/* Keeps one STEP payload until `spawn` or `continue` has all of its steps. */
static int parcel_add(struct parcel *parcel, struct span payload) {
  if (parcel->used + sizeof(uint32_t) + payload.size > PARCEL_MAX) {
    errno = E2BIG;
    return -1;
  }
  if (parcel->at == NULL) { /* mapped at its full size, because the child's mapping cannot grow; pages are allocated when touched */
    void *at = mmap(NULL, PARCEL_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
      return -1;
    parcel->at = at;
  }
  uint32_t size = (uint32_t)payload.size;
  memcpy(parcel->at + parcel->used, &size, sizeof size);
  memcpy(parcel->at + parcel->used + sizeof size, payload.at, size);
  parcel->used += sizeof size + size;
  return 0;
}

bool parcel_next(struct parcel *parcel, size_t *at, struct span *payload) {
  uint32_t size;
  if (parcel->used - *at < sizeof size)
    return false;
  memcpy(&size, parcel->at + *at, sizeof size);
  *payload = (struct span){parcel->at + *at + sizeof size, size};
  *at += sizeof size + size;
  return true;
}

static void parcel_free(struct parcel *parcel) {
  if (parcel->at != NULL)
    munmap(parcel->at, PARCEL_MAX);
  *parcel = (struct parcel){0};
}

/* All steps of the child have arrived: runs `spawn` or `continue`, which was kept in front of them. */
static int hand_over(struct task *task) {
  size_t at = task->parcel.head;
  struct span payload;
  struct decoded_step step;
  if (!parcel_next(&task->parcel, &at, &payload) || step_decode(payload, &step, &task->slots) < 0)
    return -1;
  return step_run(task, &step);
}

/* How many of the following steps are the child's. */
static uint64_t steps_of(const struct decoded_step *step) {
  return step->kind->run == step_spawn ? step->argument[2].n : step->argument[0].n;
}

/* Whether the sender of the plan has died. Then its steps that have already arrived must not be carried out, because the next
 * engine may be cleaning up after them at this moment. */
static bool sender_left(struct task *task) {
  if (task->is_one_shot || !peer_left(task->conn))
    return false;
  task->step = NO_STEP;
  fail(task, ECONNRESET, "the other side left first");
  return true;
}

static int take_step(struct task *task, struct span payload) {
  struct decoded_step step;
  task->detail[0] = 0;
  int decoded = step_decode(payload, &step, &task->slots);
  task->step = step.number;
  if (decoded < 0)
    return -1;
  bool collecting = task->parcel.awaited > 0;
  bool is_spawn = step.kind->run == step_spawn, is_continue = step.kind->run == step_continue;
  if (is_spawn && (collecting || task->child > 0))
    return fail(task, EINVAL, "a plan has at most one spawn");
  if (is_continue && (collecting || task->child <= 0))
    return fail(task, EINVAL, "continue comes behind spawn and its steps");
  if (!collecting && !is_spawn && !is_continue)
    return sender_left(task) ? -1 : step_run(task, &step);
  if ((is_spawn || is_continue) && steps_of(&step) > PARCEL_MAX)
    return fail(task, E2BIG, "%s of %llu steps", step.kind->name, (unsigned long long)steps_of(&step));
  task->parcel.head = is_spawn || is_continue ? task->parcel.used : task->parcel.head;
  task->parcel.awaited = is_spawn || is_continue ? steps_of(&step) : task->parcel.awaited - 1;
  task->joins_pid |= joins_pid_namespace(&step);
  if (parcel_add(&task->parcel, payload) < 0)
    return -1;
  if (task->parcel.awaited > 0)
    return 0;
  return sender_left(task) ? -1 : hand_over(task);
}

/* Ends the plan: answers FAILED, kills the child, and removes what the monitor's steps made. */
static enum verdict plan_failed(struct task *task, int error) {
  struct channel_message report;
  /* a failure of the child is the cause of ours (EPIPE in `release`, ESRCH in `id-map`) */
  if (task->child > 0 && child_failure(task, &report))
    send_failed(task->conn, report.step, report.error, report.detail);
  else
    send_failed(task->conn, task->step, error, task->detail);
  child_kill(task);
  if (task->monitor != NULL)
    monitor_abandon(task);
  return PLAN_FAILED;
}

static enum verdict protocol_error(struct task *task, int error, const char *detail) {
  task->step = NO_STEP;
  snprintf(task->detail, sizeof task->detail, "%s", detail);
  return plan_failed(task, error);
}

static enum verdict take_frame(struct task *task, uint8_t kind, struct span payload, bool *greeted) {
  uint32_t version;
  if (!*greeted) {
    if (kind != F_HELLO || !take_u32(&payload, &version))
      return protocol_error(task, EPROTO, "HELLO comes first");
    if (version != PROTOCOL_VERSION)
      return protocol_error(task, EPROTONOSUPPORT, "this executor speaks version 1");
    *greeted = true;
    return GO_ON;
  }
  switch (kind) {
  case F_STEP:
    return take_step(task, payload) < 0 ? plan_failed(task, errno) : GO_ON;
  case F_END:
    if (task->parcel.awaited > 0)
      return protocol_error(task, EPROTO, "END before all steps of spawn or continue");
    return PLAN_DONE;
  default:
    return protocol_error(task, EPROTO, "a frame that is not for a task");
  }
}

/* Until END, a failure, or the other side's leaving. */
static enum verdict take_plan(struct task *task, struct inbox *box, int in) {
  bool greeted = false;
  for (;;) {
    uint8_t kind;
    struct span payload;
    int have = inbox_next(box, &kind, &payload);
    if (have < 0)
      return protocol_error(task, errno, "a frame of a wrong size");
    if (have == 0) {
      if (inbox_fill(box, in) <= 0)
        return protocol_error(task, ECONNRESET, "the plan ended before END");
      continue;
    }
    enum verdict verdict = take_frame(task, kind, payload, &greeted);
    if (verdict != GO_ON)
      return verdict;
  }
}

/* A sender in the middle of a plan would get EPIPE before it reads our answer. So the rest of the plan is read and thrown away until
 * the sender closes the connection, or has sent nothing for DRAIN_PATIENCE_MS. */
static void drain_plan(int in) {
  static char rest[64 << 10];
  struct pollfd more = {.fd = in, .events = POLLIN};
  while (poll(&more, 1, DRAIN_PATIENCE_MS) > 0 && read(in, rest, sizeof rest) > 0)
    ;
}

static int serve(int in, int out) {
  struct task task = {
      .conn = out, .is_one_shot = in != out, .channel = -1, .step = NO_STEP, .root = -1, .proc = -1, .empty = -1,
      .self = -1, .home = -1, .child_pidfd = -1};
  struct inbox box = {0};
  mallopt(M_TRIM_THRESHOLD, HEAP_KEPT); /* each directory that is read takes 32 KiB and gives them back */
  if (slots_open(&task.slots) < 0)
    return 1;
  if (take_plan(&task, &box, in) == PLAN_FAILED) {
    drain_plan(in);
    return 1;
  }
  write_done();
  slots_free(&task.slots); /* a monitor keeps nothing of the plan */
  parcel_free(&task.parcel);
  send_frame(task.conn, F_DONE, NULL, 0);
  if (task.monitor != NULL && task.child > 0)
    return monitor_run(&task, &box);
  if (task.monitor != NULL)
    monitor_abandon(&task);
  return task.child > 0 ? child_wait(&task, &box, in) : 0;
}

int task_serve(int conn) { return serve(conn, conn); }
int task_one_shot(int in, int out) { return serve(in, out); }
