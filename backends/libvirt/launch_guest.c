/* A guest of ours in a domain of libvirt's: asked, listened to and ended as a microVM's is. */
#include "backends/libvirt/launch_inner.h"

#include "backends/agent/agent_guest.h"
#include "backends/agent/agent_start.h"
#include "backends/guest/guest_ask.h"
#include "backends/guest/guest_tail.h"
#include "backends/guest/guest_told.h"
#include "backends/guest/guest_watch.h"
#include "backends/libvirt/domain_xml.h"
#include "backends/root/check.h"
#include "base/fd.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

enum { GUEST_LAST_WORDS = 4096, GUEST_LIMIT_FAR_MS = 30 * 60 * 1000 };

struct domain_guest {
    struct agent_host *agent; /* owned; NULL: not met yet */
    int epoll;                /* owned; of what can end before it does: see launch_ops.watch */
    int kernel;               /* owned; its serial line */
    int limit;                /* owned; of the start */
    unsigned limit_s;
    struct guest_tail tail;
    struct buf printed; /* by its kernel, and not told yet */
    struct guest_copies copies;
    struct guest_told told;
    bool booting, asked, closed;
    int status;    /* of main; -1: not known */
    char why[320]; /* what the agent did wrong; empty: nothing */
};

/* --- its begin and its end ----------------------------------------------------------------------
 */

static int guest_hear(struct domain_guest *g, int agent, struct error *e)
{
    g->agent = agent_guest_new(agent);
    if (!g->agent)
        return error_errno(e, errno, "a channel to the guest");
    return guest_watch(g->epoll, agent_host_fd(g->agent), e);
}

/* Of one on another host the other end is cofferdam-domain's, before there is a machine. */
static int guest_make_channel(struct launch *l, struct error *e)
{
    int pair[2];
    int r = fd_socketpair(pair);
    if (r < 0)
        return error_errno(e, -r, "a channel to the guest");
    l->far_agent = pair[1];
    return guest_hear(l->guest, pair[0], e);
}

int domain_guest_begin(struct launch *l, struct error *e)
{
    struct domain_guest *g = l->guest = NEW(struct domain_guest);
    g->epoll = g->kernel = g->limit = FD_NONE;
    g->status = -1;
    g->booting = true;
    int r = guest_copies_begin(l->plan, &g->copies, e);
    if (r == 0)
        r = guest_limit_begin(l->plan->time_limit_ms,
                              plan_is_far(l->plan) ? GUEST_LIMIT_FAR_MS : GUEST_LIMIT_MS,
                              &g->limit_s, e);
    if (r < 0)
        return r;
    g->limit = r;
    g->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (g->epoll < 0)
        return error_errno(e, errno, "epoll");
    r = guest_watch(g->epoll, g->limit, e);
    return r < 0 || !plan_is_far(l->plan) ? r : guest_make_channel(l, e);
}

int domain_guest_meet(struct launch *l, int agent, int kernel, struct error *e)
{
    struct domain_guest *g = l->guest;
    fd_nonblock(kernel);
    g->kernel = kernel;
    int r = guest_watch(g->epoll, g->kernel, e);
    return r < 0 || agent < 0 ? r : guest_hear(g, agent, e);
}

void domain_guest_done(struct launch *l)
{
    struct domain_guest *g = l->guest;
    if (!g)
        return;
    guest_copies_end(&g->copies);
    agent_host_free(g->agent);
    fd_close(g->kernel);
    fd_close(g->limit);
    fd_close(g->epoll);
    g->agent = NULL;
    g->epoll = g->kernel = g->limit = FD_NONE;
    g->closed = true; /* what it changed is still asked for */
}

void domain_guest_free(struct launch *l)
{
    domain_guest_done(l);
    if (l->guest)
        free(l->guest->told.json);
    free(l->guest);
    l->guest = NULL;
}

size_t domain_guest_watch(const struct launch *l, int fds[1])
{
    const struct domain_guest *g = l->guest;
    if (!g || g->epoll < 0 || l->ended)
        return 0;
    fds[0] = g->epoll;
    return 1;
}

/* --- what it says -------------------------------------------------------------------------------
 */

struct guest_relay {
    struct launch *l;
    const struct launch_events *events;
    void *data;
};

