/* Our own container runtime: namespaces, mounts, capabilities, a filter and Landlock. */
#ifndef COFFERDAM_BACKENDS_NATIVE_NATIVE_H
#define COFFERDAM_BACKENDS_NATIVE_NATIVE_H

#include "backends/backend.h"
#include "backends/launch.h"

extern const struct backend native_backend;       /* for the CLI and the TUI */
extern const struct launch_ops native_launch_ops; /* for the monitor */

/*
 * What no native container may be, whoever made the plan: without a user, mount or PID namespace,
 * or root inside where that would be root outside. -EINVAL or -EPERM.
 */
int native_check_plan(const struct plan *p, struct error *e);

/* -EINVAL: below /proc lie doors to other processes' roots and descriptors. */
int native_check_cwd(const char *cwd, struct error *e);

#endif
