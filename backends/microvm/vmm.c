#include "backends/microvm/vmm.h"

#include "backends/launch.h"
#include "backends/net/translator.h"

#include <inttypes.h>

#define MIB (1ull << 20)
enum {
    VMM_OVERHEAD_MIB =
        192,          /* the program, its translated code (TCG: see qemu_argv.c), the kernel */
    VMM_THREADS = 64, /* one a processor, and those that wait for disks */
    SERVER_OVERHEAD_MIB = 64, /* virtiofsd: what it knows of each file that its guest knows */
    SERVER_THREADS = 16,
};

static struct plan_mount *jail_step(struct plan *j, enum plan_mount_kind kind, const char *source,
                                    const char *target, unsigned flags)
{
    j->mounts = mem_grow(j->mounts, j->mounts_count + 1, sizeof(j->mounts[0]));
    struct plan_mount *m = &j->mounts[j->mounts_count++];
    *m = (struct plan_mount){
        .kind = kind, .source = str_dup_or_null(source), .target = str_dup(target), .flags = flags};
    return m;
}

void vmm_jail_device(struct plan *j, const char *path)
{
    jail_step(j, PLAN_MOUNT_DEVICE, path, path, PLAN_MOUNT_NOSUID | PLAN_MOUNT_NOEXEC);
}

void vmm_jail_text(struct plan *j, const char *target, const char *text)
{
    struct plan_mount *m = jail_step(j, PLAN_MOUNT_FILE, NULL, target, 0);
    m->content = str_dup(text);
    m->mode = 0444;
}

/* Root's own cache is closed to everybody: these are lent to the id the program runs as. */
static void jail_file(struct plan *j, const char *source, const char *target, bool lent)
{
    const unsigned tame = PLAN_MOUNT_RO | PLAN_MOUNT_NOSUID | PLAN_MOUNT_NODEV;
    jail_step(j, PLAN_MOUNT_BIND, source, target, tame | (lent ? PLAN_MOUNT_LENT : 0));
}

const struct plan_mount *vmm_share(const struct plan *p, unsigned share)
{
    for (size_t i = 0; i < p->mounts_count; i++)
        if (p->mounts[i].kind == PLAN_MOUNT_BIND && share-- == 0)
            return &p->mounts[i];
    return NULL;
}

unsigned vmm_served(const struct plan *p)
{
    unsigned count = 0;
    while (p->machine.served && vmm_share(p, count))
        count++;
    return count;
}

int vmm_share_fd(const struct plan *p)
{
    return VMM_FDS + (int)plan_more_disks(p);
}

/* One that is served, and what is mounted in it, which nobody can change there. */
static void jail_share(struct plan *j, const struct plan *p, const struct plan_mount *m,
                       const char *target)
{
    struct plan_mount *step =
        jail_step(j, PLAN_MOUNT_BIND, m->source, target,
                  PLAN_MOUNT_RO | PLAN_MOUNT_NOSUID | PLAN_MOUNT_NODEV | PLAN_MOUNT_NOEXEC |
                      (p->map_by == PLAN_MAP_PARENT ? PLAN_MOUNT_LENT : 0));
    step->origin = str_dup_or_null(m->origin); /* a person's: what is below it is looked at */
}

/* What the program serves by itself. */
static void jail_shares(struct plan *j, const struct plan *p)
{
    const struct plan_mount *m;
    if (!p->machine.shares || p->machine.served)
        return;
    for (unsigned n = 0; (m = vmm_share(p, n)); n++) {
        autofree char *target = str_format(VMM_SHARE "%u", n);
        jail_share(j, p, m, target);
    }
}

