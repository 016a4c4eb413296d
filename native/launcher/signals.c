// Signals: those that the command wants are passed on, those that would leave the terminal raw restore it first. All that are
// caught are blocked but while we wait, so that nothing else can be interrupted.
#include "launcher.h"
#include <asm/poll.h>
#include <asm/signal.h>

typedef uint64_t mask; // signal n is bit n - 1

// As the kernel has it (rt_sigaction(2)); x86-64 wants to be told how a handler returns.
struct action {
  void (*handler)(int);
  unsigned long flags;
#if defined __x86_64__
  void (*restorer)(void);
#endif
  mask blocked;
};

#define BIT(number) ((mask)1 << ((number) - 1))

static mask wanted, caught, came, mask_before;
static bool watching;
static struct action before[65], pipe_before;
static bool pipes_ignored;

#if defined __x86_64__
void return_from_signal(void);
__asm__(".text\nreturn_from_signal:\n mov $15, %eax\n syscall\n"); // __NR_rt_sigreturn
#endif

static void note(int number) { came |= BIT(number); }

static void act(int number, const struct action *action, struct action *old) {
  sys4(__NR_rt_sigaction, number, (long)action, (long)old, sizeof(mask));
}

void ignore_broken_pipes(void) {
  struct action ignore = {.handler = SIG_IGN};
  act(SIGPIPE, &ignore, &pipe_before);
  pipes_ignored = true;
}

void restore_signals(void) {
  if (pipes_ignored)
    act(SIGPIPE, &pipe_before, NULL);
  wanted = 0;
  watching = false;
  update_signals();
}

void update_signals(void) {
  mask now = wanted | (watching ? BIT(SIGWINCH) : 0);
  if (is_raw())
    now |= BIT(SIGCONT) | BIT(SIGHUP) | BIT(SIGINT) | BIT(SIGQUIT) | BIT(SIGTERM);
  if (now == caught)
    return;
  struct action catching = {.handler = note, .blocked = ~(mask)0};
#if defined __x86_64__
  catching.flags = 0x04000000; // SA_RESTORER
  catching.restorer = return_from_signal;
#endif
  if (caught == 0)
    sys4(__NR_rt_sigprocmask, SIG_BLOCK, 0, (long)&mask_before, sizeof(mask));
  mask blocked = mask_before | now;
  for (int number = 1; number <= 64; number++) {
    if ((now & ~caught & BIT(number)) != 0)
      act(number, &catching, &before[number]);
    if ((caught & ~now & BIT(number)) != 0)
      act(number, &before[number], NULL);
  }
  caught = now;
  sys4(__NR_rt_sigprocmask, SIG_SETMASK, (long)&blocked, 0, sizeof(mask));
}

void catch_signals(const uint8_t *numbers, size_t count) {
  wanted = 0;
  for (size_t i = 0; i < count; i++)
    if (numbers[i] >= 1 && numbers[i] <= 64)
      wanted |= BIT(numbers[i]);
  wanted &= ~(BIT(SIGKILL) | BIT(SIGSTOP));
  update_signals();
}

void watch_size(void) {
  watching = true;
  update_signals();
  came |= BIT(SIGWINCH); // it may have changed since we looked
}

void wait_for(struct pollfd *fds, unsigned count) {
  mask open = caught == 0 ? 0 : mask_before;
  sys6(__NR_ppoll, (long)fds, count, 0, caught == 0 ? 0 : (long)&open, sizeof(mask), 0);
}

// Nobody else catches it: it does what it does, once the terminal is whole.
static void die_of(int number) {
  restore_terminal();
  sys3(__NR_kill, sys1(__NR_getpid, 0), number, 0);
}

static bool take(struct session *session, int number) {
  if (number == SIGWINCH) {
    uint16_t size[2];
    terminal_size(size);
    return send_frame(session, UP_SIZE, size, sizeof size);
  }
  if (number == SIGCONT && is_raw())
    raw_again();
  if ((wanted & BIT(number)) != 0) {
    uint8_t byte = (uint8_t)number;
    return send_frame(session, UP_SIGNAL, &byte, 1);
  }
  if (number != SIGCONT)
    die_of(number);
  return true;
}

void take_signals(struct session *session) {
  for (int number = 1; number <= 64 && came != 0; number++)
    if ((came & BIT(number)) != 0 && take(session, number))
      came &= ~BIT(number);
}
