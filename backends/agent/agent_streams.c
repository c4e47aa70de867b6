#include "backends/agent/agent_streams.h"

#include "base/fd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static bool agent_streams_is_master(int fd)
{
    struct stat st;
    struct statfs fs;
    unsigned number;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) == O_RDWR &&
           fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && fstatfs(fd, &fs) == 0 &&
           fs.f_type == DEVPTS_SUPER_MAGIC && ioctl(fd, TIOCGPTN, &number) == 0;
}

/* F_GETPIPE_SZ asks no file system, so a hostile one cannot make us wait. */
static bool agent_streams_is_pipe(int fd, int mode)
{
    struct statfs fs;
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) == mode &&
           fcntl(fd, F_GETPIPE_SZ) > 0 && fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
}

int agent_streams_check(const int *fds, size_t count, bool terminal, struct launch_streams *ret)
{
    if (count != (terminal ? 1 : 3))
        return -EBADMSG;
    if (terminal ? !agent_streams_is_master(fds[0])
                 : !agent_streams_is_pipe(fds[0], O_WRONLY) ||
                       !agent_streams_is_pipe(fds[1], O_RDONLY) ||
                       !agent_streams_is_pipe(fds[2], O_RDONLY))
        return -EBADMSG;
    for (size_t i = 0; i < count; i++)
        if (fd_nonblock(fds[i]) < 0)
            return -EBADMSG;
    *ret = (struct launch_streams){
        .terminal = terminal ? fds[0] : FD_NONE,
        .in = terminal ? FD_NONE : fds[0],
        .out = terminal ? FD_NONE : fds[1],
        .err = terminal ? FD_NONE : fds[2],
    };
    return 0;
}