/* Empty, and who is in it: nobody that matters. */
static struct plan *jail_new(const struct plan *p)
{
    struct plan *j = NEW(struct plan);
    j->id = str_dup(p->id);
    j->boundary = PLAN_CONTAINER;
    j->map_by = p->map_by;
    j->uid_map_count = p->uid_map_count;
    j->gid_map_count = p->gid_map_count;
    memcpy(j->uid_map, p->uid_map, sizeof(j->uid_map));
    memcpy(j->gid_map, p->gid_map, sizeof(j->gid_map));
    j->uid = VMM_UID;
    j->gid = VMM_GID;
    j->namespaces = PLAN_NS_USER | PLAN_NS_MOUNT | PLAN_NS_PID | PLAN_NS_NET | PLAN_NS_UTS |
                    PLAN_NS_IPC | PLAN_NS_CGROUP;
    j->read_only = true;
    j->no_new_privileges = true;
    j->seccomp = true;
    j->limits = vmm_limits(p);
    j->limits.disk = MIB; /* folders to mount on */
    return j;
}

struct plan *vmm_jail(const struct plan *p)
{
    const struct plan_machine *m = &p->machine;
    struct plan *j = jail_new(p);
    bool root = p->map_by == PLAN_MAP_PARENT;
    if (m->jailer) { /* it can be started in neither */
        j->namespaces &= ~(uint32_t)PLAN_NS_USER;
        j->seccomp = false;
    }
    if (!m->jailer) { /* which brings the program and makes the device */
        jail_file(j, m->program, m->program, false);
        for (size_t i = 0; m->files && m->files[i]; i++)
            jail_file(j, m->files[i], m->files[i], false);
    }
    if (p->snapshot_kind != PLAN_SNAPSHOT_MEMORY && !plan_boots_disk(p)) {
        jail_file(j, m->kernel, VMM_KERNEL, root);
        jail_file(j, m->initramfs, VMM_INITRAMFS, root);
    }
    jail_shares(j, p);
    if (m->accel == PLAN_ACCEL_KVM && !m->jailer)
        jail_step(j, PLAN_MOUNT_DEVICE, "/dev/kvm", "/dev/kvm",
                  PLAN_MOUNT_NOSUID | PLAN_MOUNT_NOEXEC | (root ? PLAN_MOUNT_LENT : 0));
    return j;
}

/* What is the person's there is the workload's user's in the guest, as far as there are ids. */
static void jail_serve_as(struct plan *j, const struct plan *p)
{
    if (p->map_by == PLAN_MAP_SELF) {
        j->uid_map[0].inside = p->uid;
        j->gid_map[0].inside = p->gid;
    }
    if (p->uid - j->uid_map[0].inside < j->uid_map[0].count)
        j->uid = p->uid;
    if (p->gid - j->gid_map[0].inside < j->gid_map[0].count)
        j->gid = p->gid;
}

struct plan *vmm_jail_serving(const struct plan *p, unsigned share)
{
    const struct plan_machine *m = &p->machine;
    const unsigned tame = PLAN_MOUNT_NOSUID | PLAN_MOUNT_NODEV | PLAN_MOUNT_NOEXEC;
    struct plan *j = jail_new(p);
    size_t hidden;
    const char *const *hide = plan_proc_hidden(&hidden);
    jail_serve_as(j, p);
    jail_file(j, m->virtiofsd, m->virtiofsd, false);
    for (size_t i = 0; m->virtiofsd_files && m->virtiofsd_files[i]; i++)
        jail_file(j, m->virtiofsd_files[i], m->virtiofsd_files[i], false);
    jail_share(j, p, vmm_share(p, share), VMM_SERVED);
    jail_step(j, PLAN_MOUNT_PROC, NULL, "/proc", tame | PLAN_MOUNT_RO);
    for (size_t i = 0; i < hidden; i++)
        jail_step(j, PLAN_MOUNT_MASK, NULL, hide[i], 0);
    return j;
}

/*
 * It makes the folder its root by itself (chroot(2), the one thing of a capability's it does) and
 * then keeps no capability of those it would: nothing here can be written or be somebody else's.
 */
