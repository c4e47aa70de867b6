/* What the monitor's files of this folder share: one launch. */
#ifndef COFFERDAM_BACKENDS_OCI_INTERNAL_H
#define COFFERDAM_BACKENDS_OCI_INTERNAL_H

#include "backends/cgroup/cgroup.h"
#include "backends/hands/remote.h"
#include "backends/net/translator.h"
#include "backends/oci/hands.h"
#include "backends/root/start.h"
#include "backends/seccomp/seccomp_cache.h"

struct launch {
    struct plan *whole; /* owned; as it was asked for */
    struct plan *plan;  /* owned; what we make of it ourselves */
    char *command;      /* owned; for wishes */
    struct launch_wishes wishes;
    struct launch_env env; /* its descriptors are borrowed */
    enum oci_kind kind;
    struct seccomp_program filter; /* owned; gVisor's, where the plan wants one */
    char **shortfalls;             /* owned */

    /* from here on: of the run that is going on, or the last one */
    char *config; /* owned; during a start */
    struct root_ids ids;
    struct root_lowers lowers; /* owned; during a start */
    struct root_lent lent;     /* owned; during a start */
    int snapshot;              /* owned; during a start */
    struct cgroup *cgroup;     /* owned */
    struct net_translator net;
    struct remote far; /* our own process beside the workload */
    int scratch;       /* owned; the folder of backends/changes.h */
    bool frozen;
};

/* plan_share.c: leaves in `p` what we make; makes the places the runtime will mount on. */
void oci_share_plan(struct plan *p, enum oci_kind kind);

/* start.c: up to the command's start. On failure what is left is for oci_end(). */
int oci_start_workload(struct launch *l, struct launch_streams *ret, struct error *e);
/* Ends everything inside and waits for it. `*ret_status` as waitpid(2), or NULL. */
void oci_end(struct launch *l, int *ret_status);

#endif
