#include "backends/microvm/vmm_confine.h"

#include "backends/microvm/vmm.h"
#include "backends/net/translator.h"
#include "base/fd.h"
#include "base/mem.h"
#include "vmm-filter.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* landlock(7), as of its ABI 6; older headers know less than the kernel may */
struct confine_rules {
    uint64_t fs, net, scoped;
};
enum { CONFINE_REFER = 1 << 13, CONFINE_TRUNCATE = 1 << 14 };
enum { LOWEST_FS_BITS = 13, NET_BIND_AND_CONNECT = 3, SCOPE_SOCKETS_AND_SIGNALS = 3 };

static const unsigned confine_serving[] = {CAP_SYS_CHROOT, CAP_SETPCAP};

int vmm_confine_bounds(bool serves, struct error *e)
{
    for (unsigned c = 0; c < 64; c++)
        if (!(serves && (c == confine_serving[0] || c == confine_serving[1])) &&
            prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0 && errno != EINVAL)
            return error_errno(e, errno, "capabilities");
    return 0;
}

static int confine_capabilities(struct error *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    if (syscall(SYS_capset, &head, none) < 0)
        return error_errno(e, errno, "dropping capabilities");
    return 0;
}

/* What is not there needs no rule. */
static int confine_rule(int rules, const char *path, uint64_t access)
{
    struct stat st;
    const uint64_t of_files = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                              LANDLOCK_ACCESS_FS_WRITE_FILE | CONFINE_TRUNCATE;
    autoclose int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return 0;
    struct landlock_path_beneath_attr a = {.allowed_access = access, .parent_fd = fd};
    if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
        a.allowed_access &= of_files;
    return (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0);
}

/* All that is named is what the jail shows, which is mounted read-only: said a second time here. */
static int confine_files(bool meets, bool leads_out, struct error *e)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return 0; /* this kernel has none: the mounts say it */
    uint64_t known = (1ull << LOWEST_FS_BITS) - 1;
    known |= abi >= 2 ? CONFINE_REFER : 0;
    known |= abi >= 3 ? CONFINE_TRUNCATE : 0;
    struct confine_rules set = {known, abi >= 4 && (meets || !leads_out) ? NET_BIND_AND_CONNECT : 0,
                                abi >= 6 ? SCOPE_SOCKETS_AND_SIGNALS : 0};
    size_t size = abi >= 6 ? sizeof(set) : abi >= 4 ? 16 : 8;
    const uint64_t uses = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
    const uint64_t saves = uses | (known & CONFINE_TRUNCATE);
    /* sockets, and from Cloud Hypervisor 53 on the lock of one, which is a file */
    const uint64_t meeting = uses | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_REG |
                             LANDLOCK_ACCESS_FS_REMOVE_FILE;
    const struct {
        bool always;
        const char *path;
        uint64_t access;
    } rows[] = {
        {true,  "/",
         LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR},
        {true,  "/dev/kvm",      uses                                                           },
        {false, VMM_MEET,        meeting                                                        },
        {false, NET_TUN,         uses                                                           },
        {false, VMM_SCRATCH,     uses                                                           },
        {false, VMM_SAVE_MEMORY, saves                                                          },
        {false, VMM_SAVE_STATE,  saves                                                          },
        {false, VMM_SAVE_FOLDER, saves | LANDLOCK_ACCESS_FS_MAKE_REG                            },
    };
    autoclose int rules = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
    int r = rules < 0 ? -1 : 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
        if (rows[i].always || meets)
            r = confine_rule(rules, rows[i].path, rows[i].access);
    if (r < 0 || syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        return error_errno(e, errno, "Landlock");
    return 0;
}

static int confine_filter(const struct sock_filter *filter, size_t count, struct error *e)
{
    if (!count)
        return error_set(e, ENOSYS, "this build has no system call filter for machines");
    struct sock_fprog program = {.len = (unsigned short)count,
                                 .filter = (struct sock_filter *)filter};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return error_errno(e, errno, "the system call filter");
    return 0;
}

static int confine_served(bool leads_out, struct error *e)
{
    return leads_out ? confine_filter(vmm_filter_served_leading_out,
                                      ARRAY_SIZE(vmm_filter_served_leading_out), e)
                     : confine_filter(vmm_filter_served, ARRAY_SIZE(vmm_filter_served), e);
}

int vmm_confine(const struct vmm_freedom *f, struct error *e)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, errno, "no_new_privs");
    int r = confine_files(f->meets, f->leads_out, e);
    if (r == 0)
        r = confine_capabilities(e);
    if (r < 0)
        return r;
    if (f->meets)
        return confine_filter(vmm_filter_meeting, ARRAY_SIZE(vmm_filter_meeting), e);
    if (f->served)
        return confine_served(f->leads_out, e);
    return f->leads_out
               ? confine_filter(vmm_filter_leading_out, ARRAY_SIZE(vmm_filter_leading_out), e)
               : confine_filter(vmm_filter, ARRAY_SIZE(vmm_filter), e);
}

/* Ambient ones alone are still there after execve(2). */
static int confine_to_serving(struct error *e)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct some[2] = {{0}};
    for (size_t i = 0; i < ARRAY_SIZE(confine_serving); i++)
        some[0].permitted |= 1u << confine_serving[i];
    some[0].effective = some[0].inheritable = some[0].permitted;
    if (syscall(SYS_capset, &head, some) < 0)
        return error_errno(e, errno, "dropping capabilities");
    for (size_t i = 0; i < ARRAY_SIZE(confine_serving); i++)
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, confine_serving[i], 0, 0) < 0)
            return error_errno(e, errno, "leaving capabilities");
    return 0;
}

int vmm_confine_serving(struct error *e)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, errno, "no_new_privs");
    int r = confine_files(false, false, e);
    if (r == 0)
        r = confine_to_serving(e);
    return r < 0 ? r : confine_filter(vmm_filter_serving, ARRAY_SIZE(vmm_filter_serving), e);
}

int vmm_confine_unpacking(struct error *e)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, errno, "no_new_privs");
    int r = confine_capabilities(e);
    return r < 0 ? r : confine_filter(vmm_filter_unpacking, ARRAY_SIZE(vmm_filter_unpacking), e);
}
