// The user's terminal: its size, raw mode, and giving it back as it was.
#include "launcher.h"
#include <asm/ioctls.h>
#include <asm/termbits.h>

static struct termios before, raw;
static bool raw_now;

bool is_terminal(int fd) {
  struct termios unused;
  return sys_ioctl(fd, TCGETS, &unused) == 0;
}

void terminal_size(uint16_t size[static 2]) {
  uint16_t window[4] = {0}; // struct winsize: rows, columns, and two that nobody fills
  if (sys_ioctl(1, TIOCGWINSZ, window) < 0)
    window[0] = window[1] = 0;
  size[0] = window[0];
  size[1] = window[1];
}

// As cfmakeraw(3). TCSETSW: after what was written has been sent, as that was meant for the old settings.
void enter_raw(void) {
  if (raw_now || sys_ioctl(0, TCGETS, &before) < 0)
    return;
  raw = before;
  raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  raw.c_oflag &= ~(tcflag_t)OPOST;
  raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  raw.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
  raw.c_cflag |= CS8;
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  raw_now = true;
  update_signals();
  sys_ioctl(0, TCSETSW, &raw);
}

// A shell sets the terminal to its own taste while we are stopped.
void raw_again(void) { sys_ioctl(0, TCSETSW, &raw); }

void restore_terminal(void) {
  if (!raw_now)
    return;
  raw_now = false;
  sys_ioctl(0, TCSETSW, &before);
  update_signals();
}

bool is_raw(void) { return raw_now; }
