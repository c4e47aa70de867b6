#include "backends/microvm/vmm_memory.h"

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The low half of an argument: flags have no other. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MEMORY_ARGUMENT(n) (offsetof(struct seccomp_data, args) + (n)*8)
#else
#define MEMORY_ARGUMENT(n) (offsetof(struct seccomp_data, args) + (n)*8 + 4)
#endif

int vmm_memory_listen(struct error *e)
{
    /* O_LARGEFILE comes and goes with the C library; everything else QEMU opens has O_CLOEXEC */
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, MEMORY_ARGUMENT(2)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~(unsigned)00100000),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, O_RDWR, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    };
    struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(e, errno, "no_new_privs");
    long fd =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    return fd < 0 ? error_errno(e, errno, "watching for the machine's memory") : (int)fd;
}

static int memory_wait(int listener, int pidfd, uint64_t until, struct error *e)
{
    for (;;) {
        uint64_t now = loop_now_ms();
        struct pollfd p[2] = {
            {.fd = listener, .events = POLLIN},
            {.fd = pidfd,    .events = POLLIN}
        };
        if (now >= until)
            return error_set(e, ETIMEDOUT, "the machine's program does not open its memory");
        if (poll(p, 2, (int)(until - now)) < 0 && errno != EINTR)
            return error_errno(e, errno, "waiting for the machine's program");
        if (p[0].revents & POLLIN)
            return 0;
        if (p[0].revents || p[1].revents)
            return error_set(e, EIO, "the machine's program has ended before it opened its memory");
    }
}

int vmm_memory_serve(int listener, int pidfd, int memory, int timeout_ms, struct error *e)
{
    struct seccomp_notif call = {0};
    int r = memory_wait(listener, pidfd, loop_now_ms() + (uint64_t)timeout_ms, e);
    if (r < 0)
        return r;
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return error_errno(e, errno, "the machine's memory");
    struct seccomp_notif_addfd add = {.id = call.id, .srcfd = (uint32_t)memory};
    struct seccomp_notif_resp answer = {.id = call.id};
    answer.val = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
    if (answer.val < 0)
        return error_errno(e, errno, "handing on the machine's memory");
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0)
        return error_errno(e, errno, "handing on the machine's memory");
    return 0;
}
