/* A pseudo-terminal of the container's own devpts: made by the child, served by the monitor.
 *
 * The step runs after `pivot`: then no name can lead out of the container, and the slave's /dev/pts/N is right inside. Still
 * nothing found by name is trusted (CVE-2025-52565): the directory must be a devpts, ptmx is opened inside that mount without
 * crossing another, and /dev/console is mounted on by descriptor. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "monitor.h"

/* Opens a name in `dir`, in the same mount, without following links. Kernels before 5.6 have no openat2: there the callers' checks
 * of what was opened have to be enough. */
static int open_here(int dir, const char *name, int flags, mode_t mode) {
  struct open_how how = {.flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
                         .mode = mode,
                         .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_BENEATH};
  int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof how);
  return fd < 0 && errno == ENOSYS ? openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, mode) : fd;
}

static bool is_device(int fd, unsigned major, unsigned minor) {
  struct stat stat;
  return fstat(fd, &stat) == 0 && S_ISCHR(stat.st_mode) && stat.st_rdev == makedev(major, minor);
}

static bool is_devpts(int fd) {
  struct statfs statfs;
  return fstatfs(fd, &statfs) == 0 && statfs.f_type == DEVPTS_SUPER_MAGIC;
}

static int open_master(struct task *task) {
  int pts = open("/dev/pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (pts < 0)
    return fail(task, errno, "/dev/pts");
  if (!is_devpts(pts)) {
    close(pts);
    return fail(task, ENODEV, "/dev/pts is not a devpts");
  }
  int master = open_here(pts, "ptmx", O_RDWR | O_NOCTTY, 0);
  close(pts);
  if (master < 0)
    return fail(task, errno, "/dev/pts/ptmx");
  if (is_devpts(master) && is_device(master, 5, 2))
    return master;
  close(master);
  return fail(task, ENODEV, "/dev/pts/ptmx is not a pty master");
}

/* Makes /dev/console the same terminal, for programs that write there, such as an init. Created in /dev when it is missing. */
static int bind_console(struct task *task, int slave) {
  int dev = open("/dev", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (dev < 0)
    return fail(task, errno, "/dev");
  int made = open_here(dev, "console", O_RDONLY | O_CREAT | O_EXCL | O_NOCTTY, 0600);
  if (made >= 0)
    close(made);
  int console = open_here(dev, "console", O_PATH, 0);
  close(dev);
  if (console < 0)
    return fail(task, errno, "/dev/console");
  int tree = (int)syscall(SYS_open_tree, slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  long moved = tree < 0 ? -1
                        : syscall(SYS_move_mount, tree, "", console, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  int error = errno;
  if (tree >= 0)
    close(tree);
  close(console);
  return moved < 0 ? fail(task, error, "mount on /dev/console") : 0;
}

/* rows, columns: 0 = unchanged. uid: the terminal's owner; its group is the devpts's (gid=5). console: 1 = /dev/console too. */
int step_terminal(struct task *task, union argument *arg) {
  struct winsize size = {.ws_row = (unsigned short)arg[0].n, .ws_col = (unsigned short)arg[1].n};
  struct channel_message message = {.kind = C_TERMINAL};
  if (task->channel < 0)
    return fail(task, EINVAL, "terminal outside of a child");
  int master = open_master(task);
  if (master < 0)
    return -1;
  int unlock = 0;
  if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
    return -1;
  if (size.ws_row != 0 && size.ws_col != 0 && ioctl(master, TIOCSWINSZ, &size) < 0)
    return -1;
  int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0)
    return fail(task, errno, "the terminal's slave");
  if (fchown(slave, (uid_t)arg[2].n, (gid_t)-1) < 0)
    return fail(task, errno, "owner of the terminal");
  if (arg[3].n == 1 && bind_console(task, slave) < 0)
    return -1;
  if (channel_send(task->channel, &message, master) < 0)
    return -1;
  if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
    return fail(task, errno, "controlling terminal");
  for (int fd = 0; fd < 3; fd++)
    if (dup2(slave, fd) < 0)
      return -1;
  if (slave > 2)
    close(slave);
  close(master);
  return 0;
}

/* Holds the slave open: a container may close its terminal and open it again, and the master must not hang up in between. */
void terminal_adopt(int master) {
  struct monitor *m = &monitor;
  if (m->output[0].fd >= 0 || fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
    close(master);
    return;
  }
  m->output[0].fd = master;
  m->slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (m->stdio_streams & STDIN_BIT)
    m->input.fd = fcntl(master, F_DUPFD_CLOEXEC, 3); /* epoll takes a descriptor only once, so input has its own */
  if (m->rows != 0)
    terminal_resize(m->rows, m->columns);
}

void terminal_revive(void) {
  struct monitor *m = &monitor;
  if (m->slave >= 0)
    close(m->slave);
  m->slave = ioctl(m->output[0].fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (m->slave < 0)
    source_close(&m->output[0]);
}

int terminal_resize(uint16_t rows, uint16_t columns) {
  struct monitor *m = &monitor;
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  if ((m->stdio_flags & STDIO_TERMINAL) == 0) {
    errno = ENOTTY;
    return -1;
  }
  if (m->output[0].fd >= 0)
    return ioctl(m->output[0].fd, TIOCSWINSZ, &size);
  m->rows = rows;
  m->columns = columns;
  return 0;
}
