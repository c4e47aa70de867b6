/* A machine with a kernel of its own: what it is put together from, and what its root is made of.
 */
#include "app/plan/build.h"

#include "app/plan/names.h"

enum {
    MACHINE_ID = 1000, /* who the machine's program is in its own namespace: nobody that matters */
    MACHINE_IDS = 65536,
    MACHINE_KERNEL_THREADS = 48, /* of a booted guest that does nothing, and for each processor */
    MACHINE_KERNEL_THREADS_EACH = 16,
    MACHINE_CLOUD_HYPERVISOR_HIDES = 52, /* SVM, too */
};
#define MACHINE_MEMORY (512ull << 20)
#define MIB (1ull << 20)

/*
 * Emulation is taken only where it was asked for, or where a profile leaves the choice and there is
 * nothing else; plan_check() and plan_explain() say what it is.
 */
static enum plan_accel machine_accel(const struct settings *s, const struct plan_parts *parts)
{
    const char *said = settings_text(s, KEY_MACHINE_ACCEL);
    if (str_equal(said, "tcg"))
        return PLAN_ACCEL_TCG;
    if (str_equal(said, "kvm"))
        return PLAN_ACCEL_KVM;
    bool emulates =
        parts && parts->program && (!parts->runtime || str_equal(parts->runtime, "qemu"));
    return emulates && parts->no_kvm ? PLAN_ACCEL_TCG : PLAN_ACCEL_KVM;
}

static enum plan_nested machine_nested(const struct settings *s)
{
    const char *said = settings_text(s, KEY_MACHINE_NESTED);
    return str_equal(said, "yes")  ? PLAN_NESTED_YES
           : str_equal(said, "no") ? PLAN_NESTED_NO
                                   : PLAN_NESTED_AUTO;
}

/* The ids in the guest are the guest's own; these are for the program that runs it. */
static void machine_ids(struct plan *p, const struct plan_host *h)
{
    bool root = h->uid == 0;
    p->map_by = root ? PLAN_MAP_PARENT : PLAN_MAP_SELF;
    p->uid_map_count = p->gid_map_count = 1;
    p->uid_map[0] = root ? (struct plan_id_map){0, 0, MACHINE_IDS}
                         : (struct plan_id_map){MACHINE_ID, h->uid, 1};
    p->gid_map[0] = root ? (struct plan_id_map){0, 0, MACHINE_IDS}
                         : (struct plan_id_map){MACHINE_ID, h->gid, 1};
}

/* Whole processors: what is left of the limit is the control group's. */
static unsigned machine_cpus(const struct plan *p, const struct plan_host *h, bool far)
{
    unsigned cpus = (p->limits.cpu_milli + 999) / 1000;
    return MAX(far ? cpus : MIN(cpus, h->cpus), 1u);
}

static uint64_t machine_memory(const struct plan *p)
{
    uint64_t memory = p->limits.memory ? p->limits.memory : MACHINE_MEMORY;
    return memory / MIB * MIB;
}

/*
 * The sysctls of containers are bounds against the host's pools; a guest has its own. What bounds
 * its processes, whoever they belong to, is its kernel's limit on threads, its own among them.
 */
static void machine_sysctls(struct plan *p)
{
    for (size_t i = 0; i < p->sysctls_count; i++) {
        free(p->sysctls[i].path);
        free(p->sysctls[i].value);
    }
    p->sysctls_count = 0;
    if (!p->limits.pids)
        return;
    p->sysctls = mem_grow(p->sysctls, 1, sizeof(p->sysctls[0]));
    p->sysctls[p->sysctls_count++] = (struct plan_sysctl){
        .path = str_dup("kernel/threads-max"),
        .value = str_format("%llu", (unsigned long long)p->limits.pids + MACHINE_KERNEL_THREADS +
                                        MACHINE_KERNEL_THREADS_EACH * p->machine.cpus),
    };
}

