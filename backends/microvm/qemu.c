/* What the CLI and the TUI see of QEMU: what works here. */
#include "backends/microvm/qemu.h"

#include "backends/microvm/facts.h"
#include "backends/microvm/health.h"
#include "backends/microvm/vmm.h"
#include "backends/net/translator.h"
#include "base/dirs.h"

#include <stdio.h>

static void qemu_probe(const struct plan_host *host, struct backend_health *ret)
{
    *ret = (struct backend_health){.can = BACKEND_CAN_EXEC | BACKEND_CAN_PAUSE | BACKEND_CAN_COPY |
                                          BACKEND_CAN_SNAPSHOT_MEMORY | BACKEND_CAN_CLONE};
    struct dirs d = {0};
    struct vmm_facts f = {0};
    struct error e;
    int r = dirs_init(&d, &e);
    if (r == 0)
        r = qemu_facts(d.cache, &f, &e);
    dirs_done(&d);
    if (r < 0) {
        backend_health_add(ret, BACKEND_MISSING, "QEMU", e.text,
                           "apt install qemu-system-x86 qemu-utils, dnf install qemu-kvm");
        return;
    }
    char what[64];
    snprintf(what, sizeof(what), "QEMU %s", f.version ? f.version : "");
    ret->usable = host->userns;
    backend_health_add(ret, BACKEND_GOOD, what, NULL, NULL);
    if (f.no_kvm)
        backend_health_add(ret, BACKEND_PARTLY, "KVM", f.no_kvm,
                           "access to /dev/kvm (usermod -aG kvm NAME), virtualisation in the "
                           "firmware; until then machines are emulated, which is no security "
                           "boundary");
    else
        backend_health_add(ret, BACKEND_GOOD, "KVM", NULL, NULL);
    if (!host->userns)
        backend_health_add(ret, BACKEND_MISSING, "user namespaces",
                           "the machine's program cannot be shut up in one", NULL);
    vmm_facts_done(&f);
}

static int qemu_check(const struct plan *p, const struct plan_host *host, struct error *e)
{
    static const char *const types[] = {"microvm", "q35", "pc"};
    size_t i = p->boundary == PLAN_VM; /* with a chipset, or it is no whole one */
    while (i < ARRAY_SIZE(types) && !str_equal(p->machine.type, types[i]))
        i++;
    if (i == ARRAY_SIZE(types))
        return error_set(e, ENOTSUP, "machine.type = %s: QEMU has %sq35 and pc here",
                         p->machine.type, p->boundary == PLAN_VM ? "" : "microvm, ");
    int r = vmm_kind_check_shares(p, e);
    return r < 0 ? r : net_check(p, e);
}

const struct backend qemu_backend = {
    .name = "qemu",
    .summary = "QEMU's microvm machine: a kernel of its own, with KVM or emulated",
    .boundary = PLAN_MICROVM,
    .probe = qemu_probe,
    .check = qemu_check,
    .prepare = vmm_kind_prepare,
};

const struct backend qemu_whole_backend = {
    .name = "qemu",
    .summary = "whole machines on QEMU by itself: a disk or an image behind a chipset, cloned with "
               "their memory",
    .boundary = PLAN_VM,
    .probe = qemu_probe,
    .check = qemu_check,
    .prepare = vmm_kind_prepare,
};
