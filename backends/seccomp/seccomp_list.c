/*
 * What an ordinary program needs of a kernel, and no more. Everything else is EPERM; clone3(2) and
 * calls newer than this list's library are ENOSYS, so that a C library falls back to what is here.
 *
 * Left out on purpose, though others allow them: whatever makes or joins namespaces, mounts, or
 * opens files by handle; tracing and reading of other processes; the key rings, which are not in
 * any namespace; io_uring, bpf, perf, userfaultfd and 16-bit segments, the richest sources of
 * kernel exploits; secret memory; placement of memory on nodes; sockets of other families than
 * local, Internet and routing; the bits that make a program run as its owner. profiles/keys.c says
 * which words open which.
 */
#include "backends/seccomp/seccomp_list.h"

#include "app/plan/plan.h"
#include "backends/seccomp/seccomp_cache.h"

#include <linux/capability.h>
#include <linux/prctl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define CAP(n) (1ull << CAP_##n)

// clang-format off
const struct seccomp_group seccomp_groups[] = {
    {"files: opening and closing",
     "access close close_range dup dup2 dup3 faccessat faccessat2 fcntl fcntl64 flock "
     "memfd_create pipe pipe2 umask"},
    {"files: reading and writing",
     "_llseek copy_file_range fadvise64 fadvise64_64 arm_fadvise64_64 fallocate fdatasync fsync "
     "ftruncate ftruncate64 lseek pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead "
     "readv sendfile sendfile64 splice sync sync_file_range sync_file_range2 arm_sync_file_range "
     "syncfs tee truncate truncate64 write writev"},
    {"files: what they are",
     "fstat fstat64 fstatat64 fstatfs fstatfs64 lstat lstat64 newfstatat stat stat64 statfs statfs64 "
     "statx readlink readlinkat"},
    {"files: names and folders",
     "chdir fchdir getcwd getdents getdents64 link linkat mkdir mkdirat readdir rename renameat "
     "renameat2 rmdir symlink symlinkat unlink unlinkat"},
    {"files: owners, times, attributes",
     "chown chown32 fchown fchown32 fchownat lchown lchown32 futimesat utime utimensat "
     "utimensat_time64 utimes fgetxattr flistxattr fremovexattr fsetxattr getxattr lgetxattr "
     "listxattr llistxattr lremovexattr lsetxattr removexattr setxattr getxattrat "
     "listxattrat removexattrat setxattrat"},
    {"files: being told of changes",
     "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch"},
    {"requests to files and devices, less those below", "ioctl"},
    {"waiting for many things",
     "_newselect epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd "
     "eventfd2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select"},
    {"input and output in the background",
     "io_cancel io_destroy io_getevents io_setup io_submit"},
    {"memory",
     "brk madvise membarrier mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap msync munlock "
     "munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease mseal map_shadow_stack "
     "cachestat"},
    {"processes and threads",
     "execve execveat exit exit_group fork vfork getpgid getpgrp getpid getppid getsid gettid "
     "get_robust_list set_robust_list set_tid_address get_thread_area set_thread_area arch_prctl "
     "set_tls breakpoint cacheflush rseq setpgid setsid wait4 waitid waitpid pidfd_open "
     "pidfd_send_signal restart_syscall futex futex_time64 futex_waitv futex_wait futex_wake "
     "futex_requeue getcpu riscv_flush_icache riscv_hwprobe"},
    {"who one is",
     "capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 "
     "getresgid getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid "
     "setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 "
     "setresuid setresuid32 setreuid setreuid32 setuid setuid32"},
    {"limits and scheduling",
     "getpriority getrlimit getrusage ioprio_get ioprio_set sched_get_priority_max "
     "sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler "
     "sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr "
     "sched_setparam sched_setscheduler sched_yield setpriority ugetrlimit"},
    {"signals",
     "kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn "
     "rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaction sigaltstack "
     "signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend tgkill tkill"},
    {"time",
     "alarm clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
     "clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create "
     "timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 "
     "timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times"},
    {"talking within the workload",
     "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
     "mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop "
     "semtimedop_time64 shmat shmctl shmdt shmget"},
    {"sockets, once made",
     "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg "
     "recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown"},
    {"the machine", "getrandom sysinfo uname"},
    {"locking oneself in further",
     "landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp"},

    {"the key rings", "add_key keyctl request_key", PLAN_OPEN_KEYRING},
    {"io_uring", "io_uring_enter io_uring_register io_uring_setup", PLAN_OPEN_IO_URING},
    {"programs in the kernel", "bpf", PLAN_OPEN_BPF, CAP(BPF)},
    {"page faults answered by oneself", "userfaultfd", PLAN_OPEN_USERFAULTFD},
    {"performance counters", "perf_event_open", PLAN_OPEN_PERF, CAP(PERFMON)},
    {"debuggers",
     "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd",
     PLAN_OPEN_PTRACE, CAP(SYS_PTRACE)},
    {"containers within",
     "clone clone3 unshare setns mount umount umount2 mount_setattr move_mount open_tree fsopen "
     "fsconfig fsmount fspick pivot_root chroot sethostname setdomainname",
     PLAN_OPEN_USERNS, CAP(SYS_ADMIN)},
    {"another root folder", "chroot", 0, CAP(SYS_CHROOT)},
    {"programs that run as their owner",
     "chmod fchmod fchmodat fchmodat2 creat open openat openat2", 0, CAP(FSETID)},
    {"device nodes", "mknod mknodat", 0, CAP(MKNOD)},
    {"core dumps", "setrlimit prlimit64", PLAN_OPEN_CORE_DUMPS},
    {"sockets of every family", "socket socketpair", 0, CAP(NET_ADMIN)},
    {"memory on nodes", "get_mempolicy set_mempolicy mbind migrate_pages move_pages", 0,
     CAP(SYS_NICE)},
    {"the kernel's messages", "syslog", 0, CAP(SYSLOG)},
};
const size_t seccomp_groups_count = ARRAY_SIZE(seccomp_groups);