/* Nothing in it outlives main, and nothing of it is kept. */
static void guest_switch_off(struct launch *l)
{
    struct error ignored;
    domain_say(l, DOMAIN_DESTROY, 0, 0, NULL, &ignored);
}

static void guest_booted(struct domain_guest *g)
{
    g->booting = false;
    g->limit = fd_close(g->limit);
    guest_copies_end(&g->copies);
}

/* What is left of it clean() removes. */
static void guest_fail(struct guest_relay *r, const struct error *e)
{
    guest_booted(r->l->guest);
    r->l->ended = true;
    r->events->failed(r->data, 0, e);
}

static void guest_started(void *data, uint32_t console, pid_t pid, struct launch_streams *streams)
{
    struct guest_relay *r = data;
    if (console == 0)
        guest_booted(r->l->guest);
    r->events->started(r->data, console, pid, streams);
}

static void guest_failed(void *data, uint32_t console, const struct error *e)
{
    struct guest_relay *r = data;
    if (console == 0)
        guest_fail(r, e);
    else
        r->events->failed(r->data, console, e);
}

static void guest_broken(void *data, const struct error *e)
{
    struct error mine = *e;
    mine.code = EIO; /* whatever is wrong is not the command */
    error_wrap(&mine, "the guest");
    guest_fail(data, &mine);
}

static void guest_exited(void *data, uint32_t console, int status)
{
    struct guest_relay *r = data;
    struct domain_guest *g = r->l->guest;
    r->events->exited(r->data, console, status);
    if (console != 0)
        return;
    g->status = status;
    bool due = r->events->report_due && r->events->report_due(r->data);
    if (!due || !guest_told_at_end(&g->told, g->agent))
        guest_switch_off(r->l);
}

static void guest_copied(void *data, uint32_t transfer, const struct error *e)
{
    struct guest_relay *r = data;
    r->events->copy_done(r->data, transfer, e);
}

static void guest_changes(void *data, struct changes *c, const struct error *e)
{
    struct guest_relay *r = data;
    if (guest_told_take(&r->l->guest->told, c, e, r->events, r->data))
        guest_switch_off(r->l);
}

static void guest_closed(void *data, const char *why)
{
    struct guest_relay *r = data;
    struct domain_guest *g = r->l->guest;
    g->closed = true;
    epoll_ctl(g->epoll, EPOLL_CTL_DEL, agent_host_fd(g->agent), NULL); /* at its end for ever */
    if (g->status < 0 && why && strstr(why, "protocol"))
        snprintf(g->why, sizeof(g->why), "%s", why);
    guest_switch_off(r->l);
}

static const struct agent_host_events guest_events = {
    .started = guest_started,
    .failed = guest_failed,
    .exited = guest_exited,
    .copied = guest_copied,
    .closed = guest_closed,
    .broken = guest_broken,
    .changes = guest_changes,
};

/* What the guest said is the guest's word, and shown as that. */
static char *guest_reason(const struct domain_guest *g, const char *why)
{
    autofree char *said = g->why[0] ? str_dup(g->why) : guest_tail_reason(&g->tail);
    if (said)
        return TAKE(said);
    return str_dup(str_empty(why) ? "the guest turned itself off or restarted" : why);
}

/* What its kernel prints. */
static void guest_listen(struct domain_guest *g, const struct launch_events *events, void *data)
{
    if (g->kernel >= 0)
        g->kernel = guest_tail_read(&g->tail, &g->printed, g->kernel);
    if (g->printed.used && events->printed)
        events->printed(data, g->printed.data, g->printed.used);
    buf_done(&g->printed);
}

void domain_guest_ended(struct launch *l, int status, const char *why,
                        const struct launch_events *events, void *data)
{
    struct domain_guest *g = l->guest;
    struct guest_relay relay = {l, events, data};
    /* nobody writes any more; what is left in the channels is bounded */
    for (unsigned i = 0; g->asked && !g->closed && i < GUEST_LAST_WORDS; i++)
        agent_host_dispatch(g->agent, &guest_events, &relay);
    guest_listen(g, events, data);
    autofree char *reason = guest_reason(g, why);
    if (g->booting) {
        struct error e;
        error_set(&e, EIO, "%s", reason);
        guest_fail(&relay, &e);
    } else if (g->status >= 0) {
        events->ended(data, g->status, NULL);
    } else if (status == 137 && str_empty(why)) { /* somebody here wanted it */
        events->ended(data, status, NULL);
    } else {
        events->ended(data, status ? status : 125, reason);
    }
}

