/*
 * The monitor reads whatever a stranger's program writes. Once the workload runs it keeps only what
 * it needs: its own folders (Landlock), the system calls of its loop (seccomp, compiled at build
 * time by confine_gen.c), few capabilities, no core dump, no ptrace.
 */
#include "base/fd.h"
#include "console/monitor_parts.h"
#include "monitor-filter.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

/* landlock(7), as of its ABI 6; older headers know less than the kernel may */
struct ruleset {
    uint64_t fs, net, scoped;
};
enum { SCOPE_ABSTRACT_SOCKETS = 1, NET_BIND_AND_CONNECT = 3, LOWEST_FS_BITS = 13 };

enum {
    READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
    WRITE = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE,
    REMOVE = LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR,
    OURS = READ | WRITE | REMOVE | LANDLOCK_ACCESS_FS_MAKE_REG,
};

static uint64_t fs_bits(long abi)
{
    uint64_t bits = (1ULL << LOWEST_FS_BITS) - 1;
    if (abi >= 2)
        bits |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3)
        bits |= LANDLOCK_ACCESS_FS_TRUNCATE;
    if (abi >= 5)
        bits |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
    return bits;
}

static void allow(int rules, int dir, uint64_t what, uint64_t known)
{
    struct landlock_path_beneath_attr a = {.allowed_access = what & known, .parent_fd = dir};
    if (dir >= 0 && a.allowed_access)
        syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0);
}

static void allow_path(int rules, const char *path, uint64_t what, uint64_t known)
{
    autoclose int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    allow(rules, dir, what, known);
}

static void allow_reach(struct monitor *m, int rules, uint64_t known)
{
    struct launch_reach reach[16];
    bool proc = false;
    if (!m->ops->reach)
        return;
    size_t count = m->ops->reach(m->launch, reach, ARRAY_SIZE(reach), &proc);
    for (size_t i = 0; i < count; i++)
        allow(rules, reach[i].fd,
              (reach[i].how & LAUNCH_REACH_READ ? READ : 0u) |
                  (reach[i].how & LAUNCH_REACH_WRITE ? WRITE : 0u) |
                  (reach[i].how & LAUNCH_REACH_REMOVE ? REMOVE | READ : 0u),
              known);
    if (proc)
        allow_path(rules, "/proc", READ, known);
}

/* A kernel without Landlock has the other locks; one that has it must not fail. */
static int lock_files(struct monitor *m, struct error *e)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return 0;
    uint64_t known = fs_bits(abi);
    struct ruleset set = {known, abi >= 4 ? NET_BIND_AND_CONNECT : 0,
                          abi >= 6 ? SCOPE_ABSTRACT_SOCKETS : 0};
    size_t size = abi >= 6 ? sizeof(set) : abi >= 4 ? 16 : 8;
    autoclose int rules = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
    if (rules < 0)
        return error_errno(e, errno, "landlock_create_ruleset");
    /* the folder's own name goes at the end, by way of .half-ID, and so does the link of the name
     */
    allow_path(rules, m->setup->runtime_dir,
               LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                   LANDLOCK_ACCESS_FS_MAKE_DIR,
               known);
    if (geteuid() == 0) { /* the range of ids is given back */
        autofree char *ids = str_join_path(m->env.system_runtime_dir, "ids");
        allow_path(rules, ids, LANDLOCK_ACCESS_FS_REMOVE_FILE, known);
    }
    allow(rules, state_writer_dir(m->writer), OURS, known);
    if (state_writer_kept_dir(m->writer) >= 0) {
        autofree char *workloads = str_join_path(m->setup->state_dir, "workloads");
        allow_path(rules, workloads, LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR,
                   known);
        uint64_t move = m->exit_snapshot ? LANDLOCK_ACCESS_FS_REFER : 0;
        allow(rules, state_writer_kept_dir(m->writer), OURS | LANDLOCK_ACCESS_FS_MAKE_DIR | move,
              known);
    }
    if (m->exit_snapshot) {
        autofree char *snapshots = str_join_path(m->setup->state_dir, "snapshots");
        allow_path(rules, snapshots, LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR,
                   known);
        allow(rules, snapshot_writer_dir(m->exit_snapshot),
              OURS | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REFER, known);
    }
    int changes = m->ops->changes ? m->ops->changes(m->launch) : FD_NONE;
    allow(rules, changes, READ, known);
    allow_reach(m, rules, known);
    if (syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        return error_errno(e, errno, "landlock_restrict_self");
    return 0;
}

/* What root's monitor still needs: to signal and clean up after processes of other ids. */
static int drop_capabilities(struct error *e)
{
    const uint32_t keep =
        1u << CAP_KILL | 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH | 1u << CAP_FOWNER;
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {0};
    if (syscall(SYS_capget, &head, data) < 0)
        return error_errno(e, errno, "capget");
    if (!data[0].permitted && !data[1].permitted)
        return 0;
    data[0].permitted &= keep;
    data[0].effective = data[0].permitted;
    data[0].inheritable = 0;
    data[1] = (struct __user_cap_data_struct){0};
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &head, data) < 0)
        return error_errno(e, errno, "capset");
    return 0;
}

static void lower(int what, rlim_t most)
{
    struct rlimit l;
    if (getrlimit(what, &l) < 0)
        return;
    l.rlim_max = MIN(l.rlim_max, most);
    l.rlim_cur = MIN(l.rlim_cur, most);
    setrlimit(what, &l);
}

static int lock_calls(struct error *e)
{
    if (!ARRAY_SIZE(monitor_filter))
        return 0;
    struct sock_fprog program = {.len = ARRAY_SIZE(monitor_filter),
                                 .filter = (struct sock_filter *)monitor_filter};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return error_errno(e, errno, "seccomp");
    return 0;
}

int monitor_confine(struct monitor *m, struct error *e)
{
#ifdef COFFERDAM_SANITIZED
    return 0;
#endif
    prctl(PR_SET_DUMPABLE, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, errno, "no_new_privs");
    lower(RLIMIT_CORE, 0);
    lower(RLIMIT_NOFILE, 1024);
    lower(RLIMIT_AS, (rlim_t)4 << 30);
    int r = lock_files(m, e);
    if (r == 0)
        r = drop_capabilities(e);
    if (r == 0)
        r = lock_calls(e);
    return r;
}
