/* Runtimes behind containerd: Kata, and any other handler it has. */
#ifndef COFFERDAM_BACKENDS_CONTAINERD_CONTAINERD_H
#define COFFERDAM_BACKENDS_CONTAINERD_CONTAINERD_H

#include "backends/backend.h"
#include "backends/launch.h"

extern const struct backend kata_backend;
extern const struct backend containerd_backend;         /* handlers that make containers */
extern const struct backend containerd_sandbox_backend; /* with a kernel of their own */
extern const struct launch_ops containerd_launch_ops;

#endif
