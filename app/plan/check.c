/* What stands in the way of a plan: contradictions, and what this host or this version lacks. */
#include "app/plan/names.h"

#include <linux/capability.h>

#define CAP(n) (1ull << CAP_##n)
#define CHECK_SCRATCH_LEAST (16ull << 20) /* bytes: less is no disk to work on */

struct check {
    const struct plan *p;
    const struct plan_host *h;
    struct plan_finding *list;
    size_t count;
};

__attribute__((format(printf, 4, 5))) static void check_add(struct check *c, int weight,
                                                            const char *mend, const char *fmt, ...)
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
#define check_refuse(c, mend, ...) check_add((c), PLAN_REFUSES, (mend), __VA_ARGS__)
#define check_warn(c, mend, ...) check_add((c), PLAN_WARNS, (mend), __VA_ARGS__)

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
    case PLAN_NETWORK_HOST:
        break;
    case PLAN_NETWORK_PRIVATE:
    case PLAN_NETWORK_ALLOW:
        check_refuse(
            c, "--network none, or --network host",
            "network.mode = %s needs a network of its own, which this version does not have",
            plan_network_names[c->p->network]);
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
    if (l->disk && c->p->scratch)
        check_add(c, l->best_effort ? PLAN_WARNS : PLAN_REFUSES,
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

static void check_machine_accel(struct check *c)
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

static void check_machine_files(struct check *c)
{
    for (size_t i = 0; i < c->p->mounts_count; i++) {
        const struct plan_mount *m = &c->p->mounts[i];
        if (!m->origin || (m->kind != PLAN_MOUNT_BIND && m->kind != PLAN_MOUNT_OVERLAY))
            continue;
        autofree char *mend =
            str_equal(m->target, c->p->home)
                ? str_dup("--set files.home=empty")
                : str_format("--copy-in %s:%s, or --boundary container", m->source, m->target);
        check_refuse(c, mend, "%s (%s) would be a folder of this host inside a machine", m->target,
                     m->origin);
    }
}

/* What a key says and no machine of this version does. */
static void check_machine_keys(struct check *c)
{
    const struct plan *p = c->p;
    if (p->origins[KEY_MACHINE_DISK])
        check_refuse(c, "take it out", "machine.disk (%s): this version adds no further disks",
                     p->origins[KEY_MACHINE_DISK]);
    if (p->limits.nice)
        check_refuse(c, "--set resources.nice=0", "resources.nice is not kept for machines yet");
    if (p->limits.swap)
        check_refuse(c, "--set resources.swap=0", "resources.swap: the guest has none");
    if (p->snapshot_on_exit)
        check_refuse(c, "--set lifecycle.snapshot-on-exit=no",
                     "lifecycle.snapshot-on-exit: of machines no snapshot is taken yet");
    if (p->keep != PLAN_KEEP_NEVER)
        check_warn(
            c, "cofferdam cp, while it runs",
            "lifecycle.keep: of a machine its log and report are kept, with the list of what "
            "it changed; the files themselves go with it");
}

static void check_machine_scratch(struct check *c)
{
    const struct plan_machine *m = &c->p->machine;
    if (!m->scratch)
        return;
    if (!str_equal(c->p->runtime, "qemu"))
        check_refuse(c, "--runtime qemu, or --set machine.scratch=memory",
                     "machine.scratch = disk: %s is given none here", c->p->runtime);
    else if (c->p->limits.disk < CHECK_SCRATCH_LEAST)
        check_refuse(
            c, "--set resources.disk=2G",
            "machine.scratch = disk: resources.disk says how large it is, 16 MiB at least");
    else if (m->program && !m->blank)
        check_refuse(c, "apt install e2fsprogs, or --set machine.scratch=memory",
                     "machine.scratch = disk: %s",
                     m->no_blank ? m->no_blank : "there is nothing to make one of");
}

/* A guest that boots our kernel and our PID 1. */
static void check_machine_kernel(struct check *c)
{
    const struct plan_machine *m = &c->p->machine;
    if (!m->kernel || !m->initramfs)
        check_refuse(c, "cofferdam image kernel import PACKAGE.deb…", "%s",
                     m->no_kernel ? m->no_kernel : "there is no kernel to boot");
    if (m->memory < 64ull << 20)
        check_refuse(c, "--memory 256M", "resources.memory: a machine needs at least 64M");
}

static void check_machine(struct check *c)
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
    else
        check_machine_kernel(c);
    if (m->program)
        check_machine_accel(c);
    if (m->warm && !plan_runtime_warms(p->runtime))
        check_refuse(c, "--runtime qemu or firecracker, or --set machine.warm=no",
                     "machine.warm = yes: %s starts from no template here", p->runtime);
    else if (m->warm && !plan_memory_is_one_piece(m))
        check_refuse(c, "--memory 2G, or --set machine.type=microvm, or --set machine.warm=no",
                     "machine.warm = yes: no template is made of a %s machine with more than 2 GiB "
                     "of memory",
                     m->type);
    if (p->network != PLAN_NETWORK_NONE)
        check_refuse(c, "--network none", "network.mode = %s: machines have no network yet",
                     plan_network_names[p->network]);
    check_machine_scratch(c);
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

/* What a whole machine could do and this version cannot express, each by its name. */
static void check_whole_devices(struct check *c)
{
    const struct plan_machine *m = &c->p->machine;
    if (str_equal(m->type, "microvm") || str_equal(m->type, "virt"))
        check_refuse(c, "--set machine.type=q35, or --boundary microvm",
                     "machine.type = %s: the vm boundary has q35 and pc", m->type);
    if (!str_equal(m->firmware, "bios") && !m->loader)
        check_refuse(c, "apt install ovmf, dnf install edk2-ovmf",
                     "machine.firmware = %s: no UEFI firmware is here", m->firmware);
    if (str_equal(m->firmware, "secure-boot") && !str_equal(m->type, "q35"))
        check_refuse(c, "--set machine.type=q35", "machine.firmware = secure-boot needs q35");
    if (str_equal(m->type, "pc") && strv_length(m->disks) + strv_length(m->cdroms) > 4)
        check_refuse(c, "--set machine.type=q35", "machine.type = pc has room for four disks");
    if (str_equal(m->gpu, "passthrough") || m->devices) {
        const char *what =
            str_equal(m->gpu, "passthrough") ? "machine.gpu = passthrough" : "machine.device";
        check_refuse(c,
                     m->iommu ? "--set machine.gpu=virtio"
                              : "turn on VT-d or AMD-Vi in the firmware and intel_iommu=on "
                                "on the kernel's command line",
                     "%s: %s", what,
                     m->iommu ? "this version hands no device over"
                              : "this host has no IOMMU groups: a device handed over could "
                                "write into all of its memory");
    }
}

/* An image of the store is booted as a microVM boots it: of the machine it uses little. */
static void check_whole_image(struct check *c)
{
    static const struct {
        enum key_id key;
        const char *why;
    } disks_only[] = {
        {KEY_MACHINE_DISK,      "nobody in it would mount them"},
        {KEY_MACHINE_CDROM,     "nobody in it would mount it"  },
        {KEY_MACHINE_DISK_SIZE, "what it writes is in its memory (resources.disk bounds it)"},
        {KEY_MACHINE_FIRMWARE,  "its kernel is booted directly, and nothing verifies that"},
        {KEY_MACHINE_DISPLAY,   "it has no screen, its console is a terminal"},
        {KEY_MACHINE_TPM,       "nobody in it would use one"},
    };
    const struct plan *p = c->p;
    const struct plan_machine *m = &p->machine;
    const bool said[] = {m->disks != NULL,   m->cdroms != NULL, m->disk_size > 0,
                         !str_equal(m->firmware, "bios"), m->window, m->tpm};
    check_machine_kernel(c);
    check_machine_files(c);
    for (size_t i = 0; i < ARRAY_SIZE(disks_only); i++) {
        const struct key *k = &keys[disks_only[i].key];
        if (said[i])
            check_refuse(c, "take it out, or --image disk:PATH",
                         "%s.%s is for a machine that boots its own disk: with an image of the "
                         "store %s",
                         k->section, k->name, disks_only[i].why);
    }
    if (m->scratch)
        check_refuse(c, "--set machine.scratch=memory, or --boundary microvm",
                     "machine.scratch = disk: what an image changes in a whole machine is in its "
                     "memory");
    if (p->network != PLAN_NETWORK_NONE)
        check_refuse(c, "--network none, or --image disk:PATH",
                     "network.mode = %s: a guest made from an image has no network yet",
                     plan_network_names[p->network]);
}

static void check_whole(struct check *c)
{
    const struct plan *p = c->p;
    const struct plan_machine *m = &p->machine;
    check_machine_accel(c);
    check_whole_devices(c);
    if (!m->uri)
        check_refuse(c, "apt install libvirt-daemon libvirt-clients",
                     "the vm boundary needs libvirt, which nobody looked for");
    if (plan_boots_image(p))
        check_whole_image(c);
    else if (plan_boots_disk(p) && !str_equal(p->argv[0], "boot"))
        check_refuse(c, "leave the command out",
                     "a disk boots its own system: there is nobody in it to be given a command");
    if (plan_boots_disk(p) && m->memory < 16ull << 20)
        check_refuse(c, "--memory 64M", "resources.memory: a whole machine needs at least 16M");
    if (m->warm)
        check_refuse(c, "--set machine.warm=no", "machine.warm = yes is for microVMs");
    if (p->network != PLAN_NETWORK_NONE && p->network != PLAN_NETWORK_HOST)
        check_refuse(c, "--network none, or --network host",
                     "network.mode = %s: a whole machine has none, or the host's through a "
                     "translator in user space",
                     plan_network_names[p->network]);
    if (p->limits.cpu_milli % 1000)
        check_refuse(c, "--cpus with a whole number",
                     "resources.cpus: a whole machine has whole processors");
    if (p->limits.disk && !plan_boots_image(p))
        check_add(c, p->limits.best_effort ? PLAN_WARNS : PLAN_REFUSES,
                  "--set resources.disk=, or --set resources.limits=best-effort",
                  "resources.disk: what a whole machine writes is bounded by the size of its disks "
                  "alone");
    if (p->limits.io_weight)
        check_refuse(
            c, "--set resources.io-weight=", "resources.io-weight is not for the vm boundary");
    if (p->restart != PLAN_RESTART_NO)
        check_refuse(c, "--set lifecycle.restart=no",
                     "lifecycle.restart is not for the vm boundary yet");
    if (p->snapshot_on_exit)
        check_refuse(c, "--set lifecycle.snapshot-on-exit=no",
                     "lifecycle.snapshot-on-exit is not for the vm boundary yet");
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
