/* Who serves folders of this host to a guest: a virtiofsd for each, in a jail of its own. */
#ifndef COFFERDAM_BACKENDS_MICROVM_VMM_SERVING_H
#define COFFERDAM_BACKENDS_MICROVM_VMM_SERVING_H

#include "backends/microvm/vmm_start.h"

/* vmm_serving_init()ed: none. */
struct vmm_serving {
    int errors; /* owned; what they say is wrong; FD_NONE: none runs */
    struct vmm_server {
        pid_t pid; /* 0: reaped */
        int pidfd; /* owned */
    } list[VMM_SHARES_MAX];
    unsigned count;
};

/*
 * A socket for who serves to listen on, and one that is connected to it; both the caller's. It is
 * made in `folder`, which is private, and its name is gone when this returns.
 */
int vmm_serving_pair(int folder, int ret_pair[2], struct error *e);

void vmm_serving_init(struct vmm_serving *s);

/*
 * Starts one for each that the plan says, which ends with its one connection. `w` has the fields
 * env, ids and cgroup; `listeners`: vmm_served() of them, borrowed. On failure those that run are
 * vmm_serving_end()'s.
 */
int vmm_serving_start(const struct plan *p, const struct vmm_wish *w, const int *listeners,
                      struct vmm_serving *ret, struct error *e);

/*
 * Whether one has ended, which is then reaped: its number, and how as waitpid(2) says it; -1: none.
 * Once for each.
 */
int vmm_serving_lost(struct vmm_serving *s, int *ret_status);

void vmm_serving_end(struct vmm_serving *s); /* ends all; none is fine */

#endif
