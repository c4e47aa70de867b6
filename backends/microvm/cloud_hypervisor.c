/* What the CLI and the TUI see of Cloud Hypervisor: what works here. */
#include "backends/microvm/cloud_hypervisor.h"

#include "backends/microvm/cloud_hypervisor_requests.h"
#include "backends/microvm/health.h"

static int cloud_hypervisor_known(const char *version, struct error *e)
{
    struct cloud_hypervisor_version v;
    return cloud_hypervisor_version_read(version, &v, e);
}

static const struct vmm_kind cloud_hypervisor_kind = {
    .name = "cloud-hypervisor",
    .title = "Cloud Hypervisor",
    .mend = "put a release of github.com/cloud-hypervisor/cloud-hypervisor at "
            "/usr/local/bin/cloud-hypervisor, or --runtime /PATH/TO/cloud-hypervisor",
    .known = cloud_hypervisor_known,
};

static void cloud_hypervisor_probe(const struct plan_host *host, struct backend_health *ret)
{
    struct vmm_facts f = {0};
    vmm_kind_probe(&cloud_hypervisor_kind, host, ret, &f);
    ret->can |= BACKEND_CAN_SNAPSHOT_MEMORY | BACKEND_CAN_CLONE;
    vmm_facts_done(&f);
}

/* Whether it may be given disks whose first bytes others than we have written. */
static int cloud_hypervisor_takes(const struct plan *p, struct error *e)
{
    const char *version = p->machine.version ? p->machine.version : "";
    struct cloud_hypervisor_version v;
    int r = cloud_hypervisor_version_read(version, &v, e);
    if (r < 0 || cloud_hypervisor_takes_formats(&v))
        return r;
    if (plan_more_disks(p))
        r = error_set(
            e, ENOTSUP,
            "machine.disk: Cloud Hypervisor %s would guess a disk's format by what stands "
            "in it, and open what that names; mend: 50.1 or later, or --runtime qemu",
            version);
    else if (p->machine.scratch)
        r = error_set(
            e, ENOTSUP,
            "machine.scratch = disk: Cloud Hypervisor %s would guess the format of a disk "
            "by what its guest has written there (CVE-2026-27211); mend: 50.1 or later, or "
            "--set machine.scratch=memory",
            version);
    return r;
}

static int cloud_hypervisor_check(const struct plan *p, const struct plan_host *host,
                                  struct error *e)
{
    const struct plan_machine *m = &p->machine;
    int r = vmm_kind_check(&cloud_hypervisor_kind, p, e);
    if (r == 0 && m->cpus > 254)
        r = error_set(e, ENOTSUP, "resources.cpus: Cloud Hypervisor has at most 254 processors");
    if (r == 0 && m->cpu_model && !str_equal(m->cpu_model, "host"))
        r = error_set(e, ENOTSUP, "machine.cpus-model = %s: Cloud Hypervisor has host",
                      m->cpu_model);
    if (r == 0 && m->nested == PLAN_NESTED_NO && !plan_hides_nested(p))
        r = error_set(e, ENOTSUP,
                      "machine.nested = no: Cloud Hypervisor %s cannot keep every guest from KVM's "
                      "nested machines; mend: 52.0 or later, or --runtime qemu, or --set "
                      "machine.nested=auto",
                      m->version ? m->version : "");
    if (r == 0)
        r = cloud_hypervisor_takes(p, e);
    return r < 0 ? r : vmm_kind_check_shares(p, e);
}

const struct backend cloud_hypervisor_backend = {
    .name = "cloud-hypervisor",
    .summary = "Cloud Hypervisor: a machine on KVM, with Landlock of its own",
    .boundary = PLAN_MICROVM,
    .probe = cloud_hypervisor_probe,
    .check = cloud_hypervisor_check,
    .prepare = vmm_kind_prepare,
};
