/* What the parts of the supervisor share. */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include "orlop.h"

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
/* Own cgroup, limits, umask, nice, environment: whoever started us leaves no trace in a container. */
void supervisor_normalise(bool service);
int supervisor_daemonize(struct places places);
/* A service is no daemon: its starter watches this very process. */
int supervisor_stay(void);
/* A listening socket of this name in a directory, 0600; replaces what is there. Afterwards we are in "/". */
int supervisor_listen_in(const char *directory, const char *name);
void supervisor_unlink_sockets(struct places places);
/* Back to the root of each hierarchy, and the own cgroup removed; false: another process of ours still lives in it. */
bool supervisor_leave_groups(void);

/* supervisor_service.c. *api: the socket that systemd holds for us; -1: nobody does. */
int supervisor_inherit(int *api, int *code);
/* As supervisor_lock, from a supervisor that was started by hand: it is asked to stop. Containers do not notice. */
int supervisor_take_over(struct places places, int *code);
/* Tells the service manager, where there is one (socket_path: its NOTIFY_SOCKET, or NULL). */
void supervisor_notify(const char *socket_path, const char *state);
bool supervisor_has_containers(struct places places);

/* supervisor_netd.c: sees that a netd runs. Its pid; *found: it ran already. -1: errno. */
pid_t supervisor_netd(struct places places, bool *found);

#endif
