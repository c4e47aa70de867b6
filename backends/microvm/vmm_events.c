/* What happens in a guest and to its machine, on its way to the monitor; and the end, told once. */
#include "backends/microvm/vmm_launch.h"

#include "backends/microvm/said.h"
#include "base/fd.h"
#include "base/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EVENTS_LAST_WORDS = 4096,
    EVENTS_READS = 16,
    EVENTS_LAST_MS = 1000,
    EVENTS_METRICS_MAX = 256 * 1024
};

/* --- what is counted ----------------------------------------------------------------------------
 */

/* Whole lines are the driver's to read; one that has no end is the work of somebody else. */
void vmm_drain_metrics(struct launch *l)
{
    char bytes[4096];
    for (int i = 0; i < EVENTS_READS && l->metrics >= 0; i++) {
        ssize_t n = read(l->metrics, bytes, sizeof(bytes));
        if (n <= 0)
            return;
        for (const char *at = bytes, *end = bytes + n; at < end;) {
            const char *line_end = memchr(at, '\n', (size_t)(end - at));
            buf_add(&l->metrics_line, at, (size_t)((line_end ? line_end : end) - at));
            at = line_end ? line_end + 1 : end;
            if (line_end && l->metrics_line.used) {
                autofree char *line = buf_take(&l->metrics_line);
                l->driver->measured(line, &l->counts);
            } else if (l->metrics_line.used > EVENTS_METRICS_MAX) {
                buf_done(&l->metrics_line);
                l->metrics = fd_close(l->metrics);
                return;
            }
        }
    }
}

/* --- watching -----------------------------------------------------------------------------------
 */

static void events_watch(struct launch *l, int fd)
{
    struct error ignored;
    guest_watch(l->epoll, fd, &ignored);
}

int vmm_greet(struct launch *l, struct error *e)
{
    if (l->agent || l->meeting.agent < 0)
        return 0;
    int fd = accept4(l->meeting.agent, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED
                   ? 0
                   : error_errno(e, errno, "the guest's agent");
    l->meeting.agent = fd_close(l->meeting.agent); /* nobody else has anything to say to us there */
    l->agent = agent_guest_new(fd);
    if (!l->agent)
        return error_errno(e, errno, "a channel to the guest");
    events_watch(l, agent_host_fd(l->agent));
    return 0;
}

int vmm_watch_open(struct launch *l, struct error *e)
{
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0)
        return error_errno(e, errno, "epoll");
    l->patience = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (l->patience < 0)
        return error_errno(e, errno, "a timer");
    events_watch(l, l->patience);
    events_watch(l, l->agent ? agent_host_fd(l->agent) : l->meeting.agent);
    events_watch(l, l->pidfd);
    for (unsigned i = 0; i < l->serving.count; i++)
        events_watch(l, l->serving.list[i].pidfd);
    events_watch(l, l->kernel);
    events_watch(l, l->errors);
    events_watch(l, l->metrics);
    if (l->hands.pid > 0)
        events_watch(l, l->hands.socket);
    events_watch(l, l->control_watched = l->driver->control_fd(l->control));
    return 0;
}

size_t vmm_watch(const struct launch *l, int fds[4])
{
    if (l->epoll < 0 || l->ended)
        return 0;
    fds[0] = l->epoll;
    return 1;
}

void vmm_drain(struct launch *l)
{
    if (l->kernel >= 0)
        l->kernel = guest_tail_read(&l->kernel_tail, &l->printed, l->kernel);
    if (l->kernel_tail.seen && !l->phases[VMM_PHASE_KERNEL])
        l->phases[VMM_PHASE_KERNEL] = loop_now_us();
    if (l->errors >= 0)
        l->errors = guest_tail_read(&l->errors_tail, NULL, l->errors);
    vmm_drain_metrics(l);
    if (!l->control)
        return;
    if (l->driver->control_fd(l->control) >= 0)
        l->driver->control_dispatch(l->control);
    if (l->driver->control_fd(l->control) >= 0 || l->control_watched < 0)
        return;
    /* it may have ended in a call too, and would be readable for ever */
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->control_watched, NULL);
    l->control_watched = FD_NONE;
}

void vmm_tell_printed(struct launch *l, const struct launch_events *events, void *data)
{
    if (l->printed.used && events->printed)
        events->printed(data, l->printed.data, l->printed.used);
    buf_done(&l->printed);
}

bool vmm_reap(struct launch *l)
{
    if (l->reaped || l->pid <= 0)
        return l->reaped;
    struct rusage usage;
    if (wait4(l->pid, &l->wait_status, WNOHANG | __WALL, &usage) != l->pid)
        return false;
    cgroup_note_usage(l->cgroup, &usage);
    l->pid = 0; /* its pidfd stays watched: the end may be found before anybody can be told */
    return l->reaped = true;
}

