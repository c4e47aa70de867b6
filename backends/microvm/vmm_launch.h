/* The slots of struct launch_ops that all machines share, and the launch as they hold it. */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_LAUNCH_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_LAUNCH_H

#include "backends/agent/agent_guest.h"
#include "backends/cgroup/cgroup.h"
#include "backends/guest/guest_ask.h"
#include "backends/guest/guest_tail.h"
#include "backends/guest/guest_told.h"
#include "backends/guest/guest_watch.h"
#include "backends/microvm/driver.h"
#include "backends/microvm/vmm_hands.h"
#include "backends/microvm/vmm_serving.h"
#include "backends/microvm/vmm_snapshot.h"
#include "backends/microvm/vmm_start.h"

/* Points on the way of a launch, in microseconds of CLOCK_MONOTONIC; 0: not come by. */
enum vmm_phase {
    VMM_PHASE_BEGIN,  /* start() */
    VMM_PHASE_JAIL,   /* cgroup, ids and sockets are there */
    VMM_PHASE_EXEC,   /* the program runs */
    VMM_PHASE_POWER,  /* it has been told to start the guest */
    VMM_PHASE_KERNEL, /* the guest's kernel has printed something */
    VMM_PHASE_HELLO,  /* the agent has spoken */
    VMM_PHASE_READY,  /* the guest's root stands */
    VMM_PHASE_STARTED,
    VMM_PHASES,
};

/* A start that is under way. */
struct vmm_booting {
    bool warming, asked; /* the template is being written; the guest has been told what to do */
    bool started, ready, failed, exited;
    pid_t pid_inside;
    int status;                    /* once exited */
    struct launch_streams streams; /* owned, once started */
    struct error error;            /* once failed */
    int limit;                     /* owned; a timer: it takes too long */
    unsigned limit_s;
};

struct launch {
    const struct vmm_driver *driver;
    struct plan *plan, *jail; /* owned */
    char *command;            /* owned; for wishes */
    struct launch_wishes wishes;
    struct launch_env env; /* its descriptors are borrowed */
    char **shortfalls;     /* owned */

    /* from here on: of the run that is going on, or the last one */
    struct root_ids ids;
    struct cgroup *cgroup; /* owned */
    struct net_translator net;
    struct agent_host *agent;    /* owned */
    struct vmm_control *control; /* owned */
    int control_watched;         /* in l->epoll; FD_NONE: no more */
    pid_t pid;                   /* 0: none, or reaped */
    int pidfd, epoll;            /* owned */
    struct vmm_meeting meeting;  /* owned; of a driver that meets */
    struct vmm_serving serving;  /* owned; who serves its folders */
    int kernel, errors;          /* owned; what the guest's kernel and the program print */
    struct guest_tail kernel_tail, errors_tail;
    struct buf printed;          /* by the kernel, and not told yet */
    int metrics;                 /* owned; what it counts, a line at a time; FD_NONE: none */
    struct buf metrics_line;     /* the line that is coming */
    struct launch_sample counts; /* the guest_… and says_… members alone */
    uint64_t measured_ms;        /* by the clock of loop.h */
    uint64_t asked_ms;           /* likewise; the guest, for its figures */
    struct guest_copies copies;  /* during a start */
    struct vmm_hands hands;
    struct vmm_saving saving;
    int patience; /* owned; a timer: of `saving` */
    char *over;   /* owned; vmm_over() of what it was started on */
    int scratch;  /* owned; of the scratch disk, for reading; FD_NONE: none */
    bool resumed; /* from a snapshot or a template, and not from nothing */
    bool tracks;  /* what it changes of its memory can be told */
    bool based;   /* and from what, who makes snapshots has */
    uint64_t phases[VMM_PHASES];
    uint64_t guest_us[AGENT_PHASES]; /* the agent's own word, by the guest's clock */
    struct vmm_booting *booting;     /* owned; NULL: the start is over */
    struct guest_told told;
    int status; /* of main; -1: not known */
    bool agent_closed, reaped, ended, frozen;
    bool killed;        /* as asked for */
    uint64_t ballooned; /* bytes of its memory that the guest has been asked for */
    int wait_status;    /* as waitpid(2), once reaped */
    char why[320];      /* what went wrong; empty: nothing */
};

/* vmm_boot.c: from nothing to a running command, or nothing again. launch_ops.start */
int vmm_boot(struct launch *l, struct launch_streams *ret_streams, struct error *e);

/* vmm_scratch.c: a disk that begins as the file `from` (FD_NONE: as an empty file system) and has
 * no name. `*ret` is the program's, l->scratch ours. */
int vmm_scratch_make(struct launch *l, int from, int *ret, struct error *e);
/* What it boots from, for reading: the image, or a disk of somebody's. Its descriptor or -errno. */
int vmm_base_open(const struct plan *p, struct error *e);
int vmm_disk_open(const struct plan *p, size_t disk, struct error *e); /* of plan_more_disks() */
uint64_t vmm_scratch_bytes(const struct launch *l); /* what it takes on the host's disk now */

