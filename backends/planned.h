/* What a plan says, in the words of the launch table: the same for every backend. */
#ifndef COFFERDAM_BACKENDS_PLANNED_H
#define COFFERDAM_BACKENDS_PLANNED_H

#include "app/plan/plan.h"
#include "backends/launch.h"

/*
 * What the monitor is to know of a workload. Everything in `*ret` is borrowed: from `p`, and
 * `command`, its argv as one line.
 */
void planned_wishes(const struct plan *p, const char *command, struct launch_wishes *ret);

#endif
