/* The one place that knows which runtimes this build has. */
#include "app/plan/handler.h"
#include "backends/backend.h"
#include "backends/containerd/containerd.h"
#include "backends/libvirt/libvirt.h"
#include "backends/microvm/cloud_hypervisor.h"
#include "backends/microvm/firecracker.h"
#include "backends/microvm/qemu.h"
#include "backends/native/native.h"
#include "backends/oci/oci.h"
#include "base/str.h"

const struct backend *const backends[] = {
    &native_backend,      &crun_backend,
    &runc_backend,        &runsc_backend,
    &kata_backend,        &containerd_backend,
    &qemu_backend,        &libvirt_backend,
    &qemu_whole_backend,  &firecracker_backend,
    &cloud_hypervisor_backend,
};
const size_t backends_count = ARRAY_SIZE(backends);

/* What each boundary needs where this version has no runtime for it. */
static const char *const boundary_lacks[] = {
    [PLAN_CONTAINER] = "a container runtime, and this build has none",
    [PLAN_SANDBOX] = "gVisor or Kata, which this build does not drive",
    [PLAN_MICROVM] = "a virtual machine monitor, and this build has none",
    [PLAN_VM] = "libvirt, and this build has none",
};

const struct backend *backend_find(const char *runtime, enum plan_boundary b)
{
    if (runtime[0] == '/')
        return plan_runtime_is(runtime, "firecracker")        ? &firecracker_backend
               : plan_runtime_is(runtime, "cloud-hypervisor") ? &cloud_hypervisor_backend
               : plan_runtime_is(runtime, "runsc")            ? &runsc_backend
                                                              : &oci_path_backend;
    if (plan_handler_is(runtime) && !str_equal(runtime, "kata"))
        return plan_handler_has_kernel(runtime) ? &containerd_sandbox_backend : &containerd_backend;
    const struct backend *found = NULL;
    for (size_t i = 0; i < backends_count; i++)
        if (str_equal(backends[i]->name, runtime) && (!found || backends[i]->boundary == b))
            found = backends[i];
    return found;
}

const struct backend *backend_for(enum plan_boundary b, struct error *e)
{
    for (size_t i = 0; i < backends_count; i++)
        if (backends[i]->boundary == b)
            return backends[i];
    error_set(e, EOPNOTSUPP, "the %s boundary needs %s", plan_boundary_name(b), boundary_lacks[b]);
    return NULL;
}
