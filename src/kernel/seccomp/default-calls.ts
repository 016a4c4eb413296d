/**
 * System calls that every container may make, by purpose. What is not here, in `default-profile.ts` or newer than both is
 * refused with EPERM: it reaches kernel code that containers have no use for, or reaches outside of them.
 *
 * Calls of 32-bit programs (`…32`, `…64`, `…_time64`, `_llseek`) stand beside those they vary.
 */
export const defaultCalls: Readonly<Record<string, string>> = {
  "open, read and write files": `
    open openat openat2 creat close close_range read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2
    lseek _llseek sendfile sendfile64 copy_file_range splice tee vmsplice readahead fadvise64 fadvise64_64 fallocate
    truncate truncate64 ftruncate ftruncate64 cachestat`,
  "make written data durable": "sync syncfs fsync fdatasync sync_file_range msync",
  "descriptors, pipes and locks": `
    dup dup2 dup3 pipe pipe2 fcntl fcntl64 ioctl flock memfd_create memfd_secret eventfd eventfd2`,
  "walk and change directories": `
    getcwd chdir fchdir getdents getdents64 mkdir mkdirat rmdir link linkat symlink symlinkat readlink readlinkat rename
    renameat renameat2 unlink unlinkat mknod mknodat name_to_handle_at umask`,
  "what files are, and their owners, modes and times": `
    stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx access faccessat faccessat2 chmod fchmod fchmodat
    fchmodat2 chown chown32 lchown lchown32 fchown fchown32 fchownat utime utimes futimesat utimensat utimensat_time64`,
  "extended attributes": `
    getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat listxattr llistxattr flistxattr
    listxattrat removexattr lremovexattr fremovexattr removexattrat`,
  "what is mounted; making mounts needs a capability": "statfs statfs64 fstatfs fstatfs64 statmount listmount",
  "be told of changes to files": `
    inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark`,
  "wait for several things": `
    select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
    epoll_wait epoll_wait_old epoll_pwait epoll_pwait2`,
  "asynchronous I/O; io_uring is not here: it carries out calls that no filter sees": `
    io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64`,
  "sockets; socket() itself depends on its family": `
    socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt send sendto
    sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64 socketcall`,
  "System V and POSIX message queues, semaphores, shared memory": `
    ipc msgget msgctl msgsnd msgrcv semget semctl semop semtimedop semtimedop_time64 shmget shmctl shmat shmdt mq_open
    mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64`,
  memory: `
    brk mmap mmap2 munmap mremap mprotect madvise mincore mlock mlock2 mlockall munlock munlockall remap_file_pages mseal
    membarrier map_shadow_stack pkey_alloc pkey_free pkey_mprotect`,
  "make, run and end processes; clone() depends on its flags": `
    fork vfork execve execveat exit exit_group wait4 waitid waitpid pidfd_open pidfd_send_signal process_mrelease`,
  "processes, groups and sessions": `
    getpid getppid gettid getpgid setpgid getpgrp getsid setsid getpriority setpriority prctl getrusage times
    getrlimit ugetrlimit setrlimit prlimit64`,
  "threads and their locks": `
    futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue get_robust_list set_robust_list set_tid_address
    get_thread_area set_thread_area rseq restart_syscall getcpu`,
  signals: `
    kill tkill tgkill pause sigaltstack signalfd signalfd4 sigprocmask sigreturn rt_sigaction rt_sigpending rt_sigprocmask
    rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo`,
  "users, groups and capabilities: the kernel checks each change": `
    getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32
    getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32
    setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset`,
  "clocks and timers; setting them is refused by the kernel without CAP_SYS_TIME": `
    time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
    clock_nanosleep_time64 nanosleep alarm getitimer setitimer adjtimex clock_adjtime clock_adjtime64 timer_create
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
    timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64`,
  scheduling: `
    sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam
    sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval
    sched_rr_get_interval_time64 ioprio_get ioprio_set`,
  "a program may restrict itself further": `
    seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self`,
  "the machine": "uname sysinfo getrandom",
  "the trampoline of a user-space return probe, entered by the kernel's own doing": "uretprobe",
  // ptrace(2) could walk around seccomp until Linux 4.8; everything that Orlop runs on is newer. The kernel's own check
  // (same user, no more capabilities, Yama) decides.
  "look into own processes": "ptrace process_vm_readv process_vm_writev",
};