static void serving_explain(struct launch *l, unsigned share, int status)
{
    struct guest_tail said = {{0}, 0, 0};
    l->serving.errors = guest_tail_read(&said, NULL, l->serving.errors);
    autofree char *error = guest_tail_last(&said);
    autofree char *folder = str_escape_z(vmm_share(l->plan, share)->source);
    if (WIFSIGNALED(status))
        snprintf(l->why, sizeof(l->why),
                 "virtiofsd, which served it %.120s, was killed by signal %d (%s)", folder,
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(l->why, sizeof(l->why),
                 "virtiofsd, which served it %.120s, ended with status %d%s%s", folder,
                 WEXITSTATUS(status), error ? ": " : "", error ? error : "");
}

/*
 * By itself it goes when the machine does, and may be the first to be gone; and what kills all of a
 * control group kills both.
 */
static bool serving_ends_with_it(struct launch *l, int status)
{
    bool went = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    struct pollfd p = {.fd = l->pidfd, .events = POLLIN};
    if ((!went && !killed) || (!l->reaped && poll(&p, 1, EVENTS_LAST_MS) <= 0))
        return false;
    return went ||
           (vmm_reap(l) && WIFSIGNALED(l->wait_status) && WTERMSIG(l->wait_status) == SIGKILL);
}

/* Its guest would wait for ever for what is in that folder. */
void vmm_serving_look(struct launch *l)
{
    int status, share;
    while ((share = vmm_serving_lost(&l->serving, &status)) >= 0) {
        if (l->why[0] || l->killed || l->status >= 0)
            continue;
        if (serving_ends_with_it(l, status))
            continue;
        serving_explain(l, (unsigned)share, status);
        vmm_switch_off(l);
    }
}

/* --- the end ------------------------------------------------------------------------------------
 */

/* Where it could not go on without one of those, that may be about to end still. */
static void serving_settle(struct launch *l)
{
    if (!l->reaped || !WIFEXITED(l->wait_status) || !WEXITSTATUS(l->wait_status))
        return;
    for (unsigned i = 0; i < l->serving.count; i++) {
        struct pollfd p = {.fd = l->serving.list[i].pidfd, .events = POLLIN};
        if (l->serving.list[i].pid > 0)
            poll(&p, 1, EVENTS_LAST_MS);
    }
    vmm_serving_look(l);
}

/* What the guest said is the guest's word, and shown as that. */
void vmm_explain_end(struct launch *l)
{
    serving_settle(l);
    autofree char *reason = guest_tail_reason(&l->kernel_tail);
    autofree char *error = guest_tail_last(&l->errors_tail);
    const char *program = l->driver->name;
    int code = l->reaped && WIFEXITED(l->wait_status) ? WEXITSTATUS(l->wait_status) : 0;
    const char *means = code && l->driver->status_means ? l->driver->status_means(code) : NULL;
    if (l->why[0]) {
        return;
    } else if (l->reaped && WIFSIGNALED(l->wait_status)) {
        int signo = WTERMSIG(l->wait_status);
        snprintf(l->why, sizeof(l->why), "%s was killed by signal %d (%s)", program, signo,
                 strsignal(signo));
    } else if (means) {
        snprintf(l->why, sizeof(l->why), "%s ended with status %d (%s)%s%s", program, code, means,
                 error ? ": " : "", error ? error : "");
    } else if (reason) {
        snprintf(l->why, sizeof(l->why), "%s", reason);
    } else if (code) {
        snprintf(l->why, sizeof(l->why), "%s ended with status %d%s%s", program, code,
                 error ? ": " : "", error ? error : "");
    } else if (l->status < 0) {
        snprintf(l->why, sizeof(l->why), "%s",
                 l->reaped ? "the guest turned itself off or restarted"
                           : "the guest's agent is gone");
    }
}

/*
 * A breach is the guest's, and said; an end is the machine's own, which its program then tells in a
 * moment, if nobody has taken it over.
 */
void vmm_agent_gone(struct launch *l, const char *why)
{
    l->agent_closed = true;
    if (why && strstr(why, "protocol") && l->status < 0) {
        snprintf(l->why, sizeof(l->why), "%s", why);
        return;
    }
    struct pollfd p = {.fd = l->pidfd, .events = POLLIN};
    if (!l->reaped && l->pidfd >= 0)
        poll(&p, 1, EVENTS_LAST_MS);
    vmm_reap(l);
    vmm_drain(l);
}

struct events_relay {
    struct launch *l;
    const struct launch_events *events;
    void *data;
};

static void relay_started(void *data, uint32_t console, pid_t pid, struct launch_streams *streams)
{
    struct events_relay *r = data;
    r->events->started(r->data, console, pid, streams);
}

static void relay_failed(void *data, uint32_t console, const struct error *e)
{
    struct events_relay *r = data;
    r->events->failed(r->data, console, e);
}

void vmm_switch_off(struct launch *l)
{
    if (l->pidfd >= 0 && !l->reaped)
        syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0);
}

