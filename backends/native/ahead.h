/* A container whose first process is made before its plan is known. */
#ifndef COFFERDAM_BACKENDS_NATIVE_AHEAD_H
#define COFFERDAM_BACKENDS_NATIVE_AHEAD_H

#include "backends/native/start.h"

/* launch_ops.foresee */
void native_foresee(uint32_t shape, int init, struct launch_ahead *ret);

/* Whether the one that was made is the one that is wanted, in the control group `c`. */
bool native_ahead_fits(const struct launch *l, const struct cgroup *c);

/* Lets a mother bear PID 1 into the v2 group of `c`: her ids are written. The rest follows. */
int native_ahead_bear(const struct launch *l, int control, const struct cgroup *c, struct error *e);
/*
 * Lets it go on: its ids are written, its control group is there. `copies`: FD_NONE: none. `borne`:
 * native_ahead_bear() has been called before.
 */
int native_ahead_go(const struct launch *l, int control, int agent, int copies, bool borne,
                    struct error *e);

/* Stages: nothing to do but for a child that was made early. */
int setup_leave(struct setup *s); /* a mother's namespaces */
int setup_learn(struct setup *s); /* its plan and its filter */
int setup_heed(struct setup *s);  /* the parent's word, where the next stages need what it brings */
int setup_heed_joins(struct setup *s);   /* the other control groups of who was born before them */
int setup_heed_at_last(struct setup *s); /* or where they did not */

#endif