/* --- turn by turn -------------------------------------------------------------------------------
 */

/*
 * The guest's first word: only then is it asked, so that its clock is set to a time that is not
 * over.
 */
static int guest_talk(struct launch *l, struct error *e)
{
    struct domain_guest *g = l->guest;
    struct pollfd p = {.fd = agent_host_fd(g->agent), .events = POLLIN};
    if (g->asked || poll(&p, 1, 0) < 1)
        return 0;
    g->asked = true;
    const struct guest_disks disks = {.root = "serial:" DOMAIN_DISK_ROOT};
    return guest_ask(g->agent, l->plan, &disks, &g->copies, &l->env, e);
}

void domain_guest_dispatch(struct launch *l, const struct launch_events *events, void *data)
{
    struct domain_guest *g = l->guest;
    struct guest_relay relay = {l, events, data};
    struct error e;
    guest_listen(g, events, data);
    int r = guest_talk(l, &e);
    if (r == 0 && g->asked && !g->closed)
        agent_host_dispatch(g->agent, &guest_events, &relay);
    if (r == 0 && g->booting)
        r = guest_limit_check(g->limit, g->limit_s, &e);
    if (r < 0 && !l->ended)
        guest_fail(&relay, &e);
}

/* --- what is asked of it ------------------------------------------------------------------------
 */

static int guest_check(const struct launch *l, const char *what, struct error *e)
{
    const struct domain_guest *g = l->guest;
    if (!g)
        return error_set(e, EOPNOTSUPP, "a machine that boots its own disk %s", what);
    return !g->booting && !g->closed && g->status < 0 ? 0
                                                      : error_set(e, ESRCH, "it is not running");
}

int domain_exec(struct launch *l, uint32_t console, const struct launch_exec *x, struct error *e)
{
    if (!l->guest)
        return domain_command(l, console, x, e);
    int r = guest_check(l, "", e);
    if (r == 0 && x->cwd)
        r = root_check_cwd(x->cwd, e);
    return r < 0 ? r : agent_start_exec(l->guest->agent, l->plan, console, x, e);
}

int domain_guest_signal(struct launch *l, uint32_t console, int signo, struct error *e)
{
    int r = guest_check(l, "", e);
    return r < 0 ? r : agent_host_signal(l->guest->agent, console, signo, e);
}

void domain_guest_paused(struct launch *l, bool paused)
{
    if (l->guest && l->guest->agent)
        agent_guest_pause(l->guest->agent, paused);
}

/* A serial line has no size; who is at it says "stty rows R cols C". */
int domain_resize(struct launch *l, uint32_t console, uint16_t rows, uint16_t cols)
{
    struct error ignored;
    if (!l->guest)
        return 0;
    int r = guest_check(l, "", &ignored);
    return r < 0 ? r : agent_host_resize(l->guest->agent, console, rows, cols);
}

int domain_copy_in(struct launch *l, uint32_t transfer, const char *path, int fd, struct error *e)
{
    autoclose int mine = fd;
    int r = guest_check(l, "cannot copy files while it runs", e);
    return r < 0 ? r : agent_host_copy_in(l->guest->agent, transfer, path, TAKE_FD(mine), e);
}

int domain_copy_out(struct launch *l, uint32_t transfer, const char *path, int fd, struct error *e)
{
    autoclose int mine = fd;
    int r = guest_check(l, "cannot copy files while it runs", e);
    return r < 0 ? r : agent_host_copy_out(l->guest->agent, transfer, path, TAKE_FD(mine), e);
}

int domain_ask_changes(struct launch *l, uint32_t request, struct error *e)
{
    int r = guest_check(l, "keeps its changes in its own disk", e);
    return r < 0 ? r : guest_told_ask(&l->guest->told, l->guest->agent, request, e);
}

const char *domain_told_changes(const struct launch *l)
{
    return l->guest ? l->guest->told.json : NULL;
}
