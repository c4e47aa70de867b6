/*
 * The second lock: a Landlock domain around everything inside. It says again, in another part of
 * the kernel, what the mounts say: that which is not writable is not written; nothing makes device
 * nodes; signals and abstract sockets stop at the boundary even where the network namespace is
 * shared. Reading and executing are left to the mounts, and so is TCP: the loopback device is the
 * workload's own.
 */
#include "backends/native/start.h"
#include "backends/root/tree.h"
#include "base/fd.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What newer kernels add, for headers that are older. */
#define LANDLOCK_FS_TRUNCATE (1ull << 14)   /* ABI 3 */
#define LANDLOCK_FS_IOCTL_DEV (1ull << 15)  /* ABI 5 */
#define LANDLOCK_SCOPE_ABSTRACT (1ull << 0) /* ABI 6 */
#define LANDLOCK_SCOPE_SIGNALS (1ull << 1)  /* ABI 6 */

struct landlock_attributes {
    uint64_t fs, net, scoped;
};

#define LANDLOCK_FILE_WRITE LANDLOCK_ACCESS_FS_WRITE_FILE
#define LANDLOCK_NODES (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define LANDLOCK_TREE_WRITE                                                                       \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                              \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM)

struct landlock {
    int rules;     /* the ruleset */
    uint64_t tree; /* rights on a writable folder */
    uint64_t file; /* rights on a writable file or device */
};

static int landlock_abi(void)
{
    long r = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return r < 0 ? 0 : (int)r;
}

static int landlock_allow(const struct landlock *l, const char *path, int how,
                          bool file_rights_only)
{
    autoclose int fd = open(path, O_PATH | O_CLOEXEC | how);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    bool folder = S_ISDIR(st.st_mode);
    struct landlock_path_beneath_attr rule = {
        .allowed_access = folder && !file_rights_only ? l->tree : l->file,
        .parent_fd = fd,
    };
    long r = syscall(SYS_landlock_add_rule, l->rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    return r < 0 ? -errno : 0;
}

/* Whether the step leaves something writable, and whether only files in it may be written. */
static bool landlock_is_writable(const struct plan_mount *m, bool *ret_files_only)
{
    *ret_files_only = m->kind == PLAN_MOUNT_PROC || m->kind == PLAN_MOUNT_DEVPTS;
    if (m->flags & PLAN_MOUNT_RO)
        return false;
    if (m->flags & PLAN_MOUNT_WRITABLE)
        return true;
    switch (m->kind) {
    case PLAN_MOUNT_OVERLAY:
    case PLAN_MOUNT_BIND:
    case PLAN_MOUNT_TMPFS:
    case PLAN_MOUNT_PROC:
    case PLAN_MOUNT_DEVPTS:
    case PLAN_MOUNT_MQUEUE:
    case PLAN_MOUNT_DEVICE:
        return true;
    case PLAN_MOUNT_SYSFS:
    case PLAN_MOUNT_CGROUP:
    case PLAN_MOUNT_MASK:
    case PLAN_MOUNT_READONLY:
    case PLAN_MOUNT_DIR:
    case PLAN_MOUNT_SYMLINK:
    case PLAN_MOUNT_FILE:
    case PLAN_MOUNT_COPY:
        break;
    }
    return false;
}

static bool landlock_made_read_only(const struct plan *p, size_t i)
{
    for (size_t j = i + 1; j < p->mounts_count; j++)
        if (p->mounts[j].kind == PLAN_MOUNT_READONLY &&
            str_equal(p->mounts[j].target, p->mounts[i].target))
            return true;
    return false;
}

/*
 * Rules reach downwards, so a writable "/" leaves nothing for this lock but device nodes; the
 * folders of a read-only root are told apart.
 */
static int landlock_add_rules(struct setup *s, const struct landlock *l)
{
    const struct plan *p = s->plan;
    if (!p->read_only) {
        int r = landlock_allow(l, "/", O_NOFOLLOW, false);
        return r < 0 ? error_errno(&s->error, -r, "landlock: /") : 0;
    }
    for (size_t i = 0; i < p->mounts_count; i++) {
        bool files_only;
        if (s->skip[i] || !landlock_is_writable(&p->mounts[i], &files_only) ||
            landlock_made_read_only(p, i))
            continue;
        int how = p->mounts[i].flags & PLAN_MOUNT_FOLLOW ? 0 : O_NOFOLLOW;
        int r = landlock_allow(l, p->mounts[i].target, how, files_only);
        if (r < 0)
            return error_errno(&s->error, -r, "landlock: %s", p->mounts[i].target);
    }
    return 0;
}

int setup_landlock(struct setup *s)
{
    if (s->plan->landlock == PLAN_LANDLOCK_NO)
        return 0;
    /* a domain may mount nothing, which is what containers within are made of */
    if (s->plan->landlock == PLAN_LANDLOCK_AUTO && (s->plan->open & PLAN_OPEN_USERNS))
        return 0;
    int abi = landlock_abi();
    if (abi == 0 && s->plan->landlock == PLAN_LANDLOCK_AUTO)
        return 0;
    if (abi == 0)
        return error_set(&s->error, ENOSYS, "landlock: this kernel has none");

    struct landlock l = {.tree = LANDLOCK_TREE_WRITE, .file = LANDLOCK_FILE_WRITE};
    if (abi >= 2)
        l.tree |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3) {
        l.tree |= LANDLOCK_FS_TRUNCATE;
        l.file |= LANDLOCK_FS_TRUNCATE;
    }
    if (abi >= 5) {
        l.tree |= LANDLOCK_FS_IOCTL_DEV;
        l.file |= LANDLOCK_FS_IOCTL_DEV;
    }
    struct landlock_attributes a = {
        .fs = l.tree | LANDLOCK_NODES,
        .scoped = abi >= 6 ? LANDLOCK_SCOPE_ABSTRACT | LANDLOCK_SCOPE_SIGNALS : 0,
    };
    size_t size = abi >= 6 ? sizeof(a) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    autoclose int rules = (int)syscall(SYS_landlock_create_ruleset, &a, size, 0);
    if (rules < 0)
        return error_errno(&s->error, errno, "landlock");
    l.rules = rules;
    int r = landlock_add_rules(s, &l);
    if (r < 0)
        return r;
    if (syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        return error_errno(&s->error, errno, "landlock");
    return 0;
}
