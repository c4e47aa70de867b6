/* A call of libvirt's that does not return: its own keepalive ends none. */
#include "app/domains/domains.h"

#include "app/domains/say.h"
#include "base/fd.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HANG_LOOK_S = 1, HANG_ENDS_S = 5 };

static struct domains_call now;
static bool hang_deaf;     /* nothing more is asked */
static unsigned hang_left; /* looks, once its end is wanted */

static void hang_end_it(unsigned looks)
{
    if (now.killed)
        return;
    now.killed = true;
    hang_left = looks;
    if (now.pidfd >= 0)
        syscall(SYS_pidfd_send_signal, now.pidfd, SIGKILL, NULL, 0);
}

/* Its parent asks libvirt once more, but for a host that somebody waits for. */
static void hang_leave(void)
{
    struct error e = {0};
    bool watched = now.plan->machine.watched, far = plan_is_far(now.plan);
    if (far && !watched)
        snprintf(e.text, sizeof(e.text), "%s", DOMAIN_GIVEN_UP);
    int r = domains_say(DOMAIN_ENDED, 0, watched ? 0 : 137, &e);
    if (!watched && (!far || r < 0))
        _exit(124);
    e = (struct error){0};
    if (!watched)
        error_set(&e, ETIMEDOUT, DOMAIN_LEFT_BEHIND, now.plan->machine.uri);
    domains_say(DOMAIN_CLEANED, 0, 0, &e);
    _exit(0);
}

static void hang_obey(const struct domain_message *m)
{
    struct error e;
    error_set(&e, ETIMEDOUT, "libvirt does not answer");
    if (m->word == DOMAIN_DESTROY || (m->word == DOMAIN_SHUTDOWN && now.plan->machine.watched))
        hang_end_it(now.plan->machine.watched ? 0 : HANG_ENDS_S);
    else if (m->word == DOMAIN_PAUSE)
        domains_say(DOMAIN_PAUSED, 0, 0, &e);
    else if (m->word == DOMAIN_SNAPSHOT)
        domains_say(DOMAIN_SNAPPED, m->number, 0, &e);
    else if (m->word == DOMAIN_EXEC)
        domains_say(DOMAIN_EXECED, m->number, 0, &e);
}

static bool hang_hears(void)
{
    struct pollfd p = {.fd = DOMAIN_FD_CONTROL, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

static void hang_listen(void)
{
    while (!hang_deaf && hang_hears()) {
        struct domain_message m;
        int fds[DOMAIN_FDS_MAX] = {FD_NONE, FD_NONE, FD_NONE};
        size_t count = DOMAIN_FDS_MAX;
        ssize_t n = fd_receive(DOMAIN_FD_CONTROL, &m, sizeof(m), fds, &count);
        if (n == (ssize_t)sizeof(m))
            hang_obey(&m);
        else if (n != -EAGAIN && n != -EINTR)
            hang_deaf = true;
        for (size_t i = 0; i < DOMAIN_FDS_MAX; i++)
            fd_close(fds[i]);
    }
    if (hang_deaf)
        hang_end_it(HANG_ENDS_S);
}

static void on_look(int signo)
{
    int kept = errno;
    hang_listen();
    if (now.killed && hang_left-- == 0)
        hang_leave();
    alarm(HANG_LOOK_S);
    errno = kept;
}

void domains_call_begin(unsigned seconds, const struct domains_call *c)
{
    now = *c;
    hang_left = 0;
    signal(SIGALRM, on_look);
    alarm(seconds);
}

void domains_call_end(void)
{
    alarm(0);
}
