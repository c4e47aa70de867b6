/* Our own container runtime: namespaces, mounts, capabilities, a filter and Landlock. */
#ifndef COFFERDAM_BACKENDS_NATIVE_NATIVE_H
#define COFFERDAM_BACKENDS_NATIVE_NATIVE_H

#include "backends/backend.h"
#include "backends/launch.h"

extern const struct backend native_backend;       /* for the CLI and the TUI */
extern const struct launch_ops native_launch_ops; /* for the monitor */

#endif