#define EQ(i, v) {SECCOMP_EQUAL, i, 0, v}
#define NOT(i, v) {SECCOMP_OTHER, i, 0, v}
#define BITS(i, m, v) {SECCOMP_MASKED, i, m, v}

/* Every kind of namespace in clone(2)'s flags. */
#define NAMESPACES 0x7e020000u
#define SETID (S_ISUID | S_ISGID)
#define MAKES_FILE 020000100u /* O_CREAT, __O_TMPFILE */
#define SOCK_KIND 0xfu
#define CORE 4 /* RLIMIT_CORE */
/* Every number but CORE, which is one bit: in few comparisons, by low bits. */
#define LIMIT(mask, value)                  \
    {"setrlimit", {BITS(0, mask, value)}, 1}, \
    {"prlimit64", {BITS(1, mask, value), EQ(0, 0)}, 2}

const struct seccomp_rule seccomp_rules[] = {
    {"clone", {BITS(0, NAMESPACES, 0)}, 1},
    {"clone3", {{0}}, 0, PLAN_OPEN_USERNS, CAP(SYS_ADMIN), ENOSYS, true},

    /* 32-bit programs, ancient ones, and "which one is it now" */
    {"personality", {EQ(0, 0x0)}, 1},
    {"personality", {EQ(0, 0x8)}, 1},
    {"personality", {EQ(0, 0x20000)}, 1},
    {"personality", {EQ(0, 0x20008)}, 1},
    {"personality", {EQ(0, 0xffffffff)}, 1},

    /* no file that runs as its owner, whatever it was asked for with */
    {"chmod fchmod creat", {BITS(1, SETID, 0)}, 1},
    {"fchmodat fchmodat2", {BITS(2, SETID, 0)}, 1},
    {"open", {BITS(1, MAKES_FILE, 0)}, 1},
    {"open", {BITS(2, SETID, 0)}, 1},
    {"openat", {BITS(2, MAKES_FILE, 0)}, 1},
    {"openat", {BITS(3, SETID, 0)}, 1},
    {"openat2", {{0}}, 0, 0, CAP(FSETID), ENOSYS, true}, /* keeps its mode in memory */
    {"mknod", {BITS(1, S_IFMT | SETID, 0)}, 1},
    {"mknod", {BITS(1, S_IFMT | SETID, S_IFREG)}, 1},
    {"mknod", {BITS(1, S_IFMT | SETID, S_IFIFO)}, 1},
    {"mknod", {BITS(1, S_IFMT | SETID, S_IFSOCK)}, 1},
    {"mknodat", {BITS(2, S_IFMT | SETID, 0)}, 1},
    {"mknodat", {BITS(2, S_IFMT | SETID, S_IFREG)}, 1},
    {"mknodat", {BITS(2, S_IFMT | SETID, S_IFIFO)}, 1},
    {"mknodat", {BITS(2, S_IFMT | SETID, S_IFSOCK)}, 1},

    /* local, Internet and routing sockets of the usual kinds */
    {"socket", {EQ(0, AF_UNIX)}, 1},
    {"socketpair", {EQ(0, AF_UNIX)}, 1},
    {"socket", {EQ(0, AF_INET), BITS(1, SOCK_KIND, SOCK_STREAM), EQ(2, 0)}, 3},
    {"socket", {EQ(0, AF_INET), BITS(1, SOCK_KIND, SOCK_STREAM), EQ(2, 6)}, 3},
    {"socket", {EQ(0, AF_INET), BITS(1, SOCK_KIND, SOCK_DGRAM), EQ(2, 0)}, 3},
    {"socket", {EQ(0, AF_INET), BITS(1, SOCK_KIND, SOCK_DGRAM), EQ(2, 1)}, 3},
    {"socket", {EQ(0, AF_INET), BITS(1, SOCK_KIND, SOCK_DGRAM), EQ(2, 17)}, 3},
    {"socket", {EQ(0, AF_INET6), BITS(1, SOCK_KIND, SOCK_STREAM), EQ(2, 0)}, 3},
    {"socket", {EQ(0, AF_INET6), BITS(1, SOCK_KIND, SOCK_STREAM), EQ(2, 6)}, 3},
    {"socket", {EQ(0, AF_INET6), BITS(1, SOCK_KIND, SOCK_DGRAM), EQ(2, 0)}, 3},
    {"socket", {EQ(0, AF_INET6), BITS(1, SOCK_KIND, SOCK_DGRAM), EQ(2, 17)}, 3},
    {"socket", {EQ(0, AF_INET6), BITS(1, SOCK_KIND, SOCK_DGRAM), EQ(2, 58)}, 3},
    {"socket", {EQ(0, AF_NETLINK), EQ(2, 0 /* NETLINK_ROUTE */)}, 2},
    {"socket", {EQ(0, AF_NETLINK), EQ(2, 9 /* NETLINK_AUDIT */)}, 2, 0, CAP(NET_ADMIN),
     EPROTONOSUPPORT, true}, /* what programs take for "there is no audit here" */
    {"socket", {EQ(0, AF_INET), BITS(1, SOCK_KIND, SOCK_RAW)}, 2, 0, CAP(NET_RAW)},
    {"socket", {EQ(0, AF_INET6), BITS(1, SOCK_KIND, SOCK_RAW)}, 2, 0, CAP(NET_RAW)},
    {"socket", {EQ(0, AF_PACKET)}, 1, 0, CAP(NET_RAW)},
    {"socket", {EQ(0, AF_VSOCK)}, 1, PLAN_OPEN_VSOCK},

    /*
     * The limit on core dumps is already stricter than 0 and stays; whoever sets it, as careful programs
     * do for themselves, is told that it went well.
     */
    {"setrlimit", {EQ(0, CORE)}, 1, PLAN_OPEN_CORE_DUMPS, 0, SECCOMP_PRETEND, true},
    {"prlimit64", {EQ(1, CORE), NOT(2, 0), EQ(3, 0)}, 3, PLAN_OPEN_CORE_DUMPS, 0, SECCOMP_PRETEND, true},
    LIMIT(1, 1), LIMIT(2, 2), LIMIT(CORE, 0), LIMIT(8, 8),
    /* those of others, PID 1 above all, may be asked for and not changed */
    {"prlimit64", {EQ(2, 0)}, 1},
};
const size_t seccomp_rules_count = ARRAY_SIZE(seccomp_rules);

