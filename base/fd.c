#include "base/fd.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FD_SEND_MAX = 16 };

int fd_close(int fd)
{
    if (fd >= 0) {
        int kept = errno;
        close(fd);
        errno = kept;
    }
    return FD_NONE;
}

int fd_read_full(int fd, void *to, size_t size)
{
    char *p = to;
    while (size) {
        ssize_t n = read(fd, p, size);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        if (n == 0)
            return -EPIPE;
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

int fd_write_full(int fd, const void *from, size_t size)
{
    const char *p = from;
    while (size) {
        ssize_t n = write(fd, p, size);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

int fd_nonblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

int fd_cloexec(int fd, int on)
{
    return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_socketpair(int ret_pair[2])
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    memcpy(ret_pair, pair, sizeof(pair));
    return 0;
}

int fd_pipe(int ret_pair[2], int flags)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC | flags) < 0)
        return -errno;
    memcpy(ret_pair, pair, sizeof(pair));
    return 0;
}

int fd_send(int socket, const void *data, size_t size, const int *fds, size_t count)
{
    if (count > FD_SEND_MAX)
        return -EINVAL;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(FD_SEND_MAX * sizeof(int))];
    } control = {0};
    const char *p = data;
    struct iovec iov = {.iov_base = (void *)p, .iov_len = size};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    do {
        ssize_t n = sendmsg(socket, &message, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        p += n;
        size -= (size_t)n;
        iov = (struct iovec){.iov_base = (void *)p, .iov_len = size};
        message.msg_control = NULL;
        message.msg_controllen = 0;
    } while (size);
    return 0;
}

ssize_t fd_receive(int socket, void *data, size_t size, int *fds, size_t *count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(FD_SEND_MAX * sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = data, .iov_len = size};
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t n;
    do
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;

    size_t room = *count;
    *count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < got; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (*count < room)
                fds[(*count)++] = fd;
            else
                fd_close(fd);
        }
    }
    return n;
}

int fd_openat2(int dir, const char *path, int flags, unsigned mode, uint64_t resolve)
{
    bool makes = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = makes ? mode : 0,
        .resolve = resolve,
    };
    /* EAGAIN: something was renamed meanwhile; a stranger could do that for ever. */
    long fd;
    int tries = 0;
    do
        fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
    while (fd < 0 && (errno == EINTR || errno == EAGAIN) && ++tries < 256);
    return fd < 0 ? -errno : (int)fd;
}

int fd_sealed(const char *name, const void *data, size_t size)
{
    autoclose int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int r = fd_write_full(fd, data, size);
    if (r < 0)
        return r;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return -errno;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    return TAKE_FD(fd);
}
