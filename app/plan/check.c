/* What stands in the way of a plan: contradictions, and what this host or this version lacks. */
#include "app/plan/check_inner.h"
#include "app/plan/handler.h"
#include "app/plan/names.h"

#include <linux/capability.h>

#define CAP(n) (1ull << CAP_##n)
#define CHECK_SCRATCH_LEAST (16ull << 20) /* bytes: less is no disk to work on */

void check_add(struct check *c, int weight, const char *mend, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    c->list = mem_grow(c->list, c->count + 1, sizeof(c->list[0]));
    c->list[c->count] = (struct plan_finding){
        .text = str_vformat(fmt, ap),
        .mend = str_dup_or_null(mend),
    };
    if (weight == PLAN_WARNS)
        c->list[c->count].weight = PLAN_WARNS;
    c->count++;
    va_end(ap);
}

/* Keys that say something and that nobody would obey. */
static void check_keys(struct check *c)
{
    for (enum key_id k = 0; k < KEY_COUNT; k++) {
        if (!c->p->origins[k] || plan_key_counts(c->p, k))
            continue;
        autofree char *mend =
            str_format("take it out, or --set %s.%s=", keys[k].section, keys[k].name);
        check_refuse(c, mend, "%s.%s (%s) needs %s", keys[k].section, keys[k].name,
                     c->p->origins[k], keys[k].needs ? keys[k].needs : "another boundary");
    }
}

static void check_image(struct check *c)
{
    const char *image = c->p->image;
    if (plan_is_machine(c->p) && str_equal(image, "host")) {
        check_refuse(c,
                     c->p->boundary == PLAN_VM
                         ? "--image disk:PATH, or --image NAME of cofferdam image list"
                         : "--image NAME, from cofferdam image list or image pull",
                     "a machine cannot boot this host's own files: it needs an image");
        return;
    }
    if (plan_is_machine(c->p) && str_starts(image, "dir:") && !c->p->machine.root) {
        autofree char *mend = str_format("cofferdam image import %s, then --image", image + 4);
        check_refuse(c, mend, "a machine boots from a disk: %s is a folder in place", image);
        return;
    }
    if (str_equal(image, "host") || str_starts(image, "dir:"))
        return;
    if (plan_boots_disk(c->p))
        return;
    if (str_starts(image, "disk:")) {
        if (plan_is_machine(c->p))
            check_refuse(c, "--boundary vm, or --image NAME",
                         "a microVM is made from an image of the store: %s is a whole machine's",
                         image);
        else
            check_refuse(
                c,
                "--image dir:PATH or --image NAME; mount the disk's file system or pack it as "
                "a tar, then cofferdam image import",
                "%s is a machine's disk, and a container has no machine to boot it: it "
                "runs from a folder or from layers",
                image);
        return;
    }
    if (c->p->machine.root)
        return;
    for (size_t i = 0; i < c->p->mounts_count; i++)
        if (c->p->mounts[i].layers)
            return;
    autofree char *mend = str_format("cofferdam image pull %s, or cofferdam image import", image);
    check_refuse(c, mend, "there is no image %s in the store", image);
}

static void check_network(struct check *c)
{
    switch (c->p->network) {
    case PLAN_NETWORK_NONE:
    case PLAN_NETWORK_PRIVATE: /* its backend looks for what it needs */
    case PLAN_NETWORK_HOST:
        break;
    case PLAN_NETWORK_ALLOW:
        check_refuse(c, "--network none, or --network private",
                     "network.mode = allow-list: this version cannot tell one place from another");
        break;
    }
}

static void check_user(struct check *c)
{
    const struct plan_host *h = c->h;
    if (!h->userns)
        check_refuse(c,
                     h->uid ? "allow them: sysctl kernel.unprivileged_userns_clone=1, "
                              "user.max_user_namespaces=10000, or an AppArmor profile with userns"
                            : "sysctl user.max_user_namespaces=10000",
                     "this host does not let %s make user namespaces", h->uid ? "you" : "anybody");
    if (c->p->map_by != PLAN_MAP_HELPER)
        return;
    if (!h->newuidmap)
        check_refuse(c, "apt install uidmap",
                     "isolation.user = ranges needs newuidmap and newgidmap, which are not here");
    if (!h->subuid_count || !h->subgid_count) {
        autofree char *mend = str_format(
            "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s", h->user);
        check_refuse(c, mend, "isolation.user = ranges: /etc/sub%s gives %s no range",
                     h->subuid_count ? "gid" : "uid", h->user);
    }
}