const uint32_t seccomp_ioctls_refused[] = {
    0x5412, /* TIOCSTI: types for the terminal's reader */
    0x541c, /* TIOCLINUX: pastes on a console */
    0x541d, /* TIOCCONS: takes the kernel's messages */
    0x5423, /* TIOCSETD: loads a line discipline */
};
const size_t seccomp_ioctls_refused_count = ARRAY_SIZE(seccomp_ioctls_refused);

const unsigned seccomp_prctls[] = {
    PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_GET_KEEPCAPS,
    PR_SET_KEEPCAPS, PR_GET_TIMING, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_SET_SECCOMP,
    PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_GET_TSC, PR_GET_SECUREBITS, PR_SET_SECUREBITS,
    PR_SET_TIMERSLACK, PR_GET_TIMERSLACK, PR_MCE_KILL_GET, PR_GET_TID_ADDRESS,
    PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS,
    PR_GET_THP_DISABLE, PR_SET_THP_DISABLE, PR_SET_FP_MODE, PR_GET_FP_MODE, PR_CAP_AMBIENT,
    PR_SVE_SET_VL, PR_SVE_GET_VL, PR_GET_SPECULATION_CTRL, PR_SET_SPECULATION_CTRL,
    PR_PAC_RESET_KEYS, PR_SET_TAGGED_ADDR_CTRL, PR_GET_TAGGED_ADDR_CTRL, PR_SET_SYSCALL_USER_DISPATCH,
    PR_SET_PTRACER, 0x53564d41 /* PR_SET_VMA: names for anonymous memory */,
    65 /* PR_SET_MDWE */, 66 /* PR_GET_MDWE */,
};
const size_t seccomp_prctls_count = ARRAY_SIZE(seccomp_prctls);

