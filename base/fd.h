/* Descriptors: born close-on-exec, -EBADF for none, closed by scope. */
#ifndef COFFERDAM_BASE_FD_H
#define COFFERDAM_BASE_FD_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FD_NONE (-EBADF)

/* Closes `fd` unless it is negative; always returns FD_NONE; errno is kept. */
int fd_close(int fd);

static inline void fd_cleanup_close(int *fd)
{
    fd_close(*fd);
}
#define autoclose __attribute__((cleanup(fd_cleanup_close)))

#define TAKE_FD(fd) \
    ({ \
        int taken_ = (fd); \
        (fd) = FD_NONE; \
        taken_; \
    })

/* Both go on after EINTR and short counts. Return 0, or -errno; read gives -EPIPE at early end. */
int fd_read_full(int fd, void *to, size_t size);
int fd_write_full(int fd, const void *from, size_t size);

int fd_nonblock(int fd); /* 0 or -errno */
int fd_cloexec(int fd, int on);

/* A pair of connected, close-on-exec Unix stream sockets; 0 or -errno. */
int fd_socketpair(int ret_pair[2]);
int fd_pipe(int ret_pair[2], int flags);

/* Sends `size` bytes with up to 16 descriptors attached (kept by the caller). 0 or -errno. */
int fd_send(int socket, const void *data, size_t size, const int *fds, size_t count);

/*
 * Receives up to `size` bytes and up to `*count` descriptors (close-on-exec, owned by the caller).
 * Returns the bytes, 0 at end of file, or -errno; `*count` is what came. Surplus ones are closed.
 */
ssize_t fd_receive(int socket, void *data, size_t size, int *fds, size_t *count);

/* openat2(2); `resolve` as RESOLVE_*. Returns a close-on-exec descriptor or -errno. */
int fd_openat2(int dir, const char *path, int flags, unsigned mode, uint64_t resolve);

/* A memfd with these bytes, sealed against every change. Returns it or -errno. */
int fd_sealed(const char *name, const void *data, size_t size);

#endif
