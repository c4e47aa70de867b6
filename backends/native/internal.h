/* What the files of this folder share: one launch as the monitor holds it. */
#ifndef COFFERDAM_BACKENDS_NATIVE_INTERNAL_H
#define COFFERDAM_BACKENDS_NATIVE_INTERNAL_H

#include "app/plan/plan.h"
#include "backends/agent/agent_host.h"
#include "backends/cgroup/cgroup.h"
#include "backends/launch.h"
#include "backends/net/translator.h"
#include "backends/root/ids.h"
#include "backends/root/lent.h"
#include "backends/root/lowers.h"
#include "backends/seccomp/seccomp_cache.h"

#include <sys/resource.h>

struct launch {
    struct plan *plan; /* owned */
    char *command;     /* owned; for wishes */
    struct launch_wishes wishes;
    struct launch_env env; /* its descriptors are borrowed */
    struct seccomp_program filter;
    char **shortfalls; /* owned */

    /* from here on: of the run that is going on, or the last one */
    struct root_ids ids;
    struct root_lowers lowers; /* owned; during a start */
    struct root_lent lent;     /* owned; during a start */
    int snapshot;              /* owned; during a start */
    struct cgroup *cgroup;     /* owned */
    struct net_translator net;
    struct agent_host *agent; /* owned */
    int control;              /* owned; during a start: to set-up, if PID 1 is being born already */
    int early;                /* 0, or what went wrong with that: -errno, with early_error */
    struct error early_error;
    pid_t pid;   /* 0: none, or reaped */
    int pidfd;   /* owned */
    int scratch; /* owned; the folder of backends/changes.h */
    int mounts;  /* owned; keeps them in being until free(); FD_NONE: nothing does */
    int status;  /* of main; -1: not known */
    bool agent_closed, ended, frozen;
    char why[256]; /* the agent's misbehaviour; empty: none */
};

/* launch_ops.dispatch */
void native_dispatch(struct launch *l, const struct launch_events *events, void *data);

#endif