static void check_labels(struct check *c)
{
    const struct plan *p = c->p;
    if (p->apparmor && !c->h->apparmor)
        check_refuse(c, "--set isolation.apparmor=",
                     "isolation.apparmor = %s, but this kernel has no AppArmor", p->apparmor);
    if (p->selinux && !c->h->selinux)
        check_refuse(c, "--set isolation.selinux=",
                     "isolation.selinux = %s, but this kernel has no SELinux", p->selinux);
    if (p->platform && !plan_runtime_is(p->runtime, "runsc"))
        check_refuse(c, "--set isolation.platform=auto",
                     "isolation.platform = %s, but only gVisor by itself (runsc) is told one",
                     p->platform);
    if (p->landlock == PLAN_LANDLOCK_YES && !c->h->landlock_abi)
        check_refuse(c, "--set isolation.landlock=auto",
                     "isolation.landlock = yes, but this kernel has no Landlock");
}

/* --- limits ------------------------------------------------------------------------------------
 */

static void check_limit(struct check *c, bool asked, const char *key, const char *controller,
                        const char *instead)
{
    if (!asked)
        return;
    const struct plan_host *h = c->h;
    if (h->cgroup != PLAN_CGROUP_NONE && strv_has(h->cgroup_controllers, controller))
        return;
    autofree char *why =
        h->cgroup == PLAN_CGROUP_NONE
            ? str_dup("no control group can be had here")
            : str_format("the control groups here lack the %s controller", controller);
    autofree char *reset = str_format("--set resources.limits=best-effort, or --set %s=", key);
    if (!c->p->limits.best_effort)
        check_refuse(c, reset, "%s cannot be kept: %s", key, why);
    else
        check_warn(c, NULL, "%s: %s; %s", key, why, instead);
}

/* On the command line of this launch, and not in a profile. */
static bool check_is_by_name(const struct check *c, enum key_id key)
{
    const char *origin = c->p->origins[key];
    return origin && str_starts(origin, "--");
}

static void check_limits(struct check *c)
{
    const struct plan_limits *l = &c->p->limits;
    bool v1 = c->h->cgroup == PLAN_CGROUP_V1;
    check_limit(c, l->memory, "resources.memory", "memory",
                "each process alone is limited instead");
    check_limit(c, l->pids, "resources.pids", "pids",
                "a resource limit stands in, counted within the workload's user namespace");
    check_limit(c, l->cpu_milli, "resources.cpus", "cpu", "nothing limits it");
    check_limit(c, l->io_weight, "resources.io-weight", v1 ? "blkio" : "io", "nothing limits it");
    if (l->swap && !l->memory)
        check_refuse(c, "--set resources.memory=SIZE",
                     "resources.swap means nothing without resources.memory");
    /* who asks for it by name has it, or hears that it cannot be */
    bool by_name =
        check_is_by_name(c, KEY_RESOURCES_DISK) && !check_is_by_name(c, KEY_RESOURCES_LIMITS);
    if (l->disk && c->p->scratch)
        check_add(c, l->best_effort && !by_name ? PLAN_WARNS : PLAN_REFUSES,
                  "--set resources.disk=, or --set resources.limits=best-effort",
                  "resources.disk cannot be kept for a workload whose files are kept: its changes "
                  "lie in a folder, not in memory");
}

static void check_life(struct check *c)
{
    if (c->p->snapshot_on_exit && c->h->landlock_abi == 1)
        check_refuse(c, "Linux 5.19 or newer, or cofferdam snapshot create while it runs",
                     "lifecycle.snapshot-on-exit: this kernel's first Landlock lets no confined "
                     "monitor move a folder");
    if (c->p->snapshot_on_exit && c->p->read_only)
        check_refuse(c, NULL,
                     "lifecycle.snapshot-on-exit: its root is read-only, so it changes "
                     "nothing a snapshot could hold");
}

