/* Starting workloads from a snapshot: the same one again, or others. */
#ifndef COFFERDAM_APP_CLI_SNAPSHOT_START_H
#define COFFERDAM_APP_CLI_SNAPSHOT_START_H

#include "app/cli/launch.h"
#include "console/snapshots.h"

struct snapshot_start {
    const struct snapshot_record *snapshot; /* borrowed */
    const char *name;                       /* of the new workload */
    bool fresh;                             /* it is another one */
    char *const *labels;                    /* beside those of the plan; may be NULL */
    char *const *command;                   /* instead of the plan's; NULL: that */
    enum plan_disks disks;                  /* of a whole machine */
};

/*
 * Reads the snapshot's plan, renews it and checks it, as any launch is. launching_done() is the
 * caller's in every case.
 */
int snapshot_prepare(const struct snapshot_start *s, const struct dirs *d, struct launching *ret,
                     struct error *e);

/* What one that is another now has of the first and cannot be told, a sentence; NULL: nothing. */
const char *snapshot_same_inside(const struct snapshot_start *s, const struct plan *p);

/* -EPERM: its profile wants no such one, of which there is something it cannot be told. */
int snapshot_may_be_fresh(const struct snapshot_start *s, const struct plan *p, struct error *e);

#endif
