/* The parent's half of making a root: the child is cloned, mapped, fed with copies, listened to. */
#ifndef COFFERDAM_BACKENDS_ROOT_START_H
#define COFFERDAM_BACKENDS_ROOT_START_H

#include "backends/cgroup/cgroup.h"
#include "backends/root/lent.h"
#include "backends/root/lowers.h"
#include "backends/root/setup.h"

struct root_start {
    /* what is wanted; all borrowed */
    const struct plan *plan;
    const struct launch_env *env;
    struct root_ids *ids;
    struct root_lowers *lowers;
    struct root_lent *lent;
    int snapshot; /* of root_snapshot_open(); 0 or FD_NONE: it starts from nothing */
    struct cgroup *cgroup;
    uint64_t namespaces; /* CLONE_NEW… */
    /* In the child, single-threaded, with `s` filled in but for what is the caller's own. */
    void (*child)(struct setup *s, void *data) __attribute__((noreturn));
    void *data;
    /* Outside, while the child waits in its namespaces; NULL: nothing. 0 or -errno */
    int (*before)(void *data, pid_t child, struct error *e);
    void *before_data;

    /* what it has come to; the caller's */
    pid_t pid;    /* 0: none */
    int pidfd;    /* owned; -1: none */
    int control;  /* owned; our end of the socket to the child */
    pid_t sender; /* of the copies; 0: none */
};

/*
 * Clones the child into its namespaces and control group, writes its id maps and sets the copies
 * going. On failure pid and pidfd may be set: the caller ends the child, and then calls
 * root_start_done().
 */
int root_start_clone(struct root_start *r, struct error *e);

/* Once set-up has ended: sees the sender of the copies off and closes what is ours to close. */
void root_start_done(struct root_start *r);

/* -EPERM if what the child of root has made in `scratch` belongs to root. */
int root_start_verify_owner(int scratch, struct error *e);

#endif
