/*
 * The little of a C library that PID 1 needs, under the C library's own declarations. A static
 * glibc spends longer on starting itself (its CPUID instructions trap in every virtual machine)
 * than everything else cofferdam-init does before the workload's command runs; this starts at once
 * and fits into a few pages. Only what is used is here; calls are the kernel's, results are
 * POSIX's: -1 and errno.
 */
#include "init/start.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static int libc_errno;

int *__errno_location(void)
{
    return &libc_errno;
}

static long libc_result(long r)
{
    if (r >= 0 || r < -4095)
        return r;
    libc_errno = (int)-r;
    return -1;
}

#define CALL(...) libc_result(start_syscall(__VA_ARGS__))
#define CALL0(n) CALL(n, 0, 0, 0, 0, 0, 0)
#define CALL1(n, a) CALL(n, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(n, a, b) CALL(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(n, a, b, c) CALL(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(n, a, b, c, d) CALL(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL5(n, a, b, c, d, e) CALL(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

/* The kernel's signal sets are eight bytes; the C library's are longer. */
enum { SIGSET_SIZE = 8 };

long syscall(long n, ...)
{
    va_list ap;
    long a[6];
    va_start(ap, n);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    return CALL(n, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* --- memory and strings
 * ----------------------------------------------------------------------------- */

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    char *t = to;
    const char *f = from;
    for (; size; size--)
        *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    char *t = to;
    const char *f = from;
    if (t <= f)
        return memcpy(to, from, size);
    while (size--)
        t[size] = f[size];
    return to;
}

void *memset(void *to, int value, size_t size)
{
    for (char *t = to; size; size--)
        *t++ = (char)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *p = a, *q = b;
    for (; size; size--, p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}

void *memchr(const void *s, int c, size_t size)
{
    for (const unsigned char *p = s; size; size--, p++)
        if (*p == (unsigned char)c)
            return (void *)p;
    return NULL;
}

void *memrchr(const void *s, int c, size_t size)
{
    for (const unsigned char *p = s; size--;)
        if (p[size] == (unsigned char)c)
            return (void *)(p + size);
    return NULL;
}

size_t strnlen(const char *s, size_t most)
{
    size_t n = 0;
    while (n < most && s[n])
        n++;
    return n;
}

size_t strlen(const char *s)
{
    return strnlen(s, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
    return memchr(s, c, strlen(s) + 1);
}

char *strrchr(const char *s, int c)
{
    return memrchr(s, c, strlen(s) + 1);
}

int strncmp(const char *a, const char *b, size_t most)
{
    for (; most; most--, a++, b++)
        if (*a != *b || !*a)
            return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strcpy(char *restrict to, const char *restrict from)
{
    return memcpy(to, from, strlen(from) + 1);
}

/* --- files
 * --------------------------------------------------------------------------------------------- */

int openat(int dir, const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return (int)CALL4(SYS_openat, dir, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return openat(AT_FDCWD, path, flags, mode);
}

int close(int fd)
{
    return (int)CALL1(SYS_close, fd);
}

ssize_t read(int fd, void *to, size_t size)
{
    return CALL3(SYS_read, fd, to, size);
}

ssize_t write(int fd, const void *from, size_t size)
{
    return CALL3(SYS_write, fd, from, size);
}

off_t lseek(int fd, off_t offset, int whence)
{
    return CALL3(SYS_lseek, fd, offset, whence);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size)
{
    return CALL4(SYS_sendfile, to, from, offset, size);
}

int fcntl(int fd, int command, ...)
{
    va_list ap;
    va_start(ap, command);
    long value = va_arg(ap, long);
    va_end(ap);
    return (int)CALL3(SYS_fcntl, fd, command, value);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    long value = va_arg(ap, long);
    va_end(ap);
    return (int)CALL3(SYS_ioctl, fd, request, value);
}

int dup2(int from, int to)
{
    return from == to ? to : (int)CALL3(SYS_dup3, from, to, 0);
}

int dup3(int from, int to, int flags)
{
    return (int)CALL3(SYS_dup3, from, to, flags);
}

int pipe2(int pair[2], int flags)
{
    return (int)CALL2(SYS_pipe2, pair, flags);
}

int fstatat(int dir, const char *restrict path, struct stat *restrict ret, int flags)
{
    return (int)CALL4(SYS_newfstatat, dir, path, ret, flags);
}

int fstat(int fd, struct stat *ret)
{
    return (int)CALL2(SYS_fstat, fd, ret);
}

int statfs(const char *path, struct statfs *ret)
{
    return (int)CALL2(SYS_statfs, path, ret);
}

int fstatfs(int fd, struct statfs *ret)
{
    return (int)CALL2(SYS_fstatfs, fd, ret);
}

int fchmod(int fd, mode_t mode)
{
    return (int)CALL2(SYS_fchmod, fd, mode);
}

int futimens(int fd, const struct timespec times[2])
{
    return (int)CALL4(SYS_utimensat, fd, NULL, times, 0);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
    return (int)CALL3(SYS_mkdirat, dir, path, mode);
}

int unlinkat(int dir, const char *path, int flags)
{
    return (int)CALL3(SYS_unlinkat, dir, path, flags);
}

int symlinkat(const char *text, int dir, const char *path)
{
    return (int)CALL3(SYS_symlinkat, text, dir, path);
}

ssize_t readlinkat(int dir, const char *restrict path, char *restrict to, size_t size)
{
    return CALL4(SYS_readlinkat, dir, path, to, size);
}

int renameat(int old_dir, const char *old, int new_dir, const char *new)
{
    return (int)CALL5(SYS_renameat2, old_dir, old, new_dir, new, 0);
}

int chdir(const char *path)
{
    return (int)CALL1(SYS_chdir, path);
}

mode_t umask(mode_t mask)
{
    return (mode_t)CALL1(SYS_umask, mask);
}

int memfd_create(const char *name, unsigned flags)
{
    return (int)CALL2(SYS_memfd_create, name, flags);
}

ssize_t getrandom(void *to, size_t size, unsigned flags)
{
    return CALL3(SYS_getrandom, to, size, flags);
}

/* --- sockets
 * --------------------------------------------------------------------------------------------- */

int socketpair(int domain, int type, int protocol, int pair[2])
{
    return (int)CALL4(SYS_socketpair, domain, type, protocol, pair);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return CALL3(SYS_sendmsg, fd, message, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    return CALL3(SYS_recvmsg, fd, message, flags);
}

struct cmsghdr *__cmsg_nxthdr(struct msghdr *m, struct cmsghdr *c)
{
    size_t at = (size_t)((char *)c - (char *)m->msg_control) + CMSG_ALIGN(c->cmsg_len);
    if (c->cmsg_len < sizeof(*c) || at > m->msg_controllen || m->msg_controllen - at < sizeof(*c))
        return NULL;
    struct cmsghdr *next = (struct cmsghdr *)((char *)m->msg_control + at);
    return next->cmsg_len > m->msg_controllen - at ? NULL : next;
}

/* ppoll(2) writes the time that is left; nobody here wants to know. */
int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    struct timespec copy;
    if (timeout)
        copy = *timeout;
    return (int)CALL5(SYS_ppoll, fds, count, timeout ? &copy : NULL, mask, SIGSET_SIZE);
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct timespec t = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    return ppoll(fds, count, timeout_ms < 0 ? NULL : &t, NULL);
}

/* --- processes and signals
 * --------------------------------------------------------------------------------- */

void _exit(int status)
{
    for (;;)
        CALL1(SYS_exit_group, status);
}

pid_t fork(void)
{
    return (pid_t)CALL1(SYS_clone, SIGCHLD);
}

int execve(const char *path, char *const argv[], char *const env[])
{
    return (int)CALL3(SYS_execve, path, argv, env);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    return (pid_t)CALL4(SYS_wait4, pid, status, options, NULL);
}

int kill(pid_t pid, int signo)
{
    return (int)CALL2(SYS_kill, pid, signo);
}

pid_t setsid(void)
{
    return (pid_t)CALL0(SYS_setsid);
}

int prctl(int option, ...)
{
    va_list ap;
    long a[4];
    va_start(ap, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    return (int)CALL5(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}

int sigemptyset(sigset_t *set)
{
    memset(set, 0, sizeof(*set));
    return 0;
}

int sigfillset(sigset_t *set)
{
    memset(set, 0xff, sizeof(*set));
    return 0;
}

int sigdelset(sigset_t *set, int signo)
{
    uint64_t bits;
    memcpy(&bits, set, sizeof(bits));
    bits &= ~(UINT64_C(1) << (signo - 1));
    memcpy(set, &bits, sizeof(bits));
    return 0;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    return (int)CALL4(SYS_rt_sigprocmask, how, set, old, SIGSET_SIZE);
}

int sigaction(int signo, const struct sigaction *act, struct sigaction *old)
{
    struct start_sigaction kernel = {
        .handler = act->sa_handler,
        .flags = (unsigned long)act->sa_flags | START_SA_RESTORER,
        .restorer = START_RESTORER,
    };
    memcpy(&kernel.mask, &act->sa_mask, sizeof(kernel.mask));
    return (int)CALL4(SYS_rt_sigaction, signo, &kernel, NULL, SIGSET_SIZE);
}

/* --- who we are
 * ---------------------------------------------------------------------------------------------- */

uid_t geteuid(void)
{
    return (uid_t)CALL0(SYS_geteuid);
}

gid_t getegid(void)
{
    return (gid_t)CALL0(SYS_getegid);
}

int setgroups(size_t count, const gid_t *groups)
{
    return (int)CALL2(SYS_setgroups, count, groups);
}

int setresuid(uid_t real, uid_t effective, uid_t saved)
{
    return (int)CALL3(SYS_setresuid, real, effective, saved);
}

int setresgid(gid_t real, gid_t effective, gid_t saved)
{
    return (int)CALL3(SYS_setresgid, real, effective, saved);
}