/* --- files -------------------------------------------------------------------------------------
 */

static void check_home(struct check *c)
{
    for (size_t i = 0; i < c->p->mounts_count; i++) {
        const struct plan_mount *m = &c->p->mounts[i];
        if (m->kind != PLAN_MOUNT_OVERLAY || !str_equal(m->target, c->p->home))
            continue;
        const struct plan_host_entry *home = plan_host_find(c->h, m->source);
        if (home && home->split)
            check_refuse(c, "--set files.home=read-only, or unmount it",
                         "files.home = overlay: something is mounted below %s", m->source);
    }
}

/* Only a root of ours has places in it that can be written when it cannot. */
static void check_volumes(struct check *c)
{
    const struct plan *p = c->p;
    bool ours = p->boundary == PLAN_CONTAINER && !plan_handler_is(p->runtime);
    for (size_t i = 0; i < p->mounts_count && !ours; i++)
        if (p->mounts[i].flags & PLAN_MOUNT_WRITABLE)
            check_refuse(c, "--set isolation.read-only=no, or --runtime native",
                         "isolation.read-only: with %s the image's volume %s could not be written",
                         p->runtime, p->mounts[i].target);
}

/*
 * Root's files are lent to root's workload by an idmapped mount, so what it makes there is root's
 * on the host: nothing but the filter keeps it from leaving a set-user-id program of root's behind.
 */
static void check_lent(struct check *c)
{
    const struct plan *p = c->p;
    if (p->seccomp && !(p->capabilities & CAP(FSETID)))
        return;
    for (size_t i = 0; i < p->mounts_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        if (m->kind == PLAN_MOUNT_BIND && (m->flags & PLAN_MOUNT_LENT) &&
            !(m->flags & PLAN_MOUNT_RO))
            check_refuse(c,
                         "mount it :ro, or start it as an ordinary user, or keep "
                         "isolation.seccomp and leave out the capability fsetid",
                         "%s is mounted writable: the workload could leave set-user-id programs "
                         "of root's in it",
                         m->source);
    }
}

static void check_weak(struct check *c)
{
    const struct plan *p = c->p;
    if (!p->seccomp)
        check_warn(c, "--set isolation.seccomp=default",
                   "no system call filter: all of the host's kernel is in reach");
    for (size_t i = 0; i < p->mounts_count && !p->seccomp; i++)
        if (p->mounts[i].kind == PLAN_MOUNT_BIND && (p->mounts[i].flags & PLAN_MOUNT_LENT) &&
            !(p->mounts[i].flags & PLAN_MOUNT_RO))
            check_warn(c, "--set isolation.seccomp=default",
                       "no system call filter: set-user-id programs of root's can be left in %s",
                       p->mounts[i].source);
    if (p->capabilities & (CAP(SYS_ADMIN) | CAP(NET_ADMIN) | CAP(BPF) | CAP(SYS_MODULE)))
        check_warn(c, "--set isolation.capabilities=default",
                   "capabilities that open large parts of the kernel are kept");
    if (p->capabilities && p->uid != 0 && p->map_by != PLAN_MAP_SELF)
        check_warn(c, "--user root",
                   "isolation.capabilities are for root inside, and the command runs as %u",
                   p->uid);
    if (p->open & PLAN_OPEN_USERNS && p->uid == 0 && !(p->capabilities & CAP(SETFCAP)))
        check_warn(c, "--user 1000, or --set isolation.capabilities=setfcap",
                   "isolation.open = userns: root inside cannot map itself without setfcap");
    if (!(p->namespaces & PLAN_NS_TIME))
        check_warn(c, NULL, "this kernel has no time namespaces: the host's uptime can be seen");
}

/* --- machines ----------------------------------------------------------------------------------
 */

