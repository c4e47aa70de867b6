#include "app/monitor/launches.h"

#include "backends/libvirt/libvirt.h"
#include "backends/microvm/cloud_hypervisor.h"
#include "backends/microvm/firecracker.h"
#include "backends/containerd/containerd.h"
#include "backends/microvm/qemu.h"
#include "backends/native/native.h"
#include "backends/oci/oci.h"

#include <string.h>

static const struct {
    const char *runtime;
    const struct launch_ops *ops;
} launches[] = {
    {"native",      &native_launch_ops     },
    {"crun",        &oci_launch_ops        },
    {"runc",        &oci_launch_ops        },
    {"runsc",       &oci_launch_ops        },
    {"qemu",        &qemu_launch_ops       },
    {"firecracker", &firecracker_launch_ops},
    {"cloud-hypervisor", &cloud_hypervisor_launch_ops},
    {"libvirt",     &libvirt_launch_ops    },
    {"containerd",  &containerd_launch_ops }, /* kata too: the handler stands in the plan */
    {"/",           &oci_launch_ops        }, /* any by its path, which stands in the plan */
};

const struct launch_ops *launch_ops_find(const char *runtime)
{
    for (size_t i = 0; i < ARRAY_SIZE(launches); i++)
        if (strcmp(launches[i].runtime, runtime) == 0)
            return launches[i].ops;
    return NULL;
}