/* Nothing in a guest outlives main, and nothing of it is kept: its machine is switched off. */
void vmm_main_exited(struct launch *l, int status, const struct launch_events *events, void *data)
{
    l->status = status;
    events->exited(data, 0, status);
    bool due = events->report_due && events->report_due(data);
    if (!due || !guest_told_at_end(&l->told, l->agent))
        vmm_switch_off(l);
}

static void relay_exited(void *data, uint32_t console, int status)
{
    struct events_relay *r = data;
    if (console == 0)
        vmm_main_exited(r->l, status, r->events, r->data);
    else
        r->events->exited(r->data, console, status);
}

static void relay_changes(void *data, struct changes *c, const struct error *e)
{
    struct events_relay *r = data;
    if (guest_told_take(&r->l->told, c, e, r->events, r->data))
        vmm_switch_off(r->l);
}

static void relay_copied(void *data, uint32_t transfer, const struct error *e)
{
    struct events_relay *r = data;
    r->events->copy_done(r->data, transfer, e);
}

static void relay_closed(void *data, const char *why)
{
    struct events_relay *r = data;
    struct launch *l = r->l;
    vmm_agent_gone(l, why);
    vmm_switch_off(l);
}

static void relay_quiet(void *data, const struct error *e)
{
    vmm_saving_quiet(((struct events_relay *)data)->l, e);
}

static void relay_sampled(void *data, const struct agent_sample *sample)
{
    struct launch *l = ((struct events_relay *)data)->l;
    said_take(sample, l->plan, &l->counts);
}

static const struct agent_host_events relay_events = {
    .quiet = relay_quiet,
    .sampled = relay_sampled,
    .started = relay_started,
    .failed = relay_failed,
    .exited = relay_exited,
    .copied = relay_copied,
    .changes = relay_changes,
    .closed = relay_closed,
};

static void events_end(struct launch *l, struct events_relay *r)
{
    /* nobody writes any more; what is left in the channel is bounded */
    for (unsigned i = 0; l->agent && !l->agent_closed && i < EVENTS_LAST_WORDS; i++)
        agent_host_dispatch(l->agent, &relay_events, r);
    vmm_drain(l);
    vmm_tell_printed(l, r->events, r->data);
    l->agent_closed = l->ended = true;
    if (l->saving.step != SAVING_NONE) {
        vmm_saving_lost(l);
        r->events->snapshot_done(r->data, l->saving.request, &l->saving.error);
    }
    if (plan_boots_disk(l->plan) && WIFEXITED(l->wait_status) && !WEXITSTATUS(l->wait_status)) {
        l->status = 0; /* it has turned itself off */
        r->events->exited(r->data, 0, 0);
    }
    if (l->status < 0)
        vmm_explain_end(l);
    int status = l->status;
    if (status < 0)
        status = WIFSIGNALED(l->wait_status) ? 128 + WTERMSIG(l->wait_status) : 125;
    r->events->ended(r->data, status, l->status < 0 && l->why[0] ? l->why : NULL);
}

void vmm_dispatch(struct launch *l, const struct launch_events *events, void *data)
{
    struct events_relay relay = {l, events, data};
    if (l->ended)
        return;
    if (l->booting) {
        vmm_setup_dispatch(l, events, data);
        return;
    }
    vmm_serving_look(l);
    vmm_reap(l);
    vmm_drain(l);
    vmm_tell_printed(l, events, data);
    if (l->agent && !l->agent_closed)
        agent_host_dispatch(l->agent, &relay_events, &relay);
    if (!l->reaped && vmm_saving_turn(l))
        events->snapshot_done(data, l->saving.request,
                              l->saving.error.code ? &l->saving.error : NULL);
    if (l->reaped)
        events_end(l, &relay);
}

void vmm_stop(struct launch *l)
{
    if (!l->reaped && l->pid > 0) {
        vmm_end(l->pid, l->pidfd);
        l->pid = 0;
        l->reaped = true;
    }
    vmm_serving_end(&l->serving);
    vmm_setup_end(l);
    vmm_saving_lost(l);
    vmm_hands_end(&l->hands);
    agent_host_free(l->agent);
    l->agent = NULL;
    l->agent_closed = true;
    if (l->control)
        l->driver->control_free(l->control);
    l->control = NULL;
    vmm_meeting_done(&l->meeting);
    l->kernel = fd_close(l->kernel);
    l->errors = fd_close(l->errors);
    l->metrics = fd_close(l->metrics);
    l->scratch = fd_close(l->scratch);
    buf_done(&l->metrics_line);
    buf_done(&l->printed);
    l->patience = fd_close(l->patience);
    l->epoll = fd_close(l->epoll);
    l->pidfd = fd_close(l->pidfd);
}
