/* A plan as an OCI bundle in a folder, for somebody to run with a runtime by hand. */
#ifndef COFFERDAM_APP_CLI_BUNDLE_H
#define COFFERDAM_APP_CLI_BUNDLE_H

#include "app/plan/plan.h"

/*
 * Makes `folder`, which must not be there, with config.json and rootfs, a copy of the image. Under
 * root the files are those of a subordinate range of ids, which config.json maps. An image that is
 * no folder of its own (host), or of several layers, is refused (-ENOTSUP). The plan's limits become
 * no higher than our own.
 */
int bundle_write(struct plan *p, const char *folder, struct error *e);

#endif
