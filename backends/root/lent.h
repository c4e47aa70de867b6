/*
 * Root's own folders for a workload that is not root (PLAN_MOUNT_LENT): on these mounts the files
 * of the caller are the workload's user's, and everybody else's are nobody's. A device so lent is a
 * node of its own that is the user's. Only root of the host can make them, so the parent does, before
 * it clones.
 */
#ifndef COFFERDAM_BACKENDS_ROOT_LENT_H
#define COFFERDAM_BACKENDS_ROOT_LENT_H

#include "backends/root/ids.h"
#include "backends/root/setup.h"

struct root_lent {
    int *fds; /* owned; by mount: a detached tree, or FD_NONE; NULL: nothing is lent */
    size_t count;
};

int root_lent_open(const struct plan *p, const struct root_ids *ids, struct root_lent *ret,
                   struct error *e);
void root_lent_close(struct root_lent *l);

/* In the child: the tree of this mount, taken over, or FD_NONE if it is not a lent one. */
int setup_take_lent(struct setup *s, const struct plan_mount *m);
/* In the child: a tree below an overlay has to hang somewhere of ours while that is mounted. */
int setup_hang_lent(struct setup *s, const struct plan_mount *m, int tree);
void setup_drop_lent(struct setup *s, const struct plan_mount *m, int tree);

#endif
