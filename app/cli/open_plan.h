/* From a strange file to a checked plan: what `open` does, for the interface's launch sheet. */
#ifndef COFFERDAM_APP_CLI_OPEN_PLAN_H
#define COFFERDAM_APP_CLI_OPEN_PLAN_H

#include "app/cli/launch.h"

/*
 * Loads the profile into `l` with the flags of `c`, and builds and checks the plan that runs the
 * file at `path` (c->command: its arguments) in a terminal.
 */
int open_plan(struct launching *l, const struct cli *c, const char *path, const char *profile,
              struct error *e);

#endif
