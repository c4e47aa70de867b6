/* The system calls that are left. By hand: libseccomp would be one more library to load. */
#include "images/box.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define BOX_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define BOX_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define BOX_ARCH AUDIT_ARCH_RISCV64
#elif defined(__i386__)
#define BOX_ARCH AUDIT_ARCH_I386
#else
#error "name this processor's AUDIT_ARCH"
#endif

/* Streams and memory: all a decompressor needs. */
static const unsigned box_streams[] = {
    SYS_read,         SYS_write,      SYS_readv,         SYS_writev, SYS_lseek,
    SYS_fstat,        SYS_newfstatat, SYS_close,         SYS_brk,    SYS_munmap,
    SYS_mremap,       SYS_madvise,    SYS_futex,         SYS_exit,   SYS_exit_group,
    SYS_rt_sigreturn, SYS_getrandom,  SYS_clock_gettime, SYS_getpid, SYS_gettid,
#ifdef COFFERDAM_SANITIZED
    SYS_sigaltstack, /* before a process ends */
#endif
};

/* Files below the one folder. */
static const unsigned box_files[] = {
    SYS_openat,   SYS_openat2,   SYS_pread64,    SYS_pwrite64,   SYS_ftruncate,
    SYS_mkdirat,  SYS_unlinkat,  SYS_linkat,     SYS_symlinkat,  SYS_fchown,
    SYS_fchownat, SYS_fchmod,    SYS_utimensat,  SYS_fsetxattr,  SYS_getdents64,
    SYS_fcntl,    SYS_fgetxattr, SYS_flistxattr, SYS_readlinkat,
};

struct box_code {
    struct sock_filter f[128];
    unsigned short n;
};

static void box_emit(struct box_code *c, unsigned short code, uint32_t k, uint8_t yes, uint8_t no)
{
    c->f[c->n++] = (struct sock_filter){code, yes, no, k};
}

static void box_allow(struct box_code *c, const unsigned *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        box_emit(c, BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
        box_emit(c, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    }
}

/* Whiteouts (a character device of number 0) and FIFOs are made, no other node. */
static void box_allow_mknod(struct box_code *c)
{
    box_emit(c, BPF_JMP | BPF_JEQ | BPF_K, SYS_mknodat, 0, 4);
    box_emit(c, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3]), 0, 0);
    box_emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
    box_emit(c, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    box_emit(c, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    box_emit(c, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

int box_filter(bool files)
{
    struct box_code c = {.n = 0};
    box_emit(&c, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    box_emit(&c, BPF_JMP | BPF_JEQ | BPF_K, BOX_ARCH, 1, 0);
    box_emit(&c, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    box_emit(&c, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    box_allow(&c, box_streams, ARRAY_SIZE(box_streams));
    if (files)
        box_allow(&c, box_files, ARRAY_SIZE(box_files));
    /* memory that is never code */
    box_emit(&c, BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0);
    box_emit(&c, BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 4);
    box_emit(&c, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]), 0, 0);
    box_emit(&c, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0);
    box_emit(&c, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    box_emit(&c, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    if (files)
        box_allow_mknod(&c);
    else
        box_emit(&c, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
    struct sock_fprog program = {.len = c.n, .filter = c.f};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}
