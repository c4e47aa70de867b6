/*
 * A control group from the service manager, the user's own or, for root, the system's. Users may
 * not make one themselves; root may, but the manager takes controllers back that its own units no
 * longer want, and with them the limits of what it does not know of.
 */
#ifndef COFFERDAM_BACKENDS_CGROUP_SCOPE_H
#define COFFERDAM_BACKENDS_CGROUP_SCOPE_H

#include "app/plan/plan.h"

#include <sys/types.h>

/*
 * To be called by whoever starts a monitor, once it runs and before it makes its workload, where
 * plan_host.cgroup is PLAN_CGROUP_SYSTEMD: moves `monitor` into cofferdam-ID.scope, delegated to
 * us. There the monitor finds itself (cgroup_make()) and makes the workload's own group. The scope
 * ends by itself with its last process. Loads cofferdam-systemd.so.
 */
int cgroup_scope_start(const char *id, const char *name, pid_t monitor, struct error *e);

/* Whether the manager answers, for doctor. */
int cgroup_scope_probe(struct error *e);

#endif
