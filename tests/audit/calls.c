/* System calls that open large parts of the kernel, by their native numbers. */
#include "tests/audit/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/quota.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

/* One that must not even have its arguments looked at. */
#define UNREACHABLE(name)                                      \
    static int c_##name(void)                                  \
    {                                                          \
        return inside_call_refused(SYS_##name, 0, 0, 0, 0, 0); \
    }
UNREACHABLE(keyctl)
UNREACHABLE(add_key)
UNREACHABLE(request_key)
UNREACHABLE(bpf)
UNREACHABLE(perf_event_open)
UNREACHABLE(userfaultfd)
UNREACHABLE(io_uring_setup)
UNREACHABLE(io_uring_enter)
UNREACHABLE(io_uring_register)
UNREACHABLE(setns)
UNREACHABLE(mount)
UNREACHABLE(umount2)
UNREACHABLE(pivot_root)
UNREACHABLE(chroot)
UNREACHABLE(open_by_handle_at)
UNREACHABLE(name_to_handle_at)
UNREACHABLE(process_vm_readv)
UNREACHABLE(process_vm_writev)
UNREACHABLE(kcmp)
UNREACHABLE(ptrace)
UNREACHABLE(init_module)
UNREACHABLE(finit_module)
UNREACHABLE(delete_module)
UNREACHABLE(kexec_load)
UNREACHABLE(kexec_file_load)
UNREACHABLE(swapon)
UNREACHABLE(swapoff)
UNREACHABLE(reboot)
UNREACHABLE(acct)
UNREACHABLE(quotactl)
UNREACHABLE(syslog)
UNREACHABLE(settimeofday)
UNREACHABLE(clock_settime)
UNREACHABLE(adjtimex)
UNREACHABLE(clock_adjtime)
UNREACHABLE(lookup_dcookie)
UNREACHABLE(vhangup)
UNREACHABLE(sethostname)
UNREACHABLE(setdomainname)
UNREACHABLE(fanotify_init)
UNREACHABLE(fanotify_mark)
UNREACHABLE(vmsplice)
UNREACHABLE(mbind)
UNREACHABLE(set_mempolicy)
UNREACHABLE(migrate_pages)
UNREACHABLE(move_pages)
UNREACHABLE(remap_file_pages)
UNREACHABLE(ustat)
UNREACHABLE(sysfs)
UNREACHABLE(nfsservctl)
#ifdef SYS_modify_ldt
UNREACHABLE(modify_ldt)
UNREACHABLE(iopl)
UNREACHABLE(ioperm)
UNREACHABLE(_sysctl)
UNREACHABLE(uselib)
UNREACHABLE(create_module)
#endif

/* Newer than some headers. */
#define UNREACHABLE_NUMBER(name, number)                   \
    static int c_##name(void)                              \
    {                                                      \
        return inside_call_refused(number, 0, 0, 0, 0, 0); \
    }
UNREACHABLE_NUMBER(open_tree, 428)
UNREACHABLE_NUMBER(move_mount, 429)
UNREACHABLE_NUMBER(fsopen, 430)
UNREACHABLE_NUMBER(fsconfig, 431)
UNREACHABLE_NUMBER(fsmount, 432)
UNREACHABLE_NUMBER(fspick, 433)
UNREACHABLE_NUMBER(pidfd_getfd, 438)
UNREACHABLE_NUMBER(process_madvise, 440)
UNREACHABLE_NUMBER(mount_setattr, 442)
UNREACHABLE_NUMBER(quotactl_fd, 443)
UNREACHABLE_NUMBER(memfd_secret, 447)
UNREACHABLE_NUMBER(set_mempolicy_home_node, 450)
UNREACHABLE_NUMBER(statmount, 457)
UNREACHABLE_NUMBER(listmount, 458)
UNREACHABLE_NUMBER(lsm_set_self_attr, 460)
UNREACHABLE_NUMBER(open_tree_attr, 467)
UNREACHABLE_NUMBER(listns, 470)

static int c_unshare_kind(int flag)
{
    return inside_refused(syscall(SYS_unshare, flag));
}
static int c_unshare_user(void)
{
    return c_unshare_kind(CLONE_NEWUSER);
}
static int c_unshare_mount(void)
{
    return c_unshare_kind(CLONE_NEWNS);
}
static int c_unshare_pid(void)
{
    return c_unshare_kind(CLONE_NEWPID);
}
static int c_unshare_net(void)
{
    return c_unshare_kind(CLONE_NEWNET);
}
static int c_unshare_uts(void)
{
    return c_unshare_kind(CLONE_NEWUTS);
}
static int c_unshare_ipc(void)
{
    return c_unshare_kind(CLONE_NEWIPC);
}
static int c_unshare_cgroup(void)
{
    return c_unshare_kind(CLONE_NEWCGROUP);
}
static int c_unshare_time(void)
{
    return c_unshare_kind(0x80);
}

static int c_clone_kinds(void)
{
    static const unsigned long kinds[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,   CLONE_NEWNET,
                                          CLONE_NEWUTS,  CLONE_NEWIPC, CLONE_NEWCGROUP};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        long pid = syscall(SYS_clone, kinds[i] | SIGCHLD, 0, 0, 0, 0);
        if (pid == 0)
            _exit(0);
        if (pid > 0) {
            inside_say("clone(%lx) worked", kinds[i]);
            return HOLE;
        }
    }
    return HELD;
}

