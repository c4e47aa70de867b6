/* More of init/libc.c: what only a guest's PID 1 needs. */
#include "init/start.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL(n, a, b, c, d, e) syscall(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0L)

int mount(const char *source, const char *target, const char *type, unsigned long flags,
          const void *data)
{
    return (int)CALL(SYS_mount, source, target, type, flags, data);
}

int reboot(int how)
{
    return (int)CALL(SYS_reboot, 0xfee1dead, 672274793, how, 0, 0);
}

void sync(void)
{
    CALL(SYS_sync, 0, 0, 0, 0, 0);
}

int fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
    return (int)CALL(SYS_fchownat, dir, path, uid, gid, flags);
}

int socket(int domain, int type, int protocol)
{
    return (int)CALL(SYS_socket, domain, type, protocol, 0, 0);
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    return (int)CALL(SYS_bind, fd, address, size, 0, 0);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return (int)CALL(SYS_connect, fd, address, size, 0, 0);
}

int listen(int fd, int most)
{
    return (int)CALL(SYS_listen, fd, most, 0, 0, 0);
}

int accept4(int fd, struct sockaddr *restrict ret, socklen_t *restrict ret_size, int flags)
{
    return (int)CALL(SYS_accept4, fd, ret, ret_size, flags, 0);
}

char *strstr(const char *text, const char *word)
{
    size_t size = strlen(word);
    for (; *text; text++)
        if (strncmp(text, word, size) == 0)
            return (char *)text;
    return size ? NULL : (char *)text;
}
