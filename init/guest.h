/*
 * cofferdam-init as PID 1 of a guest, from the inside: it makes the root it is told to make
 * (AGENT_STEP), serves the agent protocol over one byte stream, and turns the machine off. None of
 * it runs, or is even read from the disk, in a container.
 */
#ifndef COFFERDAM_INIT_GUEST_H
#define COFFERDAM_INIT_GUEST_H

#include "init/init.h"

#include <poll.h>

#define GUEST_NAME "/init" /* what a kernel calls the program of its initramfs */
#define GUEST_ROOT "/root" /* the workload's root, until it is ours too */
#define GUEST_RUN "/run"   /* a tmpfs: lower and scratch file systems, small files */

/*
 * `argv`: what stands behind "--" on the kernel's command line: "agent=virtio:NAME" (also without
 * it, with AGENT_PORT_NAME), "agent=port", the only one there is, or "agent=vsock:PORT", where
 * we listen and which we call on the host first. "end=reset": the machine cannot be switched off
 * and ends by being reset.
 */
void guest_main(char **argv) __attribute__((noreturn));

/* --- guest.c -----------------------------------------------------------------------------------
 */

/* Says why on the kernel's console and turns the machine off. */
void guest_die(const char *what, int code) __attribute__((noreturn));
void guest_power_off(void) __attribute__((noreturn));
/* Folders of the guest's own devtmpfs, proc, sysfs and tmpfs, whatever the root is. */
extern int guest_dev, guest_proc, guest_sys, guest_run;
uint64_t guest_now_us(void); /* CLOCK_BOOTTIME */
extern uint64_t guest_phases[AGENT_PHASES];
/* A whole small file, NUL-terminated: its size, or -errno. Trailing newlines are cut off. */
ssize_t guest_read_file(int dir, const char *path, char *to, size_t room);
int guest_write_file(int dir, const char *path, const void *from, size_t size);
/* Calls `each` with every name in the folder until it returns non-zero, which is returned. */
int guest_each(int dir, const char *path, int (*each)(int dir, const char *name, void *data),
               void *data);

/* Text put together in a fixed room; what does not fit is cut off. */
struct guest_text {
    char *to;
    size_t room, used;
};
void guest_put(struct guest_text *t, const char *s);
void guest_put_number(struct guest_text *t, uint64_t n, unsigned base);
uint64_t guest_number(const char **s); /* decimal digits; `*s` stands behind them then */

/* --- guest_port.c: the way to the host ---------------------------------------------------------
 */

/* What it is to be. */
void port_prepare(const char *transport);
/* Waits for the device and for a host, opens it as AGENT_FD. Lets SIGIO into `waiting`. */
void port_open(sigset_t *waiting);
/* Whether somebody is at the other end; if not, what to poll until there may be (FD_NONE: a signal
 * comes). */
bool port_is_connected(int *ret_wait);
/* Another connection of the host's takes the place of the one there is: readable when it comes;
 * FD_NONE: none can. */
int port_callers(void);
void port_change(void);
ssize_t port_read(void *to, size_t size);
/* At most 64 KiB at a time, sent by port_flush() or when much is waiting. */
int port_write(const void *from, size_t size);
int port_flush(void); /* waits for room; -errno: the host is gone */

/* --- guest_tree.c: paths below the root to be ------------------------------------------------- */

extern int tree_root;                       /* O_PATH; the workload's root */
int tree_open(const char *path, int flags); /* never leaves the root. -errno */
/* Opens (O_PATH) the folder the path's last part is in, made with what is above it if `make`. */
int tree_parent(const char *path, bool make, const char **ret_leaf);
int tree_folder(const char *path, unsigned mode); /* made if missing; O_PATH descriptor or -errno */
/* A new mount, detached: options are "name=value" or "name", NULL last. */
int tree_new_fs(const char *type, const char *source, const char *const *options, unsigned flags);
int tree_clone(int dir, const char *path, bool recursive);
int tree_attributes(int tree, uint64_t set, bool recursive);
int tree_attach(int tree, int place);
uint64_t tree_flags(unsigned flags); /* AGENT_STEP_… as MOUNT_ATTR_… */

/* --- guest_steps.c, guest_mounts.c, guest_net.c ------------------------------------------------
 */

int steps_run(const struct agent_step_view *v); /* 0 or -errno */
const char *steps_name(uint32_t kind);
bool steps_entered(void);
extern int steps_lower, steps_upper; /* O_PATH folders for the diff; FD_NONE: none */
extern int steps_scratch;            /* O_RDONLY folder of the scratch file system */
extern int steps_disks[8]; /* those that can be written to, the scratch among them; FD_NONE: none */
extern uint32_t steps_seeded;

int mounts_lower(const struct agent_step_view *v);
int mounts_upper(const struct agent_step_view *v);
int mounts_root(const struct agent_step_view *v);
int mounts_enter(void);
int mounts_new(const struct agent_step_view *v);
int mounts_disk(const struct agent_step_view *v);
int mounts_device(const struct agent_step_view *v);
int mounts_mask(const struct agent_step_view *v);
int mounts_readonly(const struct agent_step_view *v);

int net_loopback(void);
int net_mac(const struct agent_step_view *v);
int net_address(const struct agent_step_view *v);
void net_read_mac(char to[20]); /* of the first that is not lo, once a step was about one; "" */

/* The confinement of commands: noted, and later applied in their children. */
int confine_step(const struct agent_step_view *v); /* RLIMIT, LIMIT, CAPABILITIES, FILTER */
pid_t confine_fork(void);                          /* of a command: where its limits are */
int confine_apply(void);

/* --- guest_pump.c: streams between commands and frames -----------------------------------------
 */

enum { PUMP_WATCH_MAX = 3 * AGENT_CHANNELS_MAX + AGENT_TRANSFERS_MAX };
void pump_started(uint16_t channel, pid_t pid, const int *fds, size_t count);
void pump_exited(uint16_t channel, int status);
void pump_copied(uint16_t number, int code, const char *text);
int pump_transfer(const struct agent_frame *f); /* COPY_IN, COPY_OUT, CHANGES: 0, -EBADMSG */
int pump_data(const struct agent_frame *f);
int pump_credit(const struct agent_frame *f);
int pump_resize(const struct agent_frame *f);
bool pump_is_free(uint16_t channel);
size_t pump_watch(struct pollfd *ret);
void pump_ready(const struct pollfd *p);
void pump_adopt(void); /* QUIESCE_ADOPT's part */

/* --- guest_state.c -----------------------------------------------------------------------------
 */

void state_ready(void); /* sends READY */
void state_sample(void);
int state_quiesce(const struct agent_frame *f, bool *ret_quiet);

/* --- guest_changes.c ---------------------------------------------------------------------------
 */

void changes_note_made(void); /* what is in the upper now is the set-up's */
/* In a child: writes struct agent_change and names to `fd`; reports; ends. */
void changes_run(int fd, int report) __attribute__((noreturn));

#endif