void check_machine_accel(struct check *c)
{
    const struct plan_machine *m = &c->p->machine;
    if (m->accel == PLAN_ACCEL_KVM && m->no_kvm)
        check_refuse(c, "--accel tcg, if emulation will do: it is no security boundary",
                     "machine.accel = kvm: %s", m->no_kvm);
    if (m->accel == PLAN_ACCEL_TCG)
        check_warn(c, "--accel kvm, on a host that has it",
                   "emulated (tcg): by QEMU's own word this is no security boundary%s%s",
                   m->no_kvm ? "; " : "", m->no_kvm ? m->no_kvm : "");
}

static const char *check_share_mend(const char *runtime)
{
    return plan_runtime_shares(runtime, "9p")         ? "or --set machine.shares=9p, "
           : plan_runtime_shares(runtime, "virtiofs") ? "or --set machine.shares=virtiofs, "
                                                      : "";
}

void check_machine_files(struct check *c)
{
    for (size_t i = 0; i < c->p->mounts_count; i++) {
        const struct plan_mount *m = &c->p->mounts[i];
        if (!m->origin || (m->kind != PLAN_MOUNT_BIND && m->kind != PLAN_MOUNT_OVERLAY))
            continue;
        bool shown = m->kind == PLAN_MOUNT_BIND && m->flags & PLAN_MOUNT_RO;
        if (shown && c->p->machine.shares)
            continue;
        autofree char *mend =
            str_equal(m->target, c->p->home)
                ? str_dup("--set files.home=empty")
                : str_format("--copy-in %s:%s, %sor --boundary container", m->source, m->target,
                             shown && c->p->boundary == PLAN_MICROVM
                                 ? check_share_mend(c->p->runtime)
                                 : "");
        check_refuse(c, mend, "%s (%s) would be a folder of this host inside a machine%s",
                     m->target, m->origin,
                     c->p->machine.shares ? ", which may not write to it" : "");
    }
}

/* What a key says and no machine of this version does. */
static void check_machine_keys(struct check *c)
{
    const struct plan *p = c->p;
    if (p->limits.nice)
        check_refuse(c, "--set resources.nice=0", "resources.nice is not kept for machines yet");
    if (p->limits.swap)
        check_refuse(c, "--set resources.swap=0", "resources.swap: the guest has none");
    if (p->snapshot_on_exit)
        check_refuse(c, "--set lifecycle.snapshot-on-exit=no",
                     "lifecycle.snapshot-on-exit: of machines no snapshot is taken yet");
    if (p->keep != PLAN_KEEP_NEVER && plan_boots_disk(p))
        check_warn(c, "cofferdam snapshot create, while it runs, or --runtime libvirt",
                   "lifecycle.keep: of this machine its log and report are kept; what it wrote to "
                   "its disk goes with it");
    else if (p->keep != PLAN_KEEP_NEVER)
        check_warn(
            c, "cofferdam cp, while it runs",
            "lifecycle.keep: of a machine its log and report are kept, with the list of what "
            "it changed; the files themselves go with it");
}

static void check_machine_shares(struct check *c)
{
    const struct plan_machine *m = &c->p->machine;
    const char *how = m->served ? "virtiofs" : "9p";
    bool so = plan_runtime_shares(c->p->runtime, "virtiofs");
    if (!m->shares)
        return;
    if (!plan_runtime_shares(c->p->runtime, how))
        check_refuse(c,
                     so ? "--set machine.shares=virtiofs, or machine.shares=none and --copy-in"
                        : "--runtime qemu, or --set machine.shares=none and --copy-in",
                     "machine.shares = %s: %s serves no folders%s", how, c->p->runtime,
                     so ? " so" : "");
    else if (m->served && m->program && !m->virtiofsd)
        check_refuse(c,
                     "apt install qemu-system-common (Debian 12), or --set machine.shares=none and "
                     "--copy-in",
                     "machine.shares = virtiofs: %s",
                     m->no_virtiofsd ? m->no_virtiofsd : "there is no virtiofsd");
    else
        check_warn(c, "--copy-in instead of --mount",
                   "machine.shares = %s: weaker than a copy, since the guest speaks to code that "
                   "opens files of this host; no snapshots while it is so",
                   how);
    if (m->warm)
        check_refuse(c, "--set machine.warm=no, or --set machine.shares=none",
                     "machine.warm = yes: no template is made of a machine that has shares");
}

