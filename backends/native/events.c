/* What happens inside, on its way to the monitor; and the end, told once. */
#include "backends/native/internal.h"

#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NATIVE_LAST_WORDS = 4096 };

/* The agent's events, on their way to whoever asked; main's end is remembered. */
struct native_relay {
    struct launch *l;
    const struct launch_events *events;
    void *data;
};

static void relay_started(void *data, uint32_t console, pid_t pid, struct launch_streams *streams)
{
    struct native_relay *r = data;
    r->events->started(r->data, console, pid, streams);
}

static void relay_failed(void *data, uint32_t console, const struct error *e)
{
    struct native_relay *r = data;
    r->events->failed(r->data, console, e);
}

static void relay_exited(void *data, uint32_t console, int status)
{
    struct native_relay *r = data;
    if (console == 0)
        r->l->status = status;
    r->events->exited(r->data, console, status);
}

static void relay_copied(void *data, uint32_t transfer, const struct error *e)
{
    struct native_relay *r = data;
    r->events->copy_done(r->data, transfer, e);
}

static void relay_closed(void *data, const char *why)
{
    struct native_relay *r = data;
    struct launch *l = r->l;
    l->agent_closed = true;
    if (why) {
        snprintf(l->why, sizeof(l->why), "%s", why);
        syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0);
    }
}

static const struct agent_host_events relay_events = {
    .started = relay_started,
    .failed = relay_failed,
    .exited = relay_exited,
    .copied = relay_copied,
    .closed = relay_closed,
};

/* Takes note of PID 1's end, if it has come: the kernel has then ended everything else inside. */
static bool native_reap(struct launch *l, int *ret_status)
{
    if (l->pid <= 0)
        return false;
    struct rusage usage;
    pid_t got = wait4(l->pid, ret_status, WNOHANG | __WALL, &usage);
    if (got != l->pid)
        return false;
    cgroup_note_usage(l->cgroup, &usage);
    l->pid = 0;
    return true;
}

void native_dispatch(struct launch *l, const struct launch_events *events, void *data)
{
    struct native_relay relay = {l, events, data};
    int status;
    bool over = native_reap(l, &status);
    if (l->agent && !l->agent_closed)
        agent_host_dispatch(l->agent, &relay_events, &relay);
    if (!over)
        return;
    /* nobody writes any more, unless PID 1 has given its socket away: what is left is bounded */
    for (unsigned i = 0; !l->agent_closed && i < NATIVE_LAST_WORDS; i++)
        agent_host_dispatch(l->agent, &relay_events, &relay);
    l->agent_closed = true;
    l->ended = true;
    int result = l->status;
    bool killed = WIFSIGNALED(status);
    if (result < 0)
        result = killed ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    events->ended(data, result, l->why[0] && !(killed && l->status < 0) ? l->why : NULL);
}
