/* What the monitor's files of this folder share: one launch. */
#ifndef COFFERDAM_BACKENDS_CONTAINERD_INTERNAL_H
#define COFFERDAM_BACKENDS_CONTAINERD_INTERNAL_H

#include "app/plan/handler.h"
#include "backends/cgroup/cgroup.h"
#include "backends/containerd/ctr.h"
#include "backends/hands/remote.h"
#include "backends/root/check.h"
#include "backends/root/ids.h"

struct launch {
    struct plan *plan;           /* owned */
    struct plan_handler handler; /* owned */
    bool own_kernel;             /* behind the handler: no user namespace of the host's */
    char *command;               /* owned; for wishes */
    struct launch_wishes wishes;
    struct launch_env env; /* its descriptors are borrowed */
    char **shortfalls;     /* owned */

    /* from here on: of the run that is going on, or the last one */
    struct root_ids ids;
    struct cgroup *cgroup;            /* owned */
    struct remote far;                /* our own process, which calls ctr */
    char *rootfs, *config, *pid_file; /* owned; paths in our runtime folder */
    bool journalled, removed;         /* something may be there; it is gone */
};

/* root.c: containerd's snapshot of the image, mounted, with what the plan makes in it. */
int containerd_make_root(struct launch *l, struct error *e);
/* config.json beside it. */
int containerd_write_config(struct launch *l, struct error *e);

/* hands.c: starts our own process, which starts the workload. */
int hands_begin(struct launch *l, struct error *e);

#endif
