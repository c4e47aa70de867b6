#include "backends/launch.h"

#include "base/fd.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void launch_ahead_tell(const struct launch_ahead *a, int plan, int filter)
{
    const int fds[] = {plan, filter};
    if (a->pid > 0) /* one that has died is found dead by start() */
        fd_send(a->control, "p", 1, fds, filter >= 0 ? 2 : 1);
}

void launch_ahead_end(struct launch_ahead *a)
{
    if (a->pid <= 0)
        return;
    syscall(SYS_pidfd_send_signal, a->pidfd, SIGKILL, NULL, 0);
    while (waitpid(a->pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    fd_close(a->pidfd);
    fd_close(a->control);
    *a = (struct launch_ahead){0};
}