bool plan_hides_nested(const struct plan *p)
{
    const struct plan_machine *m = &p->machine;
    if (m->nested == PLAN_NESTED_YES)
        return false;
    return !plan_runtime_is(p->runtime, "cloud-hypervisor") ||
           strtoul(m->version ? m->version : "", NULL, 10) >= MACHINE_CLOUD_HYPERVISOR_HIDES;
}

void build_machine(struct build *b)
{
    struct plan *p = b->p;
    struct plan_machine *m = &p->machine;
    const struct plan_parts *parts = b->r->parts;
    const char *type = settings_text(b->s, KEY_MACHINE_TYPE);
    const char *cpu = settings_text(b->s, KEY_MACHINE_CPUS_MODEL);
    m->type = str_dup(str_empty(type) || str_equal(type, "auto") ? "microvm" : type);
    m->accel = machine_accel(b->s, parts);
    m->cpu_model = str_empty(cpu) ? NULL : str_dup(cpu);
    m->nested = machine_nested(b->s);
    m->cpus = machine_cpus(p, b->host, parts && plan_uri_is_far(parts->uri));
    m->memory = machine_memory(p);
    m->warm = settings_bool(b->s, KEY_MACHINE_WARM);
    m->scratch = str_equal(settings_text(b->s, KEY_MACHINE_SCRATCH), "disk");
    m->served = str_equal(settings_text(b->s, KEY_MACHINE_SHARES), "virtiofs");
    m->shares = m->served || str_equal(settings_text(b->s, KEY_MACHINE_SHARES), "9p");
    m->disk_bandwidth = settings_number(b->s, KEY_MACHINE_DISK_BANDWIDTH);
    m->disk_operations = settings_number(b->s, KEY_MACHINE_DISK_OPERATIONS);
    machine_ids(p, b->host);
    machine_sysctls(p);
    /* what Cloud Hypervisor asks of Landlock the kernel has or it starts no machine */
    if (p->landlock == PLAN_LANDLOCK_AUTO && plan_runtime_is(p->runtime, "cloud-hypervisor") &&
        b->host->landlock_abi < PLAN_LANDLOCK_OF_MACHINES)
        p->landlock = PLAN_LANDLOCK_NO;
    if (!parts)
        return;
    m->choice = str_dup_or_null(parts->choice);
    m->program = str_dup_or_null(parts->program);
    m->jailer = str_dup_or_null(parts->jailer);
    m->no_jailer = str_dup_or_null(parts->no_jailer);
    m->version = str_dup_or_null(parts->version);
    m->files = strv_copy(parts->files);
    m->no_kvm = str_dup_or_null(parts->no_kvm);
    m->no_kernel = str_dup_or_null(parts->no_kernel);
    m->tsc_khz = parts->tsc_khz;
    m->kernel = str_dup_or_null(parts->kernel);
    m->release = str_dup_or_null(parts->release);
    m->initramfs = str_dup_or_null(parts->initramfs);
    m->root = str_dup_or_null(parts->root);
    m->root_type = str_dup_or_null(parts->root_type);
    m->blank = m->scratch ? str_dup_or_null(parts->blank) : NULL;
    m->no_blank = m->scratch ? str_dup_or_null(parts->no_blank) : NULL;
    if (!m->served || !parts->virtiofsd) {
        m->no_virtiofsd = m->served ? str_dup_or_null(parts->no_virtiofsd) : NULL;
        return;
    }
    m->virtiofsd = str_dup(parts->virtiofsd);
    m->virtiofsd_files = strv_copy(parts->virtiofsd_files);
}

/* Inside, all of /proc is the guest's own kernel's: there is nothing of the host's to hide. */
void build_machine_root(struct build *b)
{
    build_layered_root(b, b->p->machine.root, PLAN_MOUNT_NODEV)->size = b->p->limits.disk;
    build_step(b, PLAN_MOUNT_PROC, NULL, "/proc", PLAN_MOUNT_TAME | PLAN_MOUNT_NOEXEC);
    build_step(b, PLAN_MOUNT_SYSFS, NULL, "/sys",
               PLAN_MOUNT_TAME | PLAN_MOUNT_NOEXEC | PLAN_MOUNT_RO);
    build_dev(b);
}
