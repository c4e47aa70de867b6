/* What a guest says of itself, as far as its machine can be that: what is beyond is cut off. */
#ifndef COFFERDAM_BACKENDS_MICROVM_SAID_H
#define COFFERDAM_BACKENDS_MICROVM_SAID_H

#include "app/plan/plan.h"
#include "backends/launch.h"
#include "init/agent.h"

/* Fills in the says_… members alone; what the guest does not know (UINT64_MAX) is not known. */
void said_take(const struct agent_sample *said, const struct plan *p, struct launch_sample *ret);

/* None of it is known any more. */
void said_forget(struct launch_sample *ret);

#endif
