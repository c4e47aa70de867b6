/* What the CLI and the TUI see of Firecracker: what works here. */
#include "backends/microvm/firecracker.h"

#include "backends/microvm/firecracker_requests.h"
#include "backends/microvm/health.h"

static int firecracker_known(const char *version, struct error *e)
{
    struct firecracker_version v;
    return firecracker_version_read(version, &v, e);
}

static const struct vmm_kind firecracker_kind = {
    .name = "firecracker",
    .title = "Firecracker",
    .mend = "put a release of github.com/firecracker-microvm/firecracker at "
            "/usr/local/bin/firecracker, or --runtime /PATH/TO/firecracker",
    .known = firecracker_known,
};

static void firecracker_probe(const struct plan_host *host, struct backend_health *ret)
{
    struct vmm_facts f = {0};
    vmm_kind_probe(&firecracker_kind, host, ret, &f);
    ret->can |= BACKEND_CAN_SNAPSHOT_MEMORY | BACKEND_CAN_CLONE;
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
    int r = vmm_kind_check(&firecracker_kind, p, e);
    if (r == 0 && m->cpus > 32)
        r = error_set(e, ENOTSUP, "resources.cpus: Firecracker has at most 32 processors");
    if (r == 0 && m->cpu_model && !firecracker_has_template(m->cpu_model))
        r = error_set(e, ENOTSUP,
                      "machine.cpus-model = %s: Firecracker has host, C3, T2, T2S, "
                      "T2CL, T2A, V1N1",
                      m->cpu_model);
    return r;
}

const struct backend firecracker_backend = {
    .name = "firecracker",
    .summary = "Firecracker: a small microVM on KVM",
    .boundary = PLAN_MICROVM,
    .probe = firecracker_probe,
    .check = firecracker_check,
    .prepare = vmm_kind_prepare,
};