static int c_clone3(void)
{
    uint64_t args[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
    long pid = syscall(SYS_clone3, args, sizeof(args));
    if (pid == 0)
        _exit(0);
    return inside_refused(pid);
}

static int c_personality(void)
{
    static const unsigned long kinds[] = {ADDR_NO_RANDOMIZE,  READ_IMPLIES_EXEC, MMAP_PAGE_ZERO,
                                          ADDR_COMPAT_LAYOUT, PER_SVR4,          PER_BSD};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (syscall(SYS_personality, kinds[i]) >= 0) {
            inside_say("personality(%lx)", kinds[i]);
            return HOLE;
        }
    }
    return HELD;
}

static int c_mmap_zero(void)
{
    return inside_refused(syscall(SYS_mmap, 0, 4096, 3, 0x32, -1, 0) == 0 ? 0 : -1);
}

static int c_capabilities(void)
{
    const char *status = inside_read("/proc/self/status");
    static const char *const sets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"};
    for (size_t i = 0; i < 5; i++) {
        const char *at = strstr(status, sets[i]);
        if (!at || strtoull(at + strlen(sets[i]), NULL, 16) != 0) {
            inside_say("%.24s", at ? at : "no status");
            return HOLE;
        }
    }
    return HELD;
}

static int c_no_new_privileges(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? HELD : HOLE;
}

static int c_filter(void)
{
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2 ? HELD : HOLE;
}

/* A stopped child of ours is all we could trace; not even that. */
static int c_trace_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    long r = syscall(SYS_ptrace, PTRACE_ATTACH, pid, 0, 0);
    int e = errno;
    kill(pid, SIGKILL);
    errno = e;
    return inside_refused(r);
}

static int c_trace_me(void)
{
    return inside_refused(syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0));
}

static int c_core_limit(void)
{
    struct {
        uint64_t soft, hard;
    } now = {0}, more = {~0ull, ~0ull};
    syscall(SYS_prlimit64, 0, 4, &more, NULL);
    syscall(SYS_prlimit64, 0, 4, NULL, &now);
    inside_say("%llu", (unsigned long long)now.hard);
    return now.hard <= 1 ? HELD : HOLE;
}

static int c_set_mm(void)
{
    return inside_refused(prctl(PR_SET_MM, PR_SET_MM_BRK, 0, 0, 0));
}

static int c_realtime(void)
{
    struct sched_param p = {.sched_priority = 1};
    return inside_refused(sched_setscheduler(0, SCHED_FIFO, &p));
}

static int c_nice_up(void)
{
    return inside_refused(setpriority(0, 0, -5));
}

static int c_io_realtime(void)
{
    return inside_refused(syscall(SYS_ioprio_set, 1, 0, 1 << 13));
}

static int c_raise_limits(void)
{
    struct {
        uint64_t soft, hard;
    } l;
    syscall(SYS_prlimit64, 0, 7, NULL, &l);
    l.hard++;
    return inside_refused(syscall(SYS_prlimit64, 0, 7, &l, NULL));
}

const struct check checks_calls[] = {
#define ROW(name)       \
    {                   \
#name, c_##name \
    }
    ROW(keyctl),
    ROW(add_key),
    ROW(request_key),
    ROW(bpf),
    ROW(perf_event_open),
    ROW(userfaultfd),
    ROW(io_uring_setup),
    ROW(io_uring_enter),
    ROW(io_uring_register),
    ROW(setns),
    ROW(mount),
    ROW(umount2),
    ROW(pivot_root),
    ROW(chroot),
    ROW(open_by_handle_at),
    ROW(name_to_handle_at),
    ROW(process_vm_readv),
    ROW(process_vm_writev),
    ROW(kcmp),
    ROW(ptrace),
    ROW(init_module),
    ROW(finit_module),
    ROW(delete_module),
    ROW(kexec_load),
    ROW(kexec_file_load),
    ROW(swapon),
    ROW(swapoff),
    ROW(reboot),
    ROW(acct),
    ROW(quotactl),
    ROW(syslog),
    ROW(settimeofday),
    ROW(clock_settime),
    ROW(adjtimex),
    ROW(clock_adjtime),
    ROW(lookup_dcookie),
    ROW(vhangup),
    ROW(sethostname),
    ROW(setdomainname),
    ROW(fanotify_init),
    ROW(fanotify_mark),
    ROW(vmsplice),
    ROW(mbind),
    ROW(set_mempolicy),
    ROW(migrate_pages),
    ROW(move_pages),
    ROW(remap_file_pages),
    ROW(ustat),
    ROW(sysfs),
    ROW(nfsservctl),
#ifdef SYS_modify_ldt
    ROW(modify_ldt),
    ROW(iopl),
    ROW(ioperm),
    ROW(_sysctl),
    ROW(uselib),
    ROW(create_module),
#endif
    ROW(open_tree),
    ROW(move_mount),
    ROW(fsopen),
    ROW(fsconfig),
    ROW(fsmount),
    ROW(fspick),
    ROW(pidfd_getfd),
    ROW(process_madvise),
    ROW(mount_setattr),
    ROW(quotactl_fd),
    ROW(memfd_secret),
    ROW(set_mempolicy_home_node),
    ROW(statmount),
    ROW(listmount),
    ROW(lsm_set_self_attr),
    ROW(open_tree_attr),
    ROW(listns),
    ROW(unshare_user),
    ROW(unshare_mount),
    ROW(unshare_pid),
    ROW(unshare_net),
    ROW(unshare_uts),
    ROW(unshare_ipc),
    ROW(unshare_cgroup),
    ROW(unshare_time),
    ROW(clone_kinds),
    ROW(clone3),
    ROW(personality),
    ROW(mmap_zero),
    ROW(capabilities),
    ROW(no_new_privileges),
    ROW(filter),
    ROW(trace_child),
    ROW(trace_me),
    ROW(core_limit),
    ROW(set_mm),
    ROW(realtime),
    ROW(nice_up),
    ROW(io_realtime),
    ROW(raise_limits),
    {NULL, NULL},
};