char **vmm_serving_argv(const struct plan *p)
{
    char **argv = NULL;
    autofree char *fd = str_format("--fd=%d", VMM_FD_LISTENER);
    const char *const words[] = {
        p->machine.virtiofsd,
        fd,
        "-f",
        "--rlimit-nofile=0",
        "-o",
        "source=" VMM_SERVED,
        "-o",
        "sandbox=chroot",
        "-o",
        "cache=auto",
        "-o",
        "no_xattr",
        "-o",
        "log_level=err",
        "-o",
        "modcaps=-chown:-dac_override:-fowner:-fsetid:-setgid:-setuid:-mknod:-setfcap"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        strv_add(&argv, words[i]);
    return argv;
}

struct plan *vmm_jail_leading_out(const struct plan *p)
{
    struct plan *j = vmm_jail(p);
    j->network = p->network;
    if (p->network == PLAN_NETWORK_PRIVATE)
        vmm_jail_text(j, "/etc/resolv.conf", "nameserver " PLAN_TRANSLATOR_DNS "\n");
    return j;
}

/* Beside the root image, with a name for a moment. */
static char *jail_path_of(const struct plan *p, const char *what)
{
    const char *root = p->machine.root, *name = strrchr(root, '/');
    autofree char *folder = str_ndup(root, name ? (size_t)(name - root) : 0);
    return str_format("%s/%s-%s" LAUNCH_FILE_ENDING, folder, p->id, what);
}

char *vmm_saving_path(const struct plan *p, size_t which)
{
    return jail_path_of(p, which ? VMM_SAVED_STATE : VMM_SAVED_MEMORY);
}

char *vmm_scratch_path(const struct plan *p)
{
    return jail_path_of(p, VMM_SAVED_SCRATCH);
}

static void jail_written(struct plan *j, const char *source, const char *target)
{
    jail_step(j, PLAN_MOUNT_BIND, source, target,
              PLAN_MOUNT_NOSUID | PLAN_MOUNT_NODEV | PLAN_MOUNT_NOEXEC);
}

bool vmm_writes(const struct plan *p)
{
    return p->machine.scratch || plan_boots_disk(p);
}

uint64_t vmm_file_max(const struct plan *p)
{
    uint64_t memory = vmm_saving_room(p);
    return p->machine.scratch ? MAX(memory, p->limits.disk) : memory;
}

struct plan *vmm_jail_meeting(const struct plan *p)
{
    struct plan *j = vmm_jail(p);
    j->network = p->network;
    jail_file(j, p->machine.root, VMM_ROOT, p->map_by == PLAN_MAP_PARENT);
    if (p->machine.scratch) {
        autofree char *source = vmm_scratch_path(p);
        jail_written(j, source, VMM_SCRATCH);
    }
    for (size_t i = 0; i < plan_more_disks(p); i++) {
        autofree char *target = str_format(VMM_MORE "%zu", i + 1);
        jail_file(j, p->machine.disks[i], target, p->map_by == PLAN_MAP_PARENT);
    }
    if (p->machine.jailer) {
        static const char *const nodes[] = {"/dev/kvm", NET_TUN, "/dev/urandom",
                                            "/dev/userfaultfd"};
        for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
            jail_step(j, PLAN_MOUNT_DEVICE, nodes[i], nodes[i],
                      PLAN_MOUNT_MADE | PLAN_MOUNT_OPTIONAL);
        return j;
    }
    if (p->network == PLAN_NETWORK_PRIVATE)
        jail_step(j, PLAN_MOUNT_DEVICE, NET_TUN, NET_TUN,
                  PLAN_MOUNT_NOSUID | PLAN_MOUNT_NOEXEC |
                      (p->map_by == PLAN_MAP_PARENT ? PLAN_MOUNT_LENT : 0));
    struct plan_mount *m =
        jail_step(j, PLAN_MOUNT_TMPFS, NULL, VMM_MEET,
                  PLAN_MOUNT_NOSUID | PLAN_MOUNT_NODEV | PLAN_MOUNT_NOEXEC | PLAN_MOUNT_OWNED);
    m->mode = 0755;
    m->size = MIB;
    return j;
}

void vmm_jail_saving(struct plan *j, const struct plan *p)
{
    static const char *const targets[VMM_SAVES] = {VMM_SAVE_MEMORY, VMM_SAVE_STATE};
    for (size_t i = 0; i < VMM_SAVES; i++) {
        autofree char *source = vmm_saving_path(p, i);
        jail_written(j, source, targets[i]);
    }
}

/* Anybody may read them who gets to them, which is whom the folder is open to (vmm_hands.c). */
void vmm_jail_loading(struct plan *j, const char *from)
{
    static const char *const parts[][2] = {
        {VMM_SAVED_MEMORY, VMM_LOAD_MEMORY},
        {VMM_SAVED_STATE,  VMM_LOAD_STATE }
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        autofree char *source = str_join_path(from, parts[i][0]);
        jail_file(j, source, parts[i][1], false);
    }
}

uint64_t vmm_saving_room(const struct plan *p)
{
    return p->machine.memory + (uint64_t)VMM_SAVE_STATE_MAX;
}

void vmm_jail_saving_folder(struct plan *j, const struct plan *p)
{
    struct plan_mount *m =
        jail_step(j, PLAN_MOUNT_TMPFS, NULL, VMM_SAVE_FOLDER,
                  PLAN_MOUNT_NOSUID | PLAN_MOUNT_NODEV | PLAN_MOUNT_NOEXEC | PLAN_MOUNT_OWNED);
    m->mode = 0700;
    m->size = vmm_saving_room(p);
}

void vmm_jail_loading_folder(struct plan *j, const char *from, const char *config)
{
    static const char *const parts[][2] = {
        {VMM_SAVED_MEMORY, VMM_LOAD_FOLDER "/" VMM_FOLDER_MEMORY},
        {VMM_SAVED_STATE,  VMM_LOAD_FOLDER "/" VMM_FOLDER_STATE }
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        autofree char *source = str_join_path(from, parts[i][0]);
        jail_file(j, source, parts[i][1], false);
    }
    vmm_jail_text(j, VMM_LOAD_FOLDER "/" VMM_FOLDER_CONFIG, config);
}

char *vmm_mac(const struct plan *p)
{
    uint64_t n = strtoull(p->id, NULL, 16);
    return str_format("02:cf:%02x:%02x:%02x:%02x", (unsigned)(n >> 24) & 255,
                      (unsigned)(n >> 16) & 255, (unsigned)(n >> 8) & 255, (unsigned)n & 255);
}

struct plan_limits vmm_limits(const struct plan *p)
{
    struct plan_limits l = p->limits;
    unsigned served = vmm_served(p);
    if (l.memory)
        l.memory = p->machine.memory + (VMM_OVERHEAD_MIB + SERVER_OVERHEAD_MIB * served) * MIB;
    l.pids = VMM_THREADS + p->machine.cpus + SERVER_THREADS * served;
    l.best_effort = true; /* a machine has its size anyway: this is the second lock */
    if (l.cpu_milli % 1000)
        l.best_effort = p->limits.best_effort;
    return l;
}

char **vmm_jailer_argv(const struct plan *p, char *const *argv, uint32_t uid, uint32_t gid,
                       const char *base)
{
    autofree char *u = str_format("%u", uid), *g = str_format("%u", gid);
    autofree char *file = str_format("fsize=%" PRIu64, vmm_file_max(p));
    const char *const words[] = {p->machine.jailer,
                                 "--id",
                                 p->id,
                                 "--exec-file",
                                 p->machine.program,
                                 "--uid",
                                 u,
                                 "--gid",
                                 g,
                                 "--chroot-base-dir",
                                 base,
                                 "--resource-limit",
                                 "no-file=256",
                                 "--resource-limit",
                                 file,
                                 "--new-pid-ns",
                                 "--"};
    char **all = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        strv_add(&all, words[i]);
    for (size_t i = 1; argv[i]; i++) {
        if (str_equal(argv[i], "--id") && argv[i + 1])
            i++;
        else
            strv_add(&all, argv[i]);
    }
    return all;
}
