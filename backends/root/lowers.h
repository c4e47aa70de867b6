/*
 * The layers of an image below an overlay: folders of the store, opened by the workload's set-up,
 * or, where their files belong to the store's own ids, mounts on which these become the workload's
 * (idmapped; only root of the host can make them, so the parent does, before it clones).
 */
#ifndef COFFERDAM_BACKENDS_ROOT_LOWERS_H
#define COFFERDAM_BACKENDS_ROOT_LOWERS_H

#include "backends/root/ids.h"
#include "backends/root/setup.h"

struct root_lowers {
    int *fds; /* owned; the lowest first; detached trees */
    size_t count;
};

/* The overlay with layers, or NULL; a plan has one at most (root_check_plan()). */
const struct plan_mount *root_lowers_mount(const struct plan *p);

/* In the parent. Nothing to do for layers that belong to the workload's own ids. */
int root_lowers_open(const struct plan *p, const struct root_ids *ids, struct root_lowers *ret,
                     struct error *e);
void root_lowers_close(struct root_lowers *l);

/* In the child: opens them, or takes the parent's, into s->lowers. A descriptor of the lowest. */
int setup_open_lowers(struct setup *s, const struct plan_mount *m);
/* In the child, around the mount: the parent's trees have to hang somewhere of ours meanwhile. */
int setup_hang_lowers(struct setup *s);
void setup_drop_lowers(struct setup *s);

#endif
