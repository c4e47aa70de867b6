/*
 * The making of a native container, in the child that becomes its PID 1. Everything here runs after
 * clone3(2) and before execveat(2), single-threaded, and reports through one socket.
 */
#ifndef COFFERDAM_BACKENDS_ROOT_SETUP_H
#define COFFERDAM_BACKENDS_ROOT_SETUP_H

#include "app/plan/plan.h"
#include "backends/root/ids.h"
#include "backends/root/snapshot_made.h"
#include "backends/root/tree.h"
#include "backends/seccomp/seccomp_cache.h"
#include "base/error.h"
#include "base/str.h"

/* What the child tells its parent, one packet each. */
enum setup_word {
    SETUP_SCRATCH = 1, /* the scratch folder is attached */
    SETUP_ABOUT_TO_EXEC,
    SETUP_FAILED, /* `error` says where and why */
    SETUP_LEFT,   /* a mother is in her namespaces, whose id maps can be written */
    SETUP_BORN,   /* PID 1 is `pid`, a child of the parent's; the sender goes */
};
struct setup_message {
    enum setup_word word;
    int pid; /* as the parent sees it */
    struct error error;
};

/* What the parent sends once id maps are written and the control group is joined: this one byte. */
enum { SETUP_GO = 'g' };

struct setup {
    const struct plan *plan;
    const struct root_ids *ids;
    const struct seccomp_program *filter;
    bool wait;  /* the parent has work to do first: wait for its word */
    bool early; /* cloned before there was a plan: this comes through `control`, as much else */
    bool mother; /* of PID 1, not to become it */
    uint32_t shape; /* of one cloned early: PLAN_NS_… */

    int control; /* SOCK_SEQPACKET to the parent */
    int agent;   /* becomes AGENT_FD */
    int copies;  /* records of every PLAN_MOUNT_COPY, in their order; FD_NONE: none */
    int init;    /* cofferdam-init; from the parent's mount namespace until it is cloned here */

    /* what has been made so far */
    int *sources; /* by mount: a detached tree, or an overlay's lower folder; FD_NONE */
    int *cover;   /* by mount: the later overlay in whose upper folder it is made, or -1 */
    bool *skip;   /* by mount: optional, and its source is missing */
    int *sysctls; /* by sysctl: its file, until it is written; FD_NONE */
    int *lent;    /* by mount: what the parent has made of it (lent.h); NULL: nothing */
    int *lowers;  /* of the overlay with layers (lowers.h), the lowest first */
    size_t lowers_count;
    bool lowers_hang;          /* they are trees the parent has made */
    int scratch;               /* the scratch folder */
    int root;                  /* the root in the making */
    struct tree_near near;     /* of `root` */
    int proc;                  /* the workload's /proc, above what covers it */
    int executable;            /* cofferdam-init on a read-only mount of its own */
    unsigned files;            /* that stand over others so far */
    unsigned layers;           /* overlays so far */
    struct buf made;           /* paths set-up made, NUL-separated */
    int snapshot;              /* where it starts from (snapshot.h); 0 or FD_NONE: from nothing */
    struct made_list restored; /* what set-up had made when the snapshot's workload began */
    struct error error;
};

/*
 * Runs the stages in order, of which the last never returns; at the first that fails the parent is
 * told (SETUP_FAILED) and the process ends.
 */
void setup_run(struct setup *s, int (*const *stages)(struct setup *s), size_t count)
    __attribute__((noreturn));

/* errno into s->error, "what" in front; returns -errno. */
int setup_fail(struct setup *s, const char *what);
/* Dies with the parent, also after a change of ids; one that has gone already has hung up: -ESRCH. */
int setup_follow_parent(struct setup *s);
/* One packet to the parent; `fd` FD_NONE: none goes with it. */
void setup_tell(const struct setup *s, enum setup_word word, int fd);

/* Stages: each 0, or -errno with s->error. Those of stages.c: */
int setup_begin(struct setup *s);          /* session, signals, umask; dies with the parent */
int setup_private_mounts(struct setup *s); /* nothing mounted from here on is seen outside */
int setup_wait(struct setup *s);           /* for the parent's word */
int setup_ids(struct setup *s);            /* becomes the workload's root; the time namespace */
/*
 * For who starts programs of its own: before Linux 6.3 vfork(2) is refused while the time namespace
 * of one's children is not one's own.
 */
int setup_enter_time(struct setup *s);
int setup_cgroup_namespace(struct setup *s);
int setup_send_scratch(struct setup *s);
/* Those that fill files of their own: */
int setup_open_sources(struct setup *s);
int setup_scratch(struct setup *s);
int setup_mounts(struct setup *s);
int setup_write_made(struct setup *s); /* the list of what set-up made; before it ends */
int setup_pivot(struct setup *s);
int setup_sysctls(struct setup *s);

/*
 * Sends, for every PLAN_MOUNT_COPY of `p` in order, an int (0 or -errno) and the reading end of a
 * pipe that carries its records. Runs in a process of its own, with the rights of whoever asked.
 */
void root_send_copies(const struct plan *p, int socket);

#endif
