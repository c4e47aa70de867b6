/* QEMU: a microVM on its machine `microvm`. */
#ifndef COFFERDAM_BACKENDS_MICROVM_QEMU_H
#define COFFERDAM_BACKENDS_MICROVM_QEMU_H

#include "backends/backend.h"
#include "backends/launch.h"

extern const struct backend qemu_backend;       /* what the CLI sees */
extern const struct backend qemu_whole_backend; /* the same, at the vm boundary */
extern const struct launch_ops qemu_launch_ops; /* what the monitor sees */

#endif
