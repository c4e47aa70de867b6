/* What the CLI and the TUI see of Firecracker: what works here. */
#include "backends/microvm/firecracker.h"

#include "backends/microvm/facts.h"
#include "backends/microvm/firecracker_requests.h"
#include "base/dirs.h"
#include "base/fd.h"

#include <stdio.h>

static void firecracker_probe(const struct plan_host *host, struct backend_health *ret)
{
    static const char mend[] = "put a release of github.com/firecracker-microvm/firecracker at "
                               "/usr/local/bin/firecracker, or --runtime /PATH/TO/firecracker";
    *ret = (struct backend_health){.can = BACKEND_CAN_EXEC | BACKEND_CAN_PAUSE | BACKEND_CAN_COPY};
    struct dirs d = {0};
    struct vmm_facts f = {0};
    struct firecracker_version v;
    struct error e;
    int r = dirs_init(&d, &e);
    if (r == 0)
        r = vmm_facts_of(d.cache, "firecracker", NULL, &f, &e);
    dirs_done(&d);
    if (r == 0)
        r = firecracker_version_read(f.version ? f.version : "", &v, &e);
    if (r < 0) {
        backend_health_add(ret, BACKEND_MISSING, "Firecracker", e.text, mend);
        vmm_facts_done(&f);
        return;
    }
    autofree char *what = str_format("Firecracker %s", f.version);
    ret->usable = host->userns && !f.no_kvm;
    backend_health_add(ret, BACKEND_GOOD, what, NULL, NULL);
    backend_health_add(ret, f.no_kvm ? BACKEND_MISSING : BACKEND_GOOD, "KVM", f.no_kvm,
                       f.no_kvm
                           ? "access to /dev/kvm (usermod -aG kvm NAME), virtualisation in the "
                             "firmware; Firecracker cannot do without"
                           : NULL);
    if (v.minor < FIRECRACKER_ACPI)
        backend_health_add(ret, BACKEND_PARTLY, "devices by ACPI",
                           "this version tells of devices by the kernel's command line alone, "
                           "which distributions' kernels do not read",
                           "Firecracker 1.8 or newer, or a kernel with "
                           "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y");
    if (!host->userns)
        backend_health_add(ret, BACKEND_MISSING, "user namespaces",
                           "the machine's program cannot be shut up in one", NULL);
    vmm_facts_done(&f);
}

/* Its static templates; what it makes of them, and on which processors, it says itself. */
static bool firecracker_has_template(const char *name)
{
    static const char *const names[] = {"host", "C3", "T2", "T2S", "T2CL", "T2A", "V1N1", "None"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_equal(names[i], name))
            return true;
    return false;
}

static int firecracker_check(const struct plan *p, const struct plan_host *host, struct error *e)
{
    const struct plan_machine *m = &p->machine;
    struct firecracker_version v;
    if (!str_equal(m->type, "microvm"))
        return error_set(e, ENOTSUP, "machine.type = %s: Firecracker has microvm", m->type);
    if (m->accel != PLAN_ACCEL_KVM)
        return error_set(e, ENOTSUP,
                         "machine.accel = tcg: Firecracker has KVM alone; mend: "
                         "--runtime qemu");
    if (m->cpus > 32)
        return error_set(e, ENOTSUP, "resources.cpus: Firecracker has at most 32 processors");
    if (m->cpu_model && !firecracker_has_template(m->cpu_model))
        return error_set(e, ENOTSUP,
                         "machine.cpus-model = %s: Firecracker has host, C3, T2, T2S, "
                         "T2CL, T2A, V1N1",
                         m->cpu_model);
    return m->version ? firecracker_version_read(m->version, &v, e)
                      : error_set(e, EPROTO, "%s does not say its version", m->program);
}

/* The machine's filter is part of the monitor. */
static int firecracker_prepare(const struct plan *p, int *ret_filter, struct error *e)
{
    *ret_filter = FD_NONE;
    return 0;
}

const struct backend firecracker_backend = {
    .name = "firecracker",
    .summary = "Firecracker: a small microVM on KVM",
    .boundary = PLAN_MICROVM,
    .probe = firecracker_probe,
    .check = firecracker_check,
    .prepare = firecracker_prepare,
};
