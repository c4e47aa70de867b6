#include "base/cancel.h"

#include "base/mem.h"

#include <errno.h>
#include <time.h>

volatile sig_atomic_t cancelled;

static const int cancel_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM};

static void cancel_on_signal(int signo)
{
    if (signo != SIGALRM && !cancelled) /* an alarm only ends a wait */
        cancelled = signo;
}

void cancel_on_signals(void)
{
    struct sigaction act = {.sa_handler = cancel_on_signal}, old;
    for (size_t i = 0; i < ARRAY_SIZE(cancel_signals); i++)
        if (sigaction(cancel_signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(cancel_signals[i], &act, NULL);
}

int cancel_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    const struct timespec most = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    sigset_t held, before;
    sigemptyset(&held);
    for (size_t i = 0; i < ARRAY_SIZE(cancel_signals); i++)
        sigaddset(&held, cancel_signals[i]);
    sigprocmask(SIG_BLOCK, &held, &before); /* or one could come between the look and the wait */
    int r = cancelled ? -EINTR : ppoll(fds, count, timeout_ms < 0 ? NULL : &most, &before);
    if (r == -1)
        r = -errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return r;
}

static bool cancel_is_ours(int signo)
{
    struct sigaction now;
    return sigaction(signo, NULL, &now) == 0 && now.sa_handler == cancel_on_signal;
}

void cancel_no_more(void)
{
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < ARRAY_SIZE(cancel_signals); i++)
        if (cancel_is_ours(cancel_signals[i]))
            sigaction(cancel_signals[i], &plain, NULL);
}

void cancel_end(void)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    if (!cancelled)
        return;
    sigaction(cancelled, &plain, NULL);
    raise(cancelled);
}