/* What is on them is the host's and changes as it likes: no memory that knows of it is kept. */
static void check_machine_disks(struct check *c)
{
    const struct plan *p = c->p;
    size_t count = plan_more_disks(p);
    if (!count)
        return;
    if (count > PLAN_DISKS_MAX)
        check_refuse(c, "name fewer", "machine.disk: %zu of them, a microVM has room for %d", count,
                     PLAN_DISKS_MAX);
    if (p->machine.warm)
        check_refuse(c, "--set machine.warm=no, or take the disks out",
                     "machine.warm = yes: no template is made of a machine that has further disks");
}

/* Who has the guest's kernel undoes what that kernel hides. */
static void check_machine_hidden(struct check *c)
{
    const struct plan *p = c->p;
    for (size_t i = 0; p->machine.shares && i < p->mounts_count; i++)
        for (size_t k = 0; k < p->mounts_count; k++) {
            const struct plan_mount *m = &p->mounts[i], *hidden = &p->mounts[k];
            size_t n = m->kind == PLAN_MOUNT_BIND ? strlen(m->target) : 0;
            if (n && hidden->kind == PLAN_MOUNT_MASK && !strncmp(hidden->target, m->target, n) &&
                (hidden->target[n] == '/' || !hidden->target[n]))
                check_refuse(c, "--set machine.shares=none and --copy-in",
                             "%s lies in %s, which is served to the guest: what is hidden there "
                             "its own kernel alone would hide",
                             hidden->target, m->target);
        }
}

static void check_machine_rates(struct check *c)
{
    const struct plan_machine *m = &c->p->machine;
    if ((m->disk_bandwidth || m->disk_operations) && str_equal(c->p->runtime, "qemu"))
        check_refuse(c, "--runtime firecracker or cloud-hypervisor, or take it out",
                     "machine.%s: QEMU is not told to keep it here",
                     m->disk_bandwidth ? "disk-bandwidth" : "disk-operations");
}

static void check_machine_scratch(struct check *c)
{
    const struct plan_machine *m = &c->p->machine;
    if (!m->scratch)
        return;
    if (c->p->limits.disk < CHECK_SCRATCH_LEAST)
        check_refuse(
            c, "--set resources.disk=2G",
            "machine.scratch = disk: resources.disk says how large it is, 16 MiB at least");
    else if (m->program && !m->blank)
        check_refuse(c, "apt install e2fsprogs, or --set machine.scratch=memory",
                     "machine.scratch = disk: %s",
                     m->no_blank ? m->no_blank : "there is nothing to make one of");
}

/* A guest that boots our kernel and our PID 1. */
void check_machine_kernel(struct check *c)
{
    const struct plan_machine *m = &c->p->machine;
    if (!m->kernel || !m->initramfs)
        check_refuse(c,
                     m->served   ? "--set machine.kernel=RELEASE of one that has virtiofs, or "
                                   "machine.shares=none and --copy-in"
                     : m->shares ? "--set machine.shares=virtiofs, or machine.kernel=RELEASE of "
                                   "one that has 9p (Debian's linux-image-amd64), or "
                                   "machine.shares=none and --copy-in"
                                 : "cofferdam image kernel import PACKAGE.deb…",
                     "%s", m->no_kernel ? m->no_kernel : "there is no kernel to boot");
    if (m->memory < 64ull << 20)
        check_refuse(c, "--memory 256M", "resources.memory: a machine needs at least 64M");
}

/* The host's is none a guest could have: it has devices of its own. */
static void check_machine_network(struct check *c)
{
    const struct plan *p = c->p;
    switch (p->network) {
    case PLAN_NETWORK_NONE:
        break;
    case PLAN_NETWORK_PRIVATE: /* its backend looks for what it needs */
        if (!plan_runtime_leads_out(p->runtime))
            check_refuse(c, "--runtime qemu, or --network none",
                         "network.mode = private: %s has no network here", p->runtime);
        break;
    case PLAN_NETWORK_ALLOW:
    case PLAN_NETWORK_HOST:
        check_refuse(c,
                     p->boundary == PLAN_VM ? "--network private, or --runtime libvirt"
                                            : "--network none, or --network private",
                     "network.mode = %s: %s has none, or a private one",
                     plan_network_names[p->network],
                     p->boundary == PLAN_VM ? "a machine on QEMU by itself" : "a microVM");
        break;
    }
}

