/* Cloud Hypervisor: a machine on KVM, through its API (github.com/cloud-hypervisor). */
#ifndef COFFERDAM_BACKENDS_MICROVM_CLOUD_HYPERVISOR_H
#define COFFERDAM_BACKENDS_MICROVM_CLOUD_HYPERVISOR_H

#include "backends/backend.h"
#include "backends/launch.h"

extern const struct backend cloud_hypervisor_backend;       /* what the CLI sees */
extern const struct launch_ops cloud_hypervisor_launch_ops; /* what the monitor sees */

#endif
