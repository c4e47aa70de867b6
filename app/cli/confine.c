#include "app/cli/confine.h"

#include "base/mem.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define OWN_ARCH AUDIT_ARCH_RISCV64
#elif defined(__i386__)
#define OWN_ARCH AUDIT_ARCH_I386
#else
#error "name this processor's AUDIT_ARCH"
#endif

enum { ALLOWED_MOST = 40 };

static const unsigned allowed[] = {
    SYS_read,   SYS_write,      SYS_readv,        SYS_writev, SYS_pread64,       SYS_lseek,
    SYS_fstat,  SYS_close,      SYS_munmap,       SYS_mremap, SYS_brk,           SYS_madvise,
    SYS_exit,   SYS_exit_group, SYS_rt_sigreturn, SYS_futex,  SYS_clock_gettime, SYS_getrandom,
    SYS_gettid, SYS_getpid,     SYS_newfstatat,

};

#define STATEMENT(code, k) ((struct sock_filter)BPF_STMT(code, k))
#define JUMP(code, k, yes, no) ((struct sock_filter)BPF_JUMP(code, k, yes, no))

/*
 * Written by hand: libseccomp would be one more library, and this list needs nothing of it. mmap
 * and mprotect are allowed without PROT_EXEC.
 */
static int confine_calls(void)
{
    struct sock_filter f[2 * ALLOWED_MOST + 24];
    unsigned short n = 0;
    f[n++] = STATEMENT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    f[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0);
    f[n++] = STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    f[n++] = STATEMENT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
        f[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
        f[n++] = STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    f[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0);
    f[n++] = JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3);
    f[n++] = STATEMENT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]));
    f[n++] = JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0);
    f[n++] = STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    f[n++] = STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    struct sock_fprog program = {.len = n, .filter = f};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return -errno;
    return 0;
}

/* Everything but what is kept, the terminal above all; `keep` must rise. */
static int confine_files(const int *keep, unsigned count)
{
    unsigned first = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned fd = (unsigned)keep[i];
        if (fd > first && close_range(first, fd - 1, 0) < 0)
            return -errno;
        first = fd + 1;
    }
    return close_range(first, ~0u, 0) < 0 ? -errno : 0;
}

static int confine_limit(int resource, rlim_t most)
{
    struct rlimit old, l = {.rlim_cur = most, .rlim_max = most};
    if (getrlimit(resource, &old) == 0 && old.rlim_max < most)
        l.rlim_cur = l.rlim_max = old.rlim_max;
    return setrlimit(resource, &l) < 0 ? -errno : 0;
}

int confine_self(const int *keep, unsigned count, uint64_t memory, unsigned cpu_seconds,
                 struct error *e)
{
    int r = confine_files(keep, count);
#ifdef COFFERDAM_SANITIZED
    return r;
#endif
    if (r == 0)
        r = confine_limit(RLIMIT_AS, memory);
    if (r == 0)
        r = confine_limit(RLIMIT_CPU, cpu_seconds);
    if (r == 0)
        r = confine_limit(RLIMIT_FSIZE, 0);
    if (r == 0)
        r = confine_limit(RLIMIT_CORE, 0);
    if (r == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        r = -errno;
    if (r == 0)
        r = confine_calls();
    return r < 0 ? error_errno(e, -r, "confining the reader") : 0;
}
