/* A child without a monitor (one-shot mode; a plan that only works inside namespaces): this process waits for its end. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orlop.h"

/* STARTED and EXITED are both a 32-bit value and a time. */
static void answer(struct task *task, enum frame_kind kind, int32_t value) {
  uint8_t payload[12];
  uint64_t now = unix_time_ns();
  memcpy(payload, &value, 4);
  memcpy(payload + 4, &now, 8);
  send_frame(task->conn, kind, payload, sizeof payload);
}

/* Carries out the GO and SIGNAL frames that have arrived. */
static void obey(struct task *task, struct inbox *box) {
  uint8_t kind;
  struct span payload;
  uint32_t signal;
  while (inbox_next(box, &kind, &payload) > 0) {
    struct channel_message go = {.kind = C_GO};
    if (kind == F_GO)
      channel_send(task->channel, &go, -1);
    else if (kind == F_SIGNAL && take_u32(&payload, &signal))
      syscall(SYS_pidfd_send_signal, task->child_pidfd, (int)signal, NULL, 0);
    else
      send_failed(task->conn, NO_STEP, EPROTO, "a frame that needs a monitor");
  }
}

/* Takes one message of the report channel. false: end of file. */
static bool hear(struct task *task, int *result) {
  struct channel_message message;
  int got = channel_receive(task->channel, &message, NULL);
  if (got > 0 && message.kind == C_FAILED) {
    send_failed(task->conn, message.step, message.error, message.detail);
    *result = 1;
  } else if (got <= 0) {
    answer(task, F_STARTED, task->child);
  }
  return got > 0;
}

int child_wait(struct task *task, struct inbox *box, int in) {
  enum { IN, CHANNEL, CHILD };
  struct pollfd ready[] = {{.fd = in, .events = POLLIN},
                           {.fd = task->channel, .events = POLLIN},
                           {.fd = task->child_pidfd, .events = POLLIN}};
  int result = -1, status = 0;
  obey(task, box); /* GO may have come with the plan */
  while (result < 0) {
    if (poll(ready, 3, -1) < 0)
      continue;
    if (ready[CHANNEL].revents != 0) { /* before CHILD: a failure is reported before the exit that follows it */
      if (!hear(task, &result))
        ready[CHANNEL].fd = -1;
    } else if (ready[CHILD].revents != 0) {
      waitpid(task->child, &status, 0);
      task->child = 0;
      answer(task, F_EXITED, status);
      result = 0;
    } else if (ready[IN].revents != 0) {
      if (inbox_fill(box, in) > 0) {
        obey(task, box);
        continue;
      }
      ready[IN].fd = -1;
      shutdown(task->channel, SHUT_WR); /* a child that still waits for GO gives up */
    }
  }
  child_kill(task);
  return result;
}
