/* Firecracker: a microVM on KVM, through its API (github.com/firecracker-microvm/firecracker). */
#ifndef COFFERDAM_BACKENDS_MICROVM_FIRECRACKER_H
#define COFFERDAM_BACKENDS_MICROVM_FIRECRACKER_H

#include "backends/backend.h"
#include "backends/launch.h"

extern const struct backend firecracker_backend;       /* what the CLI sees */
extern const struct launch_ops firecracker_launch_ops; /* what the monitor sees */

#endif
