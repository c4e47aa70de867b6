/*
 * Prints monitor-filter.h: the system calls a confined monitor may make, compiled by libseccomp for
 * the machine that builds. Anything else kills the process. Runs at build time only.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

static scmp_filter_ctx filter;

/* Calls allowed with any arguments, by what they are for. A name that this machine lacks is
 * skipped. */
static const char *const plain[] = {
    /* its descriptors: pipes, ptys, sockets, files of its own folders */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "lseek",
    "close",
    "recvmsg",
    "sendmsg",
    "recvfrom",
    "sendto",
    "accept4",
    "getsockopt",
    "shutdown",
    "openat",
    "openat2",
    "fstat",
    "newfstatat",
    "fstatat64",
    "statx",
    "getdents64",
    "readlinkat",
    "faccessat",
    "faccessat2",
    "fsync",
    "fdatasync",
    "ftruncate",
    "poll",
    "ppoll",
    "fchmod",
    "fcntl",
    "dup",
    "splice",
    "pipe2",
    /* renaming and removing its folders; what a report looks at */
    "renameat",
    "renameat2",
    "unlinkat",
    "mkdirat",
    "fgetxattr",
    "lgetxattr",
    "getxattr",
    "flistxattr",
    "llistxattr",
    "listxattr",
    "fstatfs",
    "chmod",
    "fchmodat",
    /* the loop, the clock, chance */
    "epoll_wait",
    "epoll_pwait",
    "epoll_ctl",
    "timerfd_create",
    "timerfd_settime",
    "clock_gettime",
    "clock_gettime64",
    "gettimeofday",
    "time",
    "clock_nanosleep",
    "nanosleep",
    "restart_syscall",
    "getrandom",
    /* memory, apart from making it executable (below) */
    "brk",
    "munmap",
    "mremap",
    "madvise",
    /* its workload: signals by descriptor or id, its exit status */
    "pidfd_send_signal",
    "kill",
    "wait4",
    "waitid",
    /* itself */
    "getpid",
    "gettid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "rt_sigreturn",
    "rt_sigprocmask",
    "rt_sigaction",
    "exit",
    "exit_group",
    "futex",
    "tgkill",
    "uname",
    /* the C library's own questions: qsort(3) asks for the size of memory */
    "sysinfo",
    "sched_getaffinity",
    "sched_yield",
    "clock_getres",
};

static void must(int r, const char *what)
{
    if (r < 0) {
        fprintf(stderr, "confine_gen: %s: %s\n", what, strerror(-r));
        _exit(1);
    }
}

static void allow_masked(const char *name, unsigned argument, uint64_t mask, uint64_t value)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number < 0)
        return;
    struct scmp_arg_cmp cmp = {argument, SCMP_CMP_MASKED_EQ, mask, value};
    must(seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &cmp), name);
}

static void build(void)
{
    filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        must(-ENOMEM, "seccomp_init");
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        int number = seccomp_syscall_resolve_name(plain[i]);
        if (number >= 0)
            must(seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0), plain[i]);
    }
    /* no code that was not there at the start */
    allow_masked("mmap", 2, PROT_EXEC, 0);
    allow_masked("mmap2", 2, PROT_EXEC, 0);
    allow_masked("mprotect", 2, PROT_EXEC, 0);
    /* window sizes, bytes waiting; never TIOCSTI and its like. The kernel looks at 32 bits only. */
    static const unsigned long requests[] = {TIOCSWINSZ, TIOCGWINSZ, FIONREAD,
                                             FIONBIO,    TCGETS,     0x80045430ul /* TIOCGPTN */};
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        allow_masked("ioctl", 1, 0xffffffffu, requests[i]);
    /* its name for ps, nothing else */
    allow_masked("prctl", 0, 0xffffffffu, PR_SET_NAME);
    /* the streams of a guest's commands: both ends are ours, nothing can be connected to */
    allow_masked("socketpair", 0, 0xffffffffu, AF_UNIX);
    /* asking for its limits (sysconf), not setting them */
    allow_masked("prlimit64", 2, ~0ull, 0);
}

static void print(const struct sock_filter *f)
{
    printf("    {0x%04x, %u, %u, 0x%08x},\n", f->code, f->jt, f->jf, f->k);
}

int main(void)
{
    build();
    int fd = memfd_create("filter", MFD_CLOEXEC);
    must(fd < 0 ? -errno : 0, "memfd_create");
    must(seccomp_export_bpf(filter, fd), "seccomp_export_bpf");
    off_t size = lseek(fd, 0, SEEK_END);
    lseek(fd, 0, SEEK_SET);
    printf("/* Made by confine_gen; do not edit. */\n#include <linux/filter.h>\n\n"
           "static const struct sock_filter monitor_filter[] = {\n");
    /* a debugger that refuses a call shows it as number -1: refused it is, not a violation */
    const struct sock_filter front[] = {
        {BPF_LD | BPF_W | BPF_ABS,  0, 0, 0 /* offsetof(struct seccomp_data, nr) */   },
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0xffffffffu                                 },
        {BPF_RET | BPF_K,           0, 0, 0x00050000u | ENOSYS /* SECCOMP_RET_ERRNO */},
    };
    for (size_t i = 0; i < sizeof(front) / sizeof(front[0]); i++)
        print(&front[i]);
    struct sock_filter one;
    for (off_t at = 0; at < size && read(fd, &one, sizeof(one)) == sizeof(one); at += sizeof(one))
        print(&one);
    printf("};\n");
    seccomp_release(filter);
    return fflush(stdout) == 0 ? 0 : 1;
}
