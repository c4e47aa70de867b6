/*
 * Prints vmm-filter.h: the system calls a machine's program may make, compiled by libseccomp for
 * the machine that builds. Others fail with EPERM. Runs at build time only.
 *
 * QEMU's own -sandbox forbids what it knows to be dangerous; this allows what it needs, and holds
 * before QEMU's first instruction. No socket can be made (of IPv4 by who translates; a pair by who
 * is served folders, to be told things by who serves them), nothing can be run a second time (there
 * is nothing else to run), nobody else can be seen: a guest that takes QEMU over has these calls,
 * the descriptors of vmm.h, and a folder of libraries.
 */
#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* prctl(2), of 5.14: which threads may share a processor's core; older headers lack it */
enum { FILTER_PR_SCHED_CORE = 62 };

static scmp_filter_ctx filter;

static const char *const plain[] = {
    /* descriptors: those it was born with, its libraries and firmware */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "lseek",
    "_llseek",
    "close",
    "close_range",
    "openat",
    "open",
    "fstat",
    "fstat64",
    "stat",
    "stat64",
    "lstat",
    "newfstatat",
    "fstatat64",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "fcntl",
    "fcntl64",
    "dup",
    "dup2",
    "dup3",
    "pipe2",
    "eventfd2",
    "signalfd4",
    "ioctl",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "fadvise64",
    "flock",
    "fstatfs",
    "statfs",
    "memfd_create",
    "recvmsg",
    "sendmsg",
    "recvfrom",
    "sendto",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    "shutdown",
    "poll",
    "ppoll",
    "ppoll_time64",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    /* memory: translated code is made executable */
    "brk",
    "mmap",
    "mmap2",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "msync",
    "mlock",
    "munlock",
    "membarrier",
    "get_mempolicy",
    "mbind",
    /* threads (see below for clone), clocks, chance */
    "futex",
    "futex_time64",
    "set_robust_list",
    "set_tid_address",
    "rseq",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "gettid",
    "tgkill",
    "exit",
    "exit_group",
    "clock_gettime",
    "clock_gettime64",
    "clock_getres",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "nanosleep",
    "gettimeofday",
    "time",
    "timer_create",
    "timer_settime",
    "timer_gettime",
    "timer_getoverrun",
    "timer_delete",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "getrandom",
    "restart_syscall",
    /* itself */
    "getpid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getresuid",
    "getresgid",
    "getpgrp",
    "uname",
    "sysinfo",
    "getrusage",
    "times",
    "umask",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "sigaltstack",
    "arch_prctl",
    "getrlimit",
    "ugetrlimit",
    "getpriority",
    /* its own further locks, and becoming the program at all */
    "seccomp",
    "execveat",
    "execve",
};

/* Of those that make their own sockets, beside what is allowed by arguments in build(). */
static const char *const meeting[] = {
    "bind",
    "listen",
    "accept4",
    "connect",
    "unlink",
    "unlinkat",
    "tkill",
    "mincore",
    /* further locks of their own */
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self",
};

/* Of those that translate what their guest sends, beside what is allowed by arguments in build().
 */
static const char *const leading_out[] = {"bind", "connect"};

/* Of virtiofsd, beside what is allowed by arguments in build_serving(). */
static const char *const serving[] = {
    "accept", "accept4",  "capget", "capset", "chroot",        "chdir",
    "fchdir", "getdents", "tkill",  "time",   "sched_getattr", "sched_setattr",
};

/* Of who reads what a machine's program has written of its memory (vmm_core.h). */
static const char *const unpacking[] = {
    "read",         "pwrite64", "ftruncate",  "ftruncate64", "poll",   "ppoll",   "ppoll_time64",
    "brk",          "mmap",     "mmap2",      "munmap",      "mremap", "madvise", "restart_syscall",
    "rt_sigreturn", "exit",     "exit_group",
};

static void must(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "vmm_filter_gen: %s: %s\n", what, strerror(-r));
        _exit(1);
    }
}