/* vmm_setup.c: what follows, in the monitor's loop. */
int vmm_setup_begin(struct launch *l, struct error *e);
/* What the monitor has its freedom for is done: it gives that up. */
void vmm_settle(struct launch *l);
/* While l->booting: the next turn; started() or failed() of console 0 is the last. */
void vmm_setup_dispatch(struct launch *l, const struct launch_events *events, void *data);
void vmm_setup_end(struct launch *l); /* wherever it is; over is fine */

/* vmm_events.c */
/* Main has ended by itself. */
void vmm_main_exited(struct launch *l, int status, const struct launch_events *events, void *data);
size_t vmm_watch(const struct launch *l, int fds[4]);
void vmm_dispatch(struct launch *l, const struct launch_events *events, void *data);
int vmm_greet(struct launch *l, struct error *e);      /* takes the agent in, if it has called */
int vmm_watch_open(struct launch *l, struct error *e); /* all there is to watch, in l->epoll */
void vmm_drain(struct launch *l); /* what is printed and counted, the control channel */
void vmm_tell_printed(struct launch *l, const struct launch_events *events, void *data);
void vmm_drain_metrics(struct launch *l);
bool vmm_reap(struct launch *l); /* true: it has ended, now or before */
/* Before that: a machine one of whose folders nobody serves any more is switched off, and why. */
void vmm_serving_look(struct launch *l);
void vmm_switch_off(struct launch *l);                  /* at once, without waiting */
void vmm_agent_gone(struct launch *l, const char *why); /* as agent_host's closed() says it */
void vmm_explain_end(struct launch *l); /* fills in l->why from what is known of the end */
/* Kills the program and forgets all of this run but what was said last. */
void vmm_stop(struct launch *l);

/* vmm_snapshot.c */
unsigned vmm_snapshots(const struct launch *l, uint64_t ret_cost[2]);
int vmm_snapshot(struct launch *l, uint32_t request, const struct launch_snapshot *s,
                 struct error *e);
struct vmm_saved {
    int memory, state, scratch; /* owned; for reading alone; scratch FD_NONE: none was saved */
};
void vmm_saved_close(struct vmm_saved *s);
/* There is a template, and it is this machine's: by this very program. */
bool vmm_is_warm(const struct launch *l);
/* -ESTALE: another program has written it. */
int vmm_resume_open(const struct launch *l, const char *path, struct vmm_saved *ret,
                    struct error *e);
int vmm_resume_ask(struct launch *l, struct error *e); /* the guest, who it is from now on */
/* -EPROTO: it is not who it was told to be. */
int vmm_resume_verify(const struct launch *l, const struct agent_ready *ready, struct error *e);

/* vmm_launch.c: the rest of struct launch_ops. */
int vmm_running(const struct launch *l, struct error *e); /* 0, or -ESRCH */
const struct launch_wishes *vmm_wishes(const struct launch *l);
pid_t vmm_pid(const struct launch *l);
int vmm_exec(struct launch *l, uint32_t console, const struct launch_exec *x, struct error *e);
int vmm_signal(struct launch *l, uint32_t console, int signo, struct error *e);
int vmm_resize(struct launch *l, uint32_t console, uint16_t rows, uint16_t cols);
int vmm_copy_in(struct launch *l, uint32_t transfer, const char *path, int fd, struct error *e);
int vmm_copy_out(struct launch *l, uint32_t transfer, const char *path, int fd, struct error *e);
int vmm_freeze(struct launch *l, bool frozen, struct error *e);
int vmm_update(struct launch *l, const struct launch_limits *x, struct error *e);
int vmm_sample(struct launch *l, struct launch_sample *ret);
int vmm_kill(struct launch *l, struct error *e);
int vmm_ask_changes(struct launch *l, uint32_t request, struct error *e);
const char *vmm_told_changes(const struct launch *l);
size_t vmm_phases(const struct launch *l, struct launch_phase *ret, size_t most);
char *const *vmm_shortfalls(const struct launch *l);
size_t vmm_reach(const struct launch *l, struct launch_reach *ret, size_t most, bool *ret_proc);
int vmm_clean(struct launch *l, struct error *e);
void vmm_free(struct launch *l);

/* What is the monitor's to see of a driver: all that is the same, and update(): NULL, or
 * vmm_update() of one that has a balloon(). */
// clang-format off
#define VMM_LAUNCH_OPS(its_name, its_open, its_update) {                                          \
    .name = (its_name), .open = (its_open), .wishes = vmm_wishes, .start = vmm_boot,              \
    .watch = vmm_watch, .dispatch = vmm_dispatch, .pid = vmm_pid, .exec = vmm_exec,               \
    .signal = vmm_signal, .resize = vmm_resize, .copy_in = vmm_copy_in, .copy_out = vmm_copy_out, \
    .freeze = vmm_freeze, .update = (its_update), .sample = vmm_sample, .kill = vmm_kill,         \
    .ask_changes = vmm_ask_changes, .told_changes = vmm_told_changes,                             \
    .snapshots = vmm_snapshots, .snapshot = vmm_snapshot, .phases = vmm_phases,                   \
    .shortfalls = vmm_shortfalls, .reach = vmm_reach, .clean = vmm_clean, .free = vmm_free,       \
}
// clang-format on

#endif
