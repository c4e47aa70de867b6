#include "ui/aside.h"

#include "base/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Curses has handlers, which interrupt what waits, and would paint. */
static void aside_reset_signals(void)
{
    const struct sigaction plain = {.sa_handler = SIG_DFL}, ignored = {.sa_handler = SIG_IGN};
    sigset_t none;
    for (int i = 1; i < _NSIG; i++)
        sigaction(i, i == SIGPIPE ? &ignored : &plain, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int aside_settle(int fd)
{
    setsid();
    aside_reset_signals();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3 && null >= 0; i++)
        dup2(null, i);
    if (fd != 3)
        dup2(fd, 3);
    close_range(4, ~0u, 0);
    return 3;
}

int aside_start(int (*work)(int fd, const void *data), const void *data, int *ret_output,
                int *ret_pidfd, struct error *e)
{
    int pair[2];
    int r = fd_pipe(pair, 0);
    if (r < 0)
        return error_errno(e, -r, "pipe");
    autoclose int reads = pair[0];
    autoclose int writes = pair[1];
    pid_t pid = fork();
    if (pid == 0)
        _exit(work(aside_settle(writes), data));
    if (pid < 0)
        return error_errno(e, errno, "fork");
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        r = errno;
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return error_errno(e, r, "pidfd_open");
    }
    *ret_pidfd = pidfd;
    *ret_output = TAKE_FD(reads);
    return 0;
}
