/*
 * Each process of gVisor up to its releases of 2024 registers for a memory barrier before it does
 * anything else, which takes the kernel a grace period (10 ms and more), and no platform but kvm
 * ever calls it: later ones ask only then. So that one request is answered without the kernel.
 * Whoever should call that barrier in spite of it is told by the kernel that he may not.
 */
#include "backends/oci/hands.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define QUICK_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define QUICK_ARCH AUDIT_ARCH_AARCH64
#endif

int hands_quicken(struct setup *s, const struct plan *p)
{
#ifdef QUICK_ARCH /* there is no gVisor for another */
    static struct sock_filter code[] = {
        // clang-format off
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, QUICK_ARCH, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO), /* 0: done */
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        // clang-format on
    };
    const struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};
    if (p->platform && str_equal(p->platform, "kvm"))
        return 0;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
        return setup_fail(s, "a filter for gVisor");
#endif
    return 0;
}