void check_machine(struct check *c)
{
    const struct plan *p = c->p;
    const struct plan_machine *m = &p->machine;
    if (!m->program)
        check_refuse(c,
                     str_equal(p->runtime, "qemu")
                         ? "apt install qemu-system-x86 qemu-utils, dnf install qemu-kvm"
                         : "--runtime auto, or put the program at /usr/local/bin",
                     "the %s boundary needs %s, which is not here", plan_boundary_name(p->boundary),
                     p->runtime);
    else if (!plan_boots_disk(p))
        check_machine_kernel(c);
    if (m->program)
        check_machine_accel(c);
    if (m->warm && !plan_runtime_warms(p->runtime))
        check_refuse(c, "--runtime qemu, firecracker or cloud-hypervisor, or --set machine.warm=no",
                     "machine.warm = yes: %s starts from no template here", p->runtime);
    else if (m->warm && !plan_memory_is_one_piece(m))
        check_refuse(c, "--memory 2G, or --set machine.type=microvm, or --set machine.warm=no",
                     "machine.warm = yes: no template is made of a %s machine with more than 2 GiB "
                     "of memory",
                     m->type);
    check_machine_network(c);
    check_machine_scratch(c);
    check_machine_shares(c);
    check_machine_disks(c);
    check_machine_hidden(c);
    if (p->landlock == PLAN_LANDLOCK_YES && c->h->landlock_abi < PLAN_LANDLOCK_OF_MACHINES &&
        plan_runtime_is(p->runtime, "cloud-hypervisor"))
        check_refuse(c, "--set isolation.landlock=auto",
                     "isolation.landlock = yes, but what Cloud Hypervisor asks of it this kernel "
                     "does not have (Linux 6.2)");
    check_machine_rates(c);
    check_machine_files(c);
    check_machine_keys(c);
    if (!c->h->userns)
        check_refuse(c, "sysctl kernel.unprivileged_userns_clone=1",
                     "this host does not let %s make user namespaces, in which the machine's "
                     "program is shut up",
                     c->h->uid ? "you" : "anybody");
    check_limit(c, p->limits.cpu_milli % 1000, "resources.cpus", "cpu",
                "the machine has whole processors");
    check_limit(c, p->limits.io_weight, "resources.io-weight",
                c->h->cgroup == PLAN_CGROUP_V1 ? "blkio" : "io", "nothing limits it");
}

int plan_check(const struct plan *p, const struct plan_host *host, struct plan_finding **ret,
               size_t *ret_count, struct error *e)
{
    struct check c = {.p = p, .h = host};
    *ret = NULL;
    *ret_count = 0;
    if (p->machine.watched) /* nothing is made */
        return 0;
    check_keys(&c);
    check_image(&c);
    check_volumes(&c);
    if (p->boundary == PLAN_CONTAINER || p->boundary == PLAN_SANDBOX) {
        check_network(&c);
        check_user(&c);
        check_labels(&c);
        check_limits(&c);
        check_life(&c);
        check_home(&c);
        check_lent(&c);
        check_weak(&c);
    } else if (p->boundary == PLAN_MICROVM) {
        check_machine(&c);
    } else if (p->boundary == PLAN_VM) {
        check_whole(&c);
    }
    *ret = c.list;
    *ret_count = c.count;
    for (size_t i = 0; i < c.count; i++) {
        const struct plan_finding *f = &c.list[i];
        if (f->weight == PLAN_REFUSES)
            return error_set(e, ENOTSUP, "%s%s%s", f->text, f->mend ? "; mend: " : "",
                             f->mend ? f->mend : "");
    }
    return 0;
}

void plan_findings_free(struct plan_finding *f, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(f[i].text);
        free(f[i].mend);
    }
    free(f);
}
