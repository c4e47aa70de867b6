/* What host.c and host_cgroup.c share. */
#ifndef COFFERDAM_APP_PLAN_HOST_PARTS_H
#define COFFERDAM_APP_PLAN_HOST_PARTS_H

#include "app/plan/host.h"

/* A file of proc, sysfs or /etc as text, owned by the caller; NULL if it cannot be had. */
char *host_read(const char *path, size_t most);

/* Fills in cgroup and cgroup_controllers. */
void host_read_cgroup(struct plan_host *h);

#endif
