/* The child's half of a tool: no namespace of the host's network, few files, few system calls. */
#include "images/disk_tool.h"

#include "base/file.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define TOOL_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define TOOL_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define TOOL_ARCH AUDIT_ARCH_RISCV64
#elif defined(__i386__)
#define TOOL_ARCH AUDIT_ARCH_I386
#else
#error "name this processor's AUDIT_ARCH"
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14)
#endif
enum { TOOL_CPU_SECONDS = 3600, TOOL_FILES = 256, TOOL_LANDLOCK_BITS = 15 };

/* --- namespaces and rights -----------------------------------------------------------------------
 */

/*
 * Root keeps its user namespace, or a disk of somebody else's could not be read; what is left of
 * its rights is that.
 */
static int tool_namespaces(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int apart = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    if (uid == 0 && unshare(apart) == 0)
        return 0;
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (unshare(CLONE_NEWUSER | apart) < 0)
        return -errno;
    char map[64];
    int r = file_put(AT_FDCWD, "/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
    if (r == 0)
        r = file_put(AT_FDCWD, "/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
    return r < 0 ? r : file_put(AT_FDCWD, "/proc/self/gid_map", map);
}

static int tool_capabilities(void)
{
    uint64_t kept = 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH;
    for (unsigned long c = 0; c < 64; c++)
        if (!(kept >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0 && errno != EINVAL)
            return -errno;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    if (geteuid() == 0)
        data[0].effective = data[0].permitted = (uint32_t)kept;
    return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int tool_limit(int resource, rlim_t most)
{
    struct rlimit old, l = {.rlim_cur = most, .rlim_max = most};
    if (getrlimit((__rlimit_resource_t)resource, &old) == 0 && old.rlim_max < most)
        l.rlim_cur = l.rlim_max = old.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &l) < 0 ? -errno : 0;
}

static int tool_limits(const struct disk_tool *t)
{
    int r = tool_limit(RLIMIT_CORE, 0);
    if (r == 0)
        r = tool_limit(RLIMIT_CPU, TOOL_CPU_SECONDS);
    if (r == 0)
        r = tool_limit(RLIMIT_NOFILE, TOOL_FILES);
    if (r == 0)
        r = tool_limit(RLIMIT_FSIZE, t->file_bytes);
    return r < 0 ? r : tool_limit(RLIMIT_DATA, t->memory);
}

/* --- files ---------------------------------------------------------------------------------------
 */

/* A path that is not there, or that may not be looked at, needs no rule. */
static int tool_rule(int set, int fd, uint64_t access)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return 0;
    if (!S_ISDIR(st.st_mode))
        access &= LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                  LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};
    return syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno
                                                                                         : 0;
}

static int tool_rule_path(int set, const char *path, uint64_t access)
{
    autoclose int fd = open(path, O_PATH | O_CLOEXEC);
    return tool_rule(set, fd, access);
}

/* The folder above the program's own, unless that is the root: where its libraries are. */
static int tool_rule_home(int set, const char *path, uint64_t access)
{
    autofree char *home = str_dup(path);
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(home, '/');
        if (!slash || slash == home)
            return 0;
        *slash = '\0';
    }
    return tool_rule_path(set, home, access);
}

static int tool_landlock(const struct disk_tool *t, const char *path)
{
    static const char *const system[] = {"/usr",       "/lib",       "/lib64",
                                         "/lib32",     "/bin",       "/etc/ld.so.cache",
                                         "/nix/store", "/gnu/store", "/sys/devices/system/cpu"};
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/urandom"};
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return 0; /* the kernel has none: network, calls and limits are still closed */
    uint64_t all = (1ull << TOOL_LANDLOCK_BITS) - 1;
    all &= abi >= 3 ? ~0ull : ~(uint64_t)LANDLOCK_ACCESS_FS_TRUNCATE;
    all &= abi >= 2 ? ~0ull : ~(1ull << 13); /* REFER */
    struct landlock_ruleset_attr attr = {.handled_access_fs = all};
    autoclose int set = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (set < 0)
        return -errno;
    uint64_t write = (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE) & all;
    uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    int r = tool_rule_path(set, path, read | LANDLOCK_ACCESS_FS_EXECUTE);
    if (r == 0)
        r = tool_rule_home(set, path, read | LANDLOCK_ACCESS_FS_EXECUTE);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(system); i++)
        r = tool_rule_path(set, system[i], read | LANDLOCK_ACCESS_FS_EXECUTE);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(devices); i++)
        r = tool_rule_path(set, devices[i], read | write);
    for (size_t i = 0; r == 0 && i < t->files_count; i++)
        r = tool_rule(set, t->files[i], read | (i + t->writable >= t->files_count ? write : 0));
    return r < 0 ? r : syscall(SYS_landlock_restrict_self, set, 0) < 0 ? -errno : 0;
}

/* --- calls ---------------------------------------------------------------------------------------
 */

/* What no maker of disks needs, and what would let it speak to others or look at them. */
static const unsigned tool_refused[] = {
    SYS_socket,
    SYS_connect,
    SYS_bind,
    SYS_kill,
    SYS_ptrace,
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_rt_sigqueueinfo,
    SYS_open_by_handle_at,
    SYS_chroot,
    SYS_pivot_root,
    SYS_mknodat,
    SYS_pidfd_getfd,
};

static int tool_filter(void)
{
    struct sock_filter code[ARRAY_SIZE(tool_refused) + 8];
    unsigned short n = 0, last = ARRAY_SIZE(tool_refused);
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TOOL_ARCH, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
    /* the x32 calls have numbers of their own */
    code[n++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, (uint8_t)(last + 1), 0);
#endif
    for (unsigned i = 0; i < last; i++)
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, tool_refused[i],
                                                 (uint8_t)(last - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    struct sock_fprog program = {.len = n, .filter = code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

int disk_tool_confine(const struct disk_tool *t, const char *path, const char **ret_step)
{
    int r = tool_namespaces();
    *ret_step = "namespaces";
    if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        r = -errno;
    if (r == 0) {
        *ret_step = "Landlock";
        r = tool_landlock(t, path);
    }
    if (r == 0) {
        *ret_step = "capabilities";
        r = tool_capabilities();
    }
    if (r == 0) {
        *ret_step = "limits";
        r = tool_limits(t);
    }
    if (r == 0) {
        *ret_step = "system calls";
        r = tool_filter();
    }
    return r;
}
