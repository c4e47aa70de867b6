/*
 * Starting a workload again. A confined monitor can neither clone nor exec, so before it locks
 * itself in it leaves an unconfined child behind that holds the plan and waits on a pipe: one byte,
 * and it becomes a fresh monitor; end of file, and it goes. It reads nothing else and talks to
 * nobody.
 */
#include "base/fd.h"
#include "console/monitor_parts.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Everything but the pipe and what a monitor is born with. */
static void close_rest(const struct monitor_setup *s, int pipe)
{
    const int keep[] = {pipe, s->plan_fd, s->filter, s->init, s->earlier};
    int most = 0;
    for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
        most = MAX(most, keep[i]);
    for (int fd = 3; fd <= most; fd++) {
        bool wanted = false;
        for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
            wanted |= keep[i] == fd;
        if (!wanted)
            close(fd);
    }
    close_range((unsigned)most + 1, ~0u, 0);
}

static void spare_main(struct monitor *m, int pipe)
{
    struct monitor_setup s = *m->setup;
    close_rest(&s, pipe);
    s.client = FD_NONE;
    s.restarts++;
    char order;
    ssize_t n;
    /* the old monitor's end closes our pipe too: it is gone, and its folders with it */
    do
        n = read(pipe, &order, 1);
    while (n < 0 && errno == EINTR);
    if (n == 1 && order == 'r') {
        do
            n = read(pipe, &order, 1);
        while (n < 0 && errno == EINTR);
        close(pipe);
        s.again(&s);
    }
    _exit(0);
}

int spare_fork(struct monitor *m, struct error *e)
{
    if (m->wishes->restart == LAUNCH_RESTART_NO || !m->setup->again)
        return 0;
    if (m->setup->earlier < 0) /* without it the next run's `logs` knows that run alone */
        m->setup->earlier = memfd_create("cofferdam-earlier", MFD_CLOEXEC);
    int pair[2];
    int r = fd_pipe(pair, O_CLOEXEC);
    if (r < 0)
        return error_errno(e, -r, "cannot make a pipe");
    pid_t pid = fork();
    if (pid < 0) {
        r = error_errno(e, errno, "cannot fork for a restart");
        fd_close(pair[0]);
        fd_close(pair[1]);
        return r;
    }
    if (pid == 0) {
        close(pair[1]);
        spare_main(m, pair[0]);
    }
    fd_close(pair[0]);
    m->spare = pair[1];
    return 0;
}

void spare_go(struct monitor *m)
{
    if (m->main->terminal)
        terminal_add_log(m->main, &m->log);
    console_log_save(&m->log, m->setup->earlier);
    ssize_t n = write(m->spare, "r", 1);
    (void)n; /* if it is gone there is no restart, and nobody left to tell */
}
