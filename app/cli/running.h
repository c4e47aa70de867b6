/* The workload a verb works on. */
#ifndef COFFERDAM_APP_CLI_RUNNING_H
#define COFFERDAM_APP_CLI_RUNNING_H

#include "app/cli/verb.h"
#include "console/state.h"

/*
 * As state_find(), for verbs that need its processes: -ESRCH with the phase in words where it does
 * not run (any more) or is paused. The record is the caller's on success only.
 */
int running_find(const struct dirs *d, const char *word, struct state_record *ret, struct error *e);

/*
 * For verbs of one workload, alive or not: finds the one that is named and gives what `run`
 * returns, an exit status; the record is borrowed by it. Says by itself what is wrong otherwise.
 */
typedef int workload_run(const struct cli *c, const struct dirs *d, const struct state_record *r,
                         void *data);
int workload_verb(const struct cli *c, workload_run *run, void *data);
/* The same for one or several, one after another; several have their names in front. */
int workloads_verb(const struct cli *c, workload_run *run, void *data);

#endif
