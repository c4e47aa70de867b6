#include "backends/microvm/health.h"

#include "backends/microvm/vmm.h"
#include "backends/net/translator.h"
#include "base/dirs.h"
#include "base/fd.h"

#include <sys/stat.h>
#include <unistd.h>

int vmm_kind_probe(const struct vmm_kind *k, const struct plan_host *host,
                   struct backend_health *ret, struct vmm_facts *ret_facts)
{
    *ret = (struct backend_health){.can = BACKEND_CAN_EXEC | BACKEND_CAN_PAUSE | BACKEND_CAN_COPY};
    struct dirs d = {0};
    struct vmm_facts f = {0};
    struct error e;
    int r = dirs_init(&d, &e);
    if (r == 0)
        r = vmm_facts_of(d.cache, k->name, NULL, &f, &e);
    dirs_done(&d);
    if (r == 0)
        r = k->known(f.version ? f.version : "", &e);
    if (r < 0) {
        backend_health_add(ret, BACKEND_MISSING, k->title, e.text, k->mend);
        vmm_facts_done(&f);
        return -ENOENT;
    }
    autofree char *what = str_format("%s %s", k->title, f.version);
    ret->usable = host->userns && !f.no_kvm;
    backend_health_add(ret, BACKEND_GOOD, what, NULL, NULL);
    backend_health_add(ret, f.no_kvm ? BACKEND_MISSING : BACKEND_GOOD, "KVM", f.no_kvm,
                       f.no_kvm ? "access to /dev/kvm (usermod -aG kvm NAME), virtualisation in "
                                  "the firmware; nothing else will do"
                                : NULL);
    if (!host->userns)
        backend_health_add(ret, BACKEND_MISSING, "user namespaces",
                           "the machine's program cannot be shut up in one", NULL);
    *ret_facts = f;
    return 0;
}

/* They are opened by the program's own id, to which root can lend what is root's and no more. */
static int kind_check_disks(const struct plan *p, struct error *e)
{
    for (size_t i = 0; p->map_by == PLAN_MAP_PARENT && i < plan_more_disks(p); i++) {
        const char *path = p->machine.disks[i];
        struct stat st;
        if (stat(path, &st) == 0 && st.st_uid != geteuid() && !(st.st_mode & S_IROTH))
            return error_set(e, EACCES,
                             "machine.disk: %s is not your own and not open to others, so the "
                             "machine's program cannot read it; mend: --runtime qemu, which is "
                             "handed what you have opened",
                             path);
    }
    return 0;
}

int vmm_kind_check(const struct vmm_kind *k, const struct plan *p, struct error *e)
{
    const struct plan_machine *m = &p->machine;
    if (!str_equal(m->type, "microvm"))
        return error_set(e, ENOTSUP, "machine.type = %s: %s has microvm", m->type, k->title);
    if (m->accel != PLAN_ACCEL_KVM)
        return error_set(e, ENOTSUP, "machine.accel = tcg: %s has KVM alone; mend: --runtime qemu",
                         k->title);
    if (!m->version)
        return error_set(e, EPROTO, "%s does not say its version", m->program);
    int r = k->known(m->version, e);
    if (r == 0)
        r = kind_check_disks(p, e);
    return r < 0 ? r : net_check(p, e);
}

int vmm_kind_check_shares(const struct plan *p, struct error *e)
{
    const struct plan_mount *m;
    for (unsigned n = 0; p->machine.shares && (m = vmm_share(p, n)); n++) {
        struct stat st;
        if (n == VMM_SHARES_MAX)
            return error_set(e, ENOTSUP, "a machine serves at most %d folders; --copy-in",
                             VMM_SHARES_MAX);
        if (stat(m->source, &st) < 0)
            return error_errno(e, errno, "%s", m->source);
        if (!S_ISDIR(st.st_mode))
            return error_set(e, ENOTSUP, "%s is no folder, which alone can be served: --copy-in",
                             m->source);
    }
    return 0;
}

int vmm_kind_prepare(const struct plan *p, int *ret_filter, struct error *e)
{
    *ret_filter = FD_NONE;
    return 0;
}
