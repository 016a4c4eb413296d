/* The steps' functions, and what the files of steps share. */
#ifndef STEPS_H
#define STEPS_H

#include "orlop.h"

/* steps_file.c */
step_function step_mkdir, step_write, step_try_write, step_read, step_file, step_rmdir, step_remove, step_chown, step_spread;
step_function step_keep_open;
/* steps_group.c */
step_function step_kill_group, step_device_program;
/* steps_state.c */
step_function step_write_until, step_usage;
/* oom.c */
step_function step_watch_memory;
/* steps_netlink.c */
step_function step_netlink, step_try_netlink, step_netlink_list;

/* steps_sockopt.c */
step_function step_socket_option;
/* spawn.c */
step_function step_spawn, step_id_map, step_release, step_await, step_gate, step_ready, step_continue;
/* steps_namespace.c */
step_function step_unshare, step_setns, step_target, step_kill_target, step_join, step_hostname, step_domainname, step_sysctl;
step_function step_oom_score, step_keyring;
/* steps_mount.c */
step_function step_detach, step_unmount, step_propagation, step_hold, step_mount, step_bind, step_root, step_pivot;
/* steps_overlay.c */
step_function step_overlay;
/* steps_root.c */
step_function step_root_mount, step_root_move, step_root_bind, step_root_bind_below, step_root_mkdir, step_root_symlink, step_root_mknod, step_root_file;
step_function step_root_mask, step_root_readonly, step_root_attributes;
/* steps_copy.c */
step_function step_root_copy;
/* steps_identity.c */
step_function step_bounding, step_user, step_capabilities, step_no_new_privileges, step_seccomp;
/* steps_writeback.c */
step_function step_write_back;
/* steps_shared.c */
step_function step_shared_memory, step_taken;
/* `size` bytes at offset `at` of the shared memory; false (EFAULT): outside of it. */
bool shared_part(uint64_t at, uint64_t size, struct span *part);

/* steps_layer_place.c */
step_function step_layer, step_layer_into, step_layer_parent, step_layer_place, step_layer_end;
/* steps_layer.c */
step_function step_layer_directory, step_layer_file, step_layer_data, step_layer_shared_data, step_layer_symlink;
step_function step_layer_link, step_layer_node, step_layer_xattr, step_layer_whiteout, step_layer_opaque, step_layer_time;
/* steps_tree.c */
step_function step_tree_stat, step_tree_below, step_tree_walk;
/* init.c */
step_function step_open_init, step_init;
/* steps_snapshot.c */
step_function step_copy_tree;
/* steps_exec.c */
step_function step_rlimit, step_umask, step_cwd, step_exec;

/* Whether a step enters namespaces of other processes (`setns`, `join`). */
bool enters_namespaces(const struct decoded_step *step);
/* Whether it joins a PID namespace, which only a new child of the caller is in. */
bool joins_pid_namespace(const struct decoded_step *step);
/* Whether a later step `enter` makes that child. */
bool enters_later(const struct decoded_step *step);

/* steps_mount.c: mounts a file system, detached. Returns as fsmount(2); on failure task->detail has the file system's message. */
int make_mount(struct task *task, const char *fstype, const char *source, uint64_t attributes, char **options);
/* Its parts, for a file system whose options are not a plain list: "key" or "key=value"; creating it, detached; and a failure
 * with the file system's own last message (fsopen(2), "Message retrieval interface") behind `what` as its detail, always -1. */
int set_mount_option(int fs, char *option);
int finish_mount(struct task *task, int fs, uint64_t attributes);
int mount_error(struct task *task, int fs, const char *what);
/* Attaches a detached mount over a host path, and closes it. */
int attach_at_path(struct task *task, int mount, const char *target);
/* How a mount is copied. set, clear: MOUNT_ATTR_*; propagation: MS_* or 0. */
enum { COPY_RECURSIVE = 1, COPY_ATTRIBUTES_RECURSIVE = 2, COPY_PROPAGATION_RECURSIVE = 4, COPY_HELD = 8 };
struct copy { uint64_t flags, set, clear, propagation; };
/* Gives a detached mount its attributes and propagation. */
int adjust_mount(int mount, struct copy how);
/* A detached copy of the mount at fd or path (fd AT_FDCWD). */
int copy_mount(int fd, const char *path, struct copy how);
/* steps_file.c: removes a file or a whole tree, without following links or crossing mounts. A missing one is no error. */
int remove_tree(int directory, const char *name);
/* spawn.c: closes all descriptors of the host, in a child whose root is the container's already. */
void leave_host(struct task *task);
/* Attaches a detached mount onto the file or directory `onto`. */
int attach_mount(int mount, int onto);

#endif