const uint32_t seccomp_socketcalls_refused[] = {1 /* socket */, 8 /* socketpair */};
const size_t seccomp_socketcalls_refused_count = ARRAY_SIZE(seccomp_socketcalls_refused);
// clang-format on

static uint64_t list_hash_text(uint64_t h, const char *text)
{
    return seccomp_hash(h, text, strlen(text) + 1);
}

uint64_t seccomp_list_hash(uint64_t h)
{
    for (size_t i = 0; i < seccomp_groups_count; i++) {
        const struct seccomp_group *g = &seccomp_groups[i];
        h = list_hash_text(h, g->names);
        h = seccomp_hash(h, &g->open, sizeof(g->open));
        h = seccomp_hash(h, &g->capabilities, sizeof(g->capabilities));
    }
    for (size_t i = 0; i < seccomp_rules_count; i++) {
        const struct seccomp_rule *r = &seccomp_rules[i];
        h = list_hash_text(h, r->names);
        for (unsigned k = 0; k < r->arguments_count; k++) {
            const struct seccomp_argument *a = &r->arguments[k];
            uint64_t numbers[] = {(uint64_t)a->compare, a->index, a->mask, a->value};
            h = seccomp_hash(h, numbers, sizeof(numbers));
        }
        uint64_t numbers[] = {r->open, r->capabilities, (uint64_t)r->result, r->unless};
        h = seccomp_hash(h, numbers, sizeof(numbers));
    }
    h = seccomp_hash(h, seccomp_ioctls_refused, sizeof(seccomp_ioctls_refused));
    h = seccomp_hash(h, seccomp_prctls, sizeof(seccomp_prctls));
    return seccomp_hash(h, seccomp_socketcalls_refused, sizeof(seccomp_socketcalls_refused));
}
