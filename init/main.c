/*
 * cofferdam-init: PID 1 of a native container, and its agent (init/agent.h). It is started in a
 * finished container, at descriptor AGENT_FD it finds the host, and it ends when main or the host
 * does; the kernel then ends everything else in its PID namespace. Started as "/init" by a guest's
 * kernel it is init/guest.c.
 */
#include "init/guest.h"
#include "init/init.h"
#include "init/plain.h"

#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void main_on_child(int signo)
{
    /* only there to end ppoll() */
}

/* Nobody inside may trace us or read our memory; nothing of our starter's is left with us. */
static void main_harden(void)
{
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    syscall(SYS_close_range, AGENT_FD + 1, ~0u, 0);
}

void main_listen(sigset_t *ret_waiting)
{
    struct sigaction child = {.sa_handler = main_on_child};
    sigaction(SIGCHLD, &child, NULL);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigdelset(&all, SIGCHLD);
    *ret_waiting = all;
}

void main_quiet(sigset_t *ret_waiting)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    for (int i = 1; i <= 64; i++)
        sigaction(i, &plain, NULL);
    main_listen(ret_waiting);
}

int main_handle(const struct agent_frame *f, int fd)
{
    autoclose int taken = fd;
    if (taken >= 0 && f->type != AGENT_COPY_IN && f->type != AGENT_COPY_OUT)
        return -EBADMSG;
    switch (f->type) {
    case AGENT_START:
        return reap_start(f);
    case AGENT_SIGNAL:
        return reap_signal(f);
    case AGENT_COPY_IN:
    case AGENT_COPY_OUT:
        return reap_copy(f, TAKE_FD(taken), NULL);
    case AGENT_FREEZE:
        return reap_freeze(f);
    case AGENT_SHUTDOWN:
        return -ESHUTDOWN;
    case AGENT_PING:
        wire_send(AGENT_PONG, f->channel, NULL, 0, NULL, 0);
        return 0;
    case AGENT_RESIZE: /* these seven: only where no descriptors travel */
    case AGENT_CREDIT:
    case AGENT_DATA:
    case AGENT_STEP:
    case AGENT_QUIESCE:
    case AGENT_SAMPLE:
    case AGENT_CHANGES:
    case AGENT_HELLO:
    case AGENT_STARTED:
    case AGENT_FAILED:
    case AGENT_EXITED:
    case AGENT_COPIED:
    case AGENT_PONG:
    case AGENT_READY:
    case AGENT_BROKEN:
    case AGENT_QUIET:
    case AGENT_SAMPLED:
    case AGENT_RUNNING:
        break;
    }
    return -EBADMSG;
}

static int main_serve_host(void)
{
    for (;;) {
        struct agent_frame frame;
        int fd;
        int r = wire_read(&frame, &fd);
        if (r <= 0)
            return r;
        r = main_handle(&frame, fd);
        if (r < 0)
            return r;
    }
}

/* Returns main's status once everything is to end. */
static int main_loop(const sigset_t *waiting)
{
    int status;
    while (!reap_is_over(&status)) {
        struct pollfd fds[1 + REAP_WATCH_MAX];
        fds[0] = (struct pollfd){.fd = AGENT_FD, .events = POLLIN};
        size_t count = 1 + reap_watch(fds + 1);
        int r = ppoll(fds, count, NULL, waiting);
        if (r < 0 && errno != EINTR)
            return status;
        for (size_t i = 1; r > 0 && i < count; i++)
            if (fds[i].revents)
                reap_ready(fds[i].fd);
        reap_children();
        if (r > 0 && fds[0].revents && main_serve_host() < 0)
            return status;
    }
    return status;
}

int main(int argc, char **argv)
{
    sigset_t waiting;
    if (argc > 0 && strcmp(argv[0], GUEST_NAME) == 0)
        guest_main(argv + 1);
    if (argc > 4 && strcmp(argv[1], "list") == 0) {
        list_take(argv[2]);
        argv += 2;
        argc -= 2;
    }
    if (argc > 2 && strcmp(argv[1], "--") == 0)
        plain_main(argv + 2, argv + argc + 1);
    if (argc > 2 && strcmp(argv[1], "env") == 0)
        env_main(argv + 2, argv + argc + 1);
    if (argc > 1 && strcmp(argv[1], "still") == 0)
        still_main();
    if (argc > 1 && strcmp(argv[1], "go-on") == 0)
        go_on_main(argv + 2);
    main_harden();
    main_quiet(&waiting);
    if (fd_nonblock(AGENT_FD) < 0)
        return 125;
    uint32_t hello[2] = {AGENT_VERSION, 0};
    wire_send(AGENT_HELLO, 0, hello, sizeof(hello), NULL, 0);
    _exit(main_loop(&waiting));
}
