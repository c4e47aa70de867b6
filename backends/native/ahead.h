/* A container whose first process is made before its plan is known. */
#ifndef COFFERDAM_BACKENDS_NATIVE_AHEAD_H
#define COFFERDAM_BACKENDS_NATIVE_AHEAD_H

#include "backends/native/start.h"

/* launch_ops.foresee */
void native_foresee(uint32_t shape, int init, struct launch_ahead *ret);

/* Whether the one that was made is the one that is wanted. */
bool native_ahead_fits(const struct launch *l);

/* Lets it go on: its ids are written, its control group is there. `copies`: FD_NONE: none. */
int native_ahead_go(const struct launch *l, int control, int agent, int copies, struct error *e);

/* Stages: nothing to do but for a child that was made early. */
int setup_leave(struct setup *s); /* a mother's namespaces */
int setup_learn(struct setup *s); /* its plan and its filter */
int setup_heed(struct setup *s);  /* the parent's word, where the next stages need what it brings */
int setup_heed_at_last(struct setup *s); /* or where they did not */

#endif
