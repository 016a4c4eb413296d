/* What the parts of the supervisor share. */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include "orlop.h"

/* supervisor.c: what an epoll event is about; the descriptor is in the low half. */
enum source { SIGNALS = 1, API, CONTROL, LINK, PEER, ORPHAN };

void supervisor_watch(enum source source, int fd);
void supervisor_unwatch(int fd);
/* In a forked child: unblocks the signals that the supervisor reads from its signalfd. */
void supervisor_restore_signals(void);
/* Has the engine started when this process ends, which is not our child: a monitor or netd of an earlier supervisor. */
void supervisor_watch_orphan(pid_t pid);
/* Starts netd unless it runs, and answers DONE on conn when netd.sock accepts connections. When netd ends, the engine is started. */
void supervisor_see_to_netd(int conn);

/* supervisor_peers.c: connections to supervisor.sock, whose listening socket is `listener`. */
void supervisor_accept_peer(int listener);
void supervisor_read_peer(int listener, int fd);

/* supervisor_setup.c: everything up to the daemon. */
struct places { const char *run, *state; };
/* The listening sockets of orlop.sock, control.sock and supervisor.sock. */
struct listeners { int api, control, link; };

/* Exit codes of the command that starts the supervisor. */
enum { EXIT_LOCKED = 3, EXIT_REFUSED = 125 };

/* Each writes one line to standard error and returns -1 with *code set when it refuses. */
int supervisor_check_namespaces(int *code);
/* Takes both locks. quiet: no line about a lock that another process holds (EXIT_LOCKED). */
int supervisor_lock(struct places places, int *code, bool quiet);
/* listeners->api: -1, or the socket that was inherited. */
int supervisor_listen(struct places places, struct listeners *listeners, int *code);
int supervisor_refuse(int *code, const char *what, const char *why);
int supervisor_daemonize(struct places places);
/* Instead of supervisor_daemonize, for a service: systemd watches the process that it started. */
int supervisor_stay(void);
/* A listening socket of this name in a directory, 0600, in place of an existing one. Leaves "/" as working directory. */
int supervisor_listen_in(const char *directory, const char *name);
void supervisor_unlink_sockets(struct places places);
/* Gives up the locks: from here on another supervisor may be started. */
void supervisor_unlock(void);

/* supervisor_inherited.c */
/* Resets cgroup, limits, umask, nice value and environment, so that containers inherit nothing of whoever started us. */
void supervisor_normalise(bool service);
/* Moves to the root of each hierarchy and removes our own cgroup; false: another process of ours is still in it. */
bool supervisor_leave_groups(void);

/* supervisor_service.c. *api: the listening socket that systemd passed; -1: none. */
int supervisor_inherit(int *api, int *code);
/* As supervisor_lock, but asks a supervisor that was started by hand to stop. Containers do not notice. */
int supervisor_take_over(struct places places, int *code);
/* sd_notify(3); socket_path: NOTIFY_SOCKET, or NULL without a service manager. */
void supervisor_notify(const char *socket_path, const char *state);
bool supervisor_has_containers(struct places places);

/* supervisor_failing.c: an engine that ends before it answers clients. */
void failing_prepare(void);                               /* before each try */
_Noreturn void failing_exec(const char *program, int error); /* in the child that could not become the engine */
void failing_note(struct places places, const char *program, int status, bool service);
void failing_over(void);                                  /* an engine answers clients */
/* The engine has failed so often that waiting clients are told why. */
bool failing_is_told(void);
/* The last execve failed with an error that does not pass by itself. */
bool failing_for_good(void);
const char *failing_message(void);
/* Answers all clients that wait at this listening socket with that message. */
void failing_answer(int listener);

/* supervisor_engine.c: the engine's life. */
struct engine_setting {
  struct places places;
  char **argv;
  int api;            /* the socket that the engine accepts from while it runs */
  int64_t idle_ms;    /* how often the engine is asked to leave if it is idle; 0: never */
  bool service;
};
void supervisor_engine_configure(struct engine_setting setting);
/* Starts the engine unless it runs: something happened that only the engine can deal with. */
void supervisor_engine_need(void);
/* A client has connected to the API while no engine accepts connections. */
void supervisor_engine_client_waits(void);
/* A child has ended; true: it was the engine. */
bool supervisor_engine_ended(pid_t child, int status);
/* This connection is the engine's. */
void supervisor_engine_linked(int fd);
void supervisor_engine_unlinked(int fd);
/* SERVES came from this connection; ignored unless it is the engine's. */
void supervisor_engine_serves(int fd);
/* Begins the supervisor's stop by stopping the engine. */
void supervisor_engine_stop(void);
bool supervisor_engine_is_over(void);
/* The supervisor stops because no engine can be started from here. */
bool supervisor_engine_has_left(void);
/* Does what is due; returns when the next thing is due (monotonic ms), 0 when nothing is planned. */
int64_t supervisor_engine_keep_time(int64_t now);

/* supervisor_engine_lock.c: takes the engine's lock, in the child that becomes the engine. Kills an older engine that has it. */
void supervisor_lock_engine(struct places places);

/* supervisor_netd.c: starts netd unless it runs. Its pid, or -1 with errno; *found: it ran already. */
pid_t supervisor_netd(struct places places, bool *found);

#endif