static void allow_masked(const char *name, unsigned argument, uint64_t mask, uint64_t value)
{
    int number = seccomp_syscall_resolve_name(name);
    struct scmp_arg_cmp cmp = {argument, SCMP_CMP_MASKED_EQ, mask, value};
    if (number >= 0)
        must(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &cmp), name);
}

static void allow(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number >= 0)
            must(seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0), names[i]);
    }
}

static void build_unpacking(void)
{
    filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        must(-ENOMEM, "seccomp_init");
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    allow(unpacking, sizeof(unpacking) / sizeof(unpacking[0]));
}

static void build_plain(void)
{
    filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter)
        must(-ENOMEM, "seccomp_init");
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    allow(plain, sizeof(plain) / sizeof(plain[0]));
    /* threads, no processes: clone3's flags cannot be seen, so the C library has to fall back */
    allow_masked("clone", 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM);
    int clone3 = seccomp_syscall_resolve_name("clone3");
    if (clone3 >= 0)
        must(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), clone3, 0), "clone3");
    static const unsigned long options[] = {PR_SET_NAME,    PR_GET_NAME,     PR_SET_TIMERSLACK,
                                            PR_SET_SECCOMP, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS};
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        allow_masked("prctl", 0, 0xffffffffu, options[i]);
    allow_masked("prlimit64", 2, ~0ull, 0); /* asking, not setting */
}

/*
 * It asks for its groups, and would end where it cannot leave them, which who is in a namespace of
 * one id may not: it is told that it has none.
 */
static void build_serving(void)
{
    static const unsigned long options[] = {PR_CAPBSET_READ, PR_CAPBSET_DROP,
                                            PR_CAP_AMBIENT,  PR_GET_SECUREBITS,
                                            PR_GET_KEEPCAPS, PR_GET_NO_NEW_PRIVS};
    build_plain();
    allow(serving, sizeof(serving) / sizeof(serving[0]));
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        allow_masked("prctl", 0, 0xffffffffu, options[i]);
    allow_masked("unshare", 0, ~0ull, CLONE_FS);
    must(seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), seccomp_syscall_resolve_name("getgroups"), 0),
         "getgroups");
}

static void build(int meets, int leads_out, int served)
{
    build_plain();
    if (meets) {
        allow(meeting, sizeof(meeting) / sizeof(meeting[0]));
        allow_masked("socket", 0, 0xffffffffu, AF_UNIX);
        allow_masked("socketpair", 0, 0xffffffffu, AF_UNIX);
        allow_masked("prctl", 0, 0xffffffffu, FILTER_PR_SCHED_CORE);
    }
    if (served)
        allow_masked("socketpair", 0, 0xffffffffu, AF_UNIX);
    if (leads_out) {
        allow(leading_out, sizeof(leading_out) / sizeof(leading_out[0]));
        allow_masked("socket", 0, 0xffffffffu, AF_INET);
    }
}

static void print(const char *name)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);
    must(fd < 0 ? -errno : 0, "memfd_create");
    must(seccomp_export_bpf(filter, fd), "seccomp_export_bpf");
    off_t size = lseek(fd, 0, SEEK_END);
    lseek(fd, 0, SEEK_SET);
    printf("\nstatic const struct sock_filter %s[] = {\n", name);
    struct sock_filter f;
    for (off_t at = 0; at < size && read(fd, &f, sizeof(f)) == sizeof(f); at += sizeof(f))
        printf("    {0x%04x, %u, %u, 0x%08x},\n", f.code, f.jt, f.jf, f.k);
    printf("};\n");
    seccomp_release(filter);
    close(fd);
}

int main(void)
{
    printf("/* Made by vmm_filter_gen; do not edit. */\n#include <linux/filter.h>\n");
    build(0, 0, 0);
    print("vmm_filter");
    build(1, 0, 0);
    print("vmm_filter_meeting");
    build(0, 1, 0);
    print("vmm_filter_leading_out");
    build(0, 0, 1);
    print("vmm_filter_served");
    build(0, 1, 1);
    print("vmm_filter_served_leading_out");
    build_serving();
    print("vmm_filter_serving");
    build_unpacking();
    print("vmm_filter_unpacking");
    return fflush(stdout) == 0 ? 0 : 1;
}
