/* The same kernel by its other doors: 32-bit numbers through int 0x80, x32 numbers, high bits. */
#include "tests/audit/inside.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
static long call32(long number, long a, long b, long c, long d, long e)
{
    long r;
    __asm__ volatile("int $0x80"
                     : "=a"(r)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory", "r8", "r9", "r10", "r11");
    r = (int)r;
    if (r < 0 && r > -4096) {
        errno = (int)-r;
        return -1;
    }
    return r;
}

static int refused32(const char *name, long number, long a, long b, long c)
{
    long r = call32(number, a, b, c, 0, 0);
    if (r < 0 && (errno == EPERM || errno == ENOSYS || errno == EACCES))
        return HELD;
    inside_say("%s: %s", name, r < 0 ? strerror(errno) : "worked");
    return HOLE;
}

/* asm/unistd_32.h */
static int c_numbers32(void)
{
    static const struct {
        const char *name;
        int number;
    } rows[] = {
        {"mount",             21 },
        {"ptrace",            26 },
        {"umount",            22 },
        {"umount2",           52 },
        {"stime",             25 },
        {"acct",              51 },
        {"chroot",            61 },
        {"sethostname",       74 },
        {"settimeofday",      79 },
        {"swapon",            87 },
        {"reboot",            88 },
        {"ioperm",            101},
        {"syslog",            103},
        {"iopl",              110},
        {"vhangup",           111},
        {"vm86old",           113},
        {"swapoff",           115},
        {"setdomainname",     121},
        {"modify_ldt",        123},
        {"adjtimex",          124},
        {"init_module",       128},
        {"delete_module",     129},
        {"quotactl",          131},
        {"vm86",              166},
        {"pivot_root",        217},
        {"clock_settime",     264},
        {"mbind",             274},
        {"kexec_load",        283},
        {"add_key",           286},
        {"request_key",       287},
        {"keyctl",            288},
        {"unshare",           310},
        {"vmsplice",          316},
        {"move_pages",        317},
        {"perf_event_open",   336},
        {"fanotify_init",     338},
        {"name_to_handle_at", 341},
        {"open_by_handle_at", 342},
        {"setns",             346},
        {"process_vm_readv",  347},
        {"process_vm_writev", 348},
        {"kcmp",              349},
        {"finit_module",      350},
        {"bpf",               357},
        {"userfaultfd",       374},
        {"clock_settime64",   404},
        {"io_uring_setup",    425},
        {"open_tree",         428},
        {"move_mount",        429},
        {"fsopen",            430},
        {"fsmount",           432},
        {"pidfd_getfd",       438},
        {"mount_setattr",     442},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (refused32(rows[i].name, rows[i].number, 0, 0, 0) != HELD)
            return HOLE;
    return HELD;
}

static int c_clone32(void)
{
    long pid = call32(120, 0x10000000 | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return inside_refused(pid);
}

static int c_socketcall32(void)
{
    uint32_t *args =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (args == MAP_FAILED)
        return SKIP;
    static const uint32_t kinds[][3] = {
        {17, 3, 0 },
        {40, 1, 0 },
        {38, 5, 0 },
        {16, 3, 16},
        {2,  3, 1 }
    };
    for (size_t i = 0; i < 5; i++) {
        memcpy(args, kinds[i], sizeof(kinds[i]));
        if (call32(102, 1, (long)args, 0, 0, 0) >= 0) {
            inside_say("socketcall made a socket of family %u", kinds[i][0]);
            return HOLE;
        }
    }
    return HELD;
}

static int c_socket32(void)
{
    static const int kinds[][3] = {
        {17, 3, 0 },
        {40, 1, 0 },
        {38, 5, 0 },
        {16, 3, 16},
        {2,  3, 1 }
    };
    for (size_t i = 0; i < 5; i++)
        if (call32(359, kinds[i][0], kinds[i][1], kinds[i][2], 0, 0) >= 0) {
            inside_say("socket made one of family %d", kinds[i][0]);
            return HOLE;
        }
    return HELD;
}

static int c_ioctl32(void)
{
    char *x =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    return x == MAP_FAILED ? SKIP : refused32("TIOCSTI", 54, 0, 0x5412, (long)x);
}

static int c_personality32(void)
{
    return refused32("personality", 136, 0x0040000, 0, 0);
}

static int c_chmod32(void)
{
    char *path =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (path == MAP_FAILED)
        return SKIP;
    strcpy(path, "/tmp/audit-32");
    call32(8, (long)path, 0755, 0, 0, 0);
    long r = call32(15, (long)path, 04755, 0, 0, 0);
    return r < 0 ? HELD : HOLE;
}

static int x32(long number)
{
    long r = syscall(0x40000000 | number, 0, 0, 0, 0, 0);
    if (r < 0 && (errno == EPERM || errno == ENOSYS))
        return HELD;
    inside_say("x32 call %ld: %s", number, r < 0 ? strerror(errno) : "worked");
    return HOLE;
}

/* Each is killed or refused: a process of its own each, so that the first does not hide the rest.
 */
static int c_x32_getpid(void)
{
    return x32(SYS_getpid);
}
static int c_x32_mount(void)
{
    return x32(SYS_mount);
}
static int c_x32_unshare(void)
{
    return x32(SYS_unshare);
}
static int c_x32_ptrace(void)
{
    return x32(521);
}
static int c_x32_ioctl(void)
{
    return x32(514);
}
#endif

/* The kernel looks at the low 32 bits of a request only. */
static int request_refused(unsigned long request)
{
    char x[64] = "x";
    for (int high = 0; high < 3; high++) {
        unsigned long r = request | (high ? (high == 1 ? 1ul << 32 : 0xffffffff00000000ul) : 0);
        errno = 0;
        if (syscall(SYS_ioctl, 0, r, x) >= 0 || errno != EPERM) {
            inside_say("request %lx: %s", r, strerror(errno));
            return HOLE;
        }
    }
    return HELD;
}
static int c_tiocsti(void)
{
    return request_refused(0x5412);
}
static int c_tioclinux(void)
{
    return request_refused(0x541c);
}
static int c_tioccons(void)
{
    return request_refused(0x541d);
}
static int c_tiocsetd(void)
{
    return request_refused(0x5423);
}

/* Numbers with rubbish above the lowest 32 bits are the same calls. */
static int c_high_number(void)
{
    return inside_refused(syscall(1l << 32 | SYS_unshare, 0x10000000));
}

static int c_unknown_number(void)
{
    long r = syscall(4000, 0, 0, 0, 0, 0);
    return r < 0 && (errno == ENOSYS || errno == EPERM) ? HELD : HOLE;
}

const struct check checks_compat[] = {
#ifdef __x86_64__
    {"numbers32",      c_numbers32     },
    {"clone32",        c_clone32       },
    {"socketcall32",   c_socketcall32  },
    {"socket32",       c_socket32      },
    {"ioctl32",        c_ioctl32       },
    {"personality32",  c_personality32 },
    {"chmod32",        c_chmod32       },
    {"x32_getpid",     c_x32_getpid    },
    {"x32_mount",      c_x32_mount     },
    {"x32_unshare",    c_x32_unshare   },
    {"x32_ptrace",     c_x32_ptrace    },
    {"x32_ioctl",      c_x32_ioctl     },
#endif
    {"tiocsti",        c_tiocsti       },
    {"tioclinux",      c_tioclinux     },
    {"tioccons",       c_tioccons      },
    {"tiocsetd",       c_tiocsetd      },
    {"high_number",    c_high_number   },
    {"unknown_number", c_unknown_number},
    {NULL,             NULL            },
};
