/* The workload a verb works on while it runs. */
#ifndef COFFERDAM_APP_CLI_RUNNING_H
#define COFFERDAM_APP_CLI_RUNNING_H

#include "console/state.h"

/*
 * As state_find(), for verbs that need its processes: -ESRCH with the phase in words where it does
 * not run (any more) or is paused. The record is the caller's on success only.
 */
int running_find(const struct dirs *d, const char *word, struct state_record *ret, struct error *e);

#endif
