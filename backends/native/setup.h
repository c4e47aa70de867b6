/*
 * The making of a native container, in the child that becomes its PID 1. Everything here runs after
 * clone3(2) and before execveat(2), single-threaded, and reports through one socket.
 */
#ifndef COFFERDAM_BACKENDS_NATIVE_SETUP_H
#define COFFERDAM_BACKENDS_NATIVE_SETUP_H

#include "app/plan/plan.h"
#include "backends/native/ids.h"
#include "backends/native/seccomp_cache.h"
#include "backends/native/tree.h"
#include "base/error.h"
#include "base/str.h"

/* What the child tells its parent, one packet each. */
enum setup_word {
    SETUP_SCRATCH = 1, /* the scratch folder is attached */
    SETUP_ABOUT_TO_EXEC,
    SETUP_FAILED, /* `error` says where and why */
};
struct setup_message {
    enum setup_word word;
    struct error error;
};

/* What the parent sends once id maps are written and the control group is joined: this one byte. */
enum { SETUP_GO = 'g' };

struct setup {
    const struct plan *plan;
    const struct native_ids *ids;
    const struct seccomp_program *filter;
    bool wait; /* the parent has work to do first: wait for its word */

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
    bool lowers_hang;      /* they are trees the parent has made */
    int scratch;           /* the scratch folder */
    int root;              /* the root in the making */
    struct tree_near near; /* of `root` */
    int proc;              /* the workload's /proc, above what covers it */
    int executable;        /* cofferdam-init on a read-only mount of its own */
    unsigned files;        /* that stand over others so far */
    unsigned layers;       /* overlays so far */
    struct buf made;       /* paths set-up made, NUL-separated */
    struct error error;
};

/* Runs every stage and becomes cofferdam-init. Never returns. */
void setup_run(struct setup *s) __attribute__((noreturn));

/* The stages that fill files of their own. Each 0, or -errno with s->error. */
int setup_open_sources(struct setup *s);
int setup_scratch(struct setup *s);
int setup_mounts(struct setup *s);
int setup_pivot(struct setup *s);
int setup_sysctls(struct setup *s);
int setup_landlock(struct setup *s);
int setup_bounding_set(struct setup *s);
int setup_capabilities(struct setup *s);

#endif
