#include "backends/net/calls.h"

#include "base/mem.h"

#include <asm/sockios.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define CALLS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CALLS_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define CALLS_ARCH AUDIT_ARCH_RISCV64
#else
#error "name this processor's AUDIT_ARCH"
#endif

enum { CALLS_X32 = 0x40000000, CALLS_KIND = 0xf, CALLS_ROOM = 48 };

/* What reaches another process of the same user, by a number alone. */
static const unsigned calls_refused[] = {
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_pidfd_getfd,
    SYS_process_madvise,
    SYS_migrate_pages,
    SYS_move_pages,
    SYS_setpriority,
    SYS_ioprio_set,
    SYS_sched_setparam,
    SYS_sched_setscheduler,
    SYS_sched_setattr,
    SYS_sched_setaffinity,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_bpf,
    SYS_io_uring_setup,
};

#define STATEMENT(code, k) ((struct sock_filter)BPF_STMT(code, k))
#define JUMP(code, k, yes, no) ((struct sock_filter)BPF_JUMP(code, k, yes, no))
#define LOAD(field) STATEMENT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define EQUALS(k, yes, no) JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, yes, no)
#define ALLOW STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES)

int net_calls_confine(void)
{
    struct sock_filter f[2 * ARRAY_SIZE(calls_refused) + CALLS_ROOM];
    unsigned short n = 0;
    f[n++] = LOAD(arch);
    f[n++] = EQUALS(CALLS_ARCH, 1, 0);
    f[n++] = STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    f[n++] = LOAD(nr);
#if defined(__x86_64__) /* the x32 calls have numbers of their own */
    f[n++] = JUMP(BPF_JMP | BPF_JGE | BPF_K, CALLS_X32, 0, 1);
    f[n++] = REFUSE;
#endif
    for (size_t i = 0; i < ARRAY_SIZE(calls_refused); i++) {
        f[n++] = EQUALS(calls_refused[i], 0, 1);
        f[n++] = REFUSE;
    }
    f[n++] = EQUALS(SYS_socket, 0, 5);
    f[n++] = LOAD(args[0]);
    f[n++] = EQUALS(AF_INET, 2, 0);
    f[n++] = EQUALS(AF_INET6, 1, 0);
    f[n++] = REFUSE;
    f[n++] = ALLOW;
    f[n++] = EQUALS(SYS_prlimit64, 0, 4); /* a limit of processor time kills */
    f[n++] = LOAD(args[0]);
    f[n++] = EQUALS(0, 1, 0);
    f[n++] = REFUSE;
    f[n++] = ALLOW;
    f[n++] = EQUALS(SYS_fcntl, 0, 6); /* who gets SIGIO, and which signal that is */
    f[n++] = LOAD(args[1]);
    f[n++] = EQUALS(F_SETOWN, 2, 0);
    f[n++] = EQUALS(F_SETOWN_EX, 1, 0);
    f[n++] = EQUALS(F_SETSIG, 0, 1);
    f[n++] = REFUSE;
    f[n++] = ALLOW;
    f[n++] = EQUALS(SYS_ioctl, 0, 5);
    f[n++] = LOAD(args[1]);
    f[n++] = EQUALS(FIOSETOWN, 1, 0);
    f[n++] = EQUALS(SIOCSPGRP, 0, 1);
    f[n++] = REFUSE;
    f[n++] = ALLOW;
    f[n++] = EQUALS(SYS_socketpair, 0, 7);
    f[n++] = LOAD(args[0]);
    f[n++] = EQUALS(AF_UNIX, 1, 0);
    f[n++] = REFUSE;
    f[n++] = LOAD(args[1]);
    f[n++] = STATEMENT(BPF_ALU | BPF_AND | BPF_K, CALLS_KIND);
    f[n++] = EQUALS(SOCK_STREAM, 1, 0);
    f[n++] = REFUSE;
    f[n++] = ALLOW;
    struct sock_fprog program = {.len = n, .filter = f};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return -errno;
    return 0;
}
