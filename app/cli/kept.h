/* The files of a workload that has ended and was kept: only what it changed is still there. */
#ifndef COFFERDAM_APP_CLI_KEPT_H
#define COFFERDAM_APP_CLI_KEPT_H

#include "base/dirs.h"
#include "base/error.h"
#include "console/state.h"

/* The scratch folder (backends/changes.h says how it is laid out), or -errno with text. */
int kept_open_scratch(const struct dirs *d, const struct state_record *r, struct error *e);

/*
 * Finds where the change of `path`, absolute and as the workload saw it, lies: the folder that
 * holds it and its name there ("." for the folder itself), both the caller's. No link is followed
 * on the way. -ENOENT: the workload has changed nothing there.
 */
int kept_find(int scratch, const char *path, int *ret_dir, char **ret_name, struct error *e);

#endif
