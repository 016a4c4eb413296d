/* What the parts of the supervisor share. */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include "orlop.h"

/* Monotonic. */
int64_t supervisor_now_ms(void);

/* supervisor.c: what an epoll event is about; the descriptor is in the low half. */
enum source { SIGNALS = 1, API, CONTROL, LINK, PEER, ORPHAN };

void supervisor_watch(enum source source, int fd);
void supervisor_unwatch(int fd);
/* In a forked child: the signals as a program expects them. */
void supervisor_restore_signals(void);
/* An orphan: init reaps it, a pidfd tells us. */
void supervisor_watch_orphan(pid_t pid);
/* Answers when connections to netd.sock are taken. Its end, too, is something that only the engine can answer. */
void supervisor_see_to_netd(int conn);

/* supervisor_peers.c: connections to supervisor.sock, which listens at listener. */
void supervisor_accept_peer(int listener);
void supervisor_read_peer(int listener, int fd);

/* supervisor_setup.c: everything before the daemon lives on its own. */
struct places { const char *run, *state; };
/* The sockets, listening, and the locks, held as long as their descriptors are open. */
struct listeners { int api, control, link; };

/* Exit codes of the command that starts the supervisor. */
enum { EXIT_LOCKED = 3, EXIT_REFUSED = 125 };

/* Each writes one line to standard error and returns -1 with *code set when it refuses. */
int supervisor_check_namespaces(int *code);
/* quiet: nothing is said about a lock that another holds (EXIT_LOCKED). */
int supervisor_lock(struct places places, int *code, bool quiet);
/* listeners->api: -1, or the socket that was inherited. */
int supervisor_listen(struct places places, struct listeners *listeners, int *code);
int supervisor_refuse(int *code, const char *what, const char *why);
int supervisor_daemonize(struct places places);
/* A service is no daemon: its starter watches this very process. */
int supervisor_stay(void);
/* A listening socket of this name in a directory, 0600; replaces what is there. Afterwards we are in "/". */
int supervisor_listen_in(const char *directory, const char *name);
void supervisor_unlink_sockets(struct places places);
/* From here on another supervisor may be started. */
void supervisor_unlock(void);

/* supervisor_inherited.c */
/* Own cgroup, limits, umask, nice, environment: whoever started us leaves no trace in a container. */
void supervisor_normalise(bool service);
/* Back to the root of each hierarchy, and the own cgroup removed; false: another process of ours still lives in it. */
bool supervisor_leave_groups(void);

/* supervisor_service.c. *api: the socket that systemd holds for us; -1: nobody does. */
int supervisor_inherit(int *api, int *code);
/* As supervisor_lock, from a supervisor that was started by hand: it is asked to stop. Containers do not notice. */
int supervisor_take_over(struct places places, int *code);
/* Tells the service manager, where there is one (socket_path: its NOTIFY_SOCKET, or NULL). */
void supervisor_notify(const char *socket_path, const char *state);
bool supervisor_has_containers(struct places places);

/* supervisor_failing.c: an engine that ends before it serves. */
void failing_prepare(void);                               /* before each try */
_Noreturn void failing_exec(const char *program, int error); /* in the child that could not become the engine */
void failing_note(struct places places, const char *program, int status, bool service);
void failing_over(void);                                  /* one serves */
/* It has failed so often that whoever waits is told why. */
bool failing_is_told(void);
/* The last try found no program that can be started, which waiting does not mend. */
bool failing_for_good(void);
const char *failing_message(void);
/* Tells it to all clients that wait at this socket. */
void failing_answer(int listener);

/* supervisor_engine.c: the engine's life. */
struct engine_setting {
  struct places places;
  char **argv;
  int api;            /* the socket that the engine accepts from while it runs */
  int64_t idle_ms;    /* so often it is asked to leave; 0 never */
  bool service;
};
void supervisor_engine_configure(struct engine_setting setting);
/* Something that only the engine can answer happened. */
void supervisor_engine_need(void);
/* Somebody has connected to the API while no engine accepts. */
void supervisor_engine_client_waits(void);
/* A child has ended: whether it was the engine. */
bool supervisor_engine_ended(pid_t child, int status);
/* This connection is the engine's. */
void supervisor_engine_linked(int fd);
void supervisor_engine_unlinked(int fd);
/* The engine answers clients, says this connection; any other but the engine's is not heard. */
void supervisor_engine_serves(int fd);
/* The supervisor stops: the engine first. */
void supervisor_engine_stop(void);
bool supervisor_engine_is_over(void);
/* It is over because no engine can be started from here. */
bool supervisor_engine_has_left(void);
/* Does what is due; returns when the next is, 0 when nothing is planned. */
int64_t supervisor_engine_keep_time(int64_t now);

/* supervisor_engine_lock.c: in the child that becomes the engine. An older one that is still there is killed first. */
void supervisor_lock_engine(struct places places);

/* supervisor_netd.c: sees that a netd runs. Its pid; *found: it ran already. -1: errno. */
pid_t supervisor_netd(struct places places, bool *found);

#endif
