/* A workload behind containerd as the monitor drives it. */
#include "backends/containerd/containerd.h"
#include "backends/containerd/internal.h"

#include "backends/agent/agent_streams.h"
#include "backends/planned.h"
#include "base/fd.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LAUNCH_START_MS = 120000, LAUNCH_END_MS = 30000 };

static int containerd_clean(struct launch *l, struct error *e);
static void containerd_free(struct launch *l);

static int containerd_open(const char *plan, size_t size, const struct launch_env *env,
                           struct launch **ret, struct error *e)
{
    struct launch *l = NEW(struct launch);
    l->env = *env;
    remote_init(&l->far, "containerd");
    root_ids_init(&l->ids);
    int r = plan_from_json(plan, size, &l->plan, e);
    if (r == 0)
        r = root_check_plan(l->plan, e);
    if (r == 0)
        r = plan_handler_read(l->plan->runtime, &l->handler, e);
    if (r < 0) {
        containerd_free(l);
        return r;
    }
    l->own_kernel = plan_handler_has_kernel(l->plan->runtime);
    l->far.name = l->plan->runtime;
    l->command = strv_join(l->plan->argv, " ");
    planned_wishes(l->plan, l->command, &l->wishes);
    *ret = l;
    return 0;
}

static const struct launch_wishes *containerd_wishes(const struct launch *l)
{
    return &l->wishes;
}

static void launch_settle(struct launch *l)
{
    cgroup_keep(l->cgroup, l->far.pid);
    strv_free(l->shortfalls);
    l->shortfalls = strv_copy(cgroup_shortfalls(l->cgroup));
    if (l->plan->limits.disk)
        strv_add(&l->shortfalls, "disk: containerd's layer for the changes has no limit");
    if (l->plan->landlock == PLAN_LANDLOCK_AUTO)
        strv_add(&l->shortfalls, "no Landlock: containerd has no word for it");
    if (l->env.settled)
        l->env.settled(l->env.settled_data);
}

/* Until the command runs, or has failed to. */
static int launch_listen(struct launch *l, struct launch_streams *ret, struct error *e)
{
    struct hands_message m;
    int fds[3] = {FD_NONE, FD_NONE, FD_NONE};
    size_t count = ARRAY_SIZE(fds);
    struct pollfd p = {.fd = l->far.control, .events = POLLIN};
    if (poll(&p, 1, LAUNCH_START_MS) == 0)
        return error_set(e, ETIMEDOUT, "%s does not come to an end", l->plan->runtime);
    ssize_t n = fd_receive(l->far.control, &m, sizeof(m), fds, &count);
    int r = 0;
    if (n != (ssize_t)sizeof(m) || (m.word != HANDS_STARTED && m.word != HANDS_FAILED)) {
        r = error_set(e, EPROTO, "the process beside it ended without a word (killed?)");
    } else if (m.word == HANDS_FAILED) {
        r = error_take(e, &m.error);
    } else if (agent_streams_check(fds, count, l->plan->terminal, ret) < 0) {
        r = error_set(e, EPROTO, "the runtime's streams are none");
    }
    for (size_t i = 0; r < 0 && n > 0 && i < count; i++)
        fd_close(fds[i]);
    return r;
}

static int launch_make(struct launch *l, struct launch_streams *ret, struct error *e)
{
    struct cgroup_wish wish = {
        .plan = l->plan, .journal = l->env.journal, .journal_data = l->env.journal_data};
    int r = l->own_kernel ? 0 : root_ids_take(l->plan, &l->env, &l->ids, e);
    if (r == 0)
        r = cgroup_make(&wish, &l->cgroup, e);
    if (r == 0)
        r = containerd_make_root(l, e);
    if (r == 0)
        r = containerd_write_config(l, e);
    if (r == 0)
        r = hands_begin(l, e);
    if (r == 0)
        r = launch_listen(l, ret, e);
    if (r < 0)
        return r;
    launch_settle(l);
    r = fd_nonblock(l->far.control);
    return r < 0 ? error_errno(e, -r, "a socket") : 0;
}

static int containerd_start(struct launch *l, struct launch_streams *ret_streams, struct error *e)
{
    struct error mine;
    remote_begin(&l->far);
    l->removed = false;
    int r = launch_make(l, ret_streams, &mine);
    if (r == 0)
        return 0;
    launch_own_failure(&mine); /* of the command PID 1 speaks, inside */
    struct error ignored;
    containerd_clean(l, &ignored);
    *e = mine;
    return -mine.code;
}

static size_t containerd_watch(const struct launch *l, int fds[4])
{
    return remote_watch(&l->far, fds);
}

static void containerd_dispatch(struct launch *l, const struct launch_events *events, void *data)
{
    remote_dispatch(&l->far, l->cgroup, events, data);
    l->removed = l->removed || (l->far.ended && l->far.last == 0);
}

static pid_t containerd_pid(const struct launch *l)
{
    return l->far.pid;
}

/* Another one's capabilities are the workload's own, by ctr's ways: with any that would be more. */
static int containerd_exec(struct launch *l, uint32_t console, const struct launch_exec *x,
                           struct error *e)
{
    if (x->user && l->plan->capabilities)
        return error_set(e, ENOTSUP,
                         "another user would get the workload's capabilities through containerd; "
                         "native takes them away");
    return remote_exec(&l->far, console, x, e);
}

static int containerd_signal(struct launch *l, uint32_t console, int signo, struct error *e)
{
    return remote_signal(&l->far, console, signo, e);
}

static int containerd_freeze(struct launch *l, bool frozen, struct error *e)
{
    return remote_pause(&l->far, frozen, e);
}

static int containerd_sample(struct launch *l, struct launch_sample *ret)
{
    return l->cgroup ? cgroup_sample(l->cgroup, ret) : -ENODATA;
}

static int containerd_kill(struct launch *l, struct error *e)
{
    return l->far.pid > 0 ? remote_signal(&l->far, HANDS_ALL, SIGKILL, e) : 0;
}

static char *const *containerd_shortfalls(const struct launch *l)
{
    static char *const none[] = {NULL};
    return l->shortfalls ? l->shortfalls : none;
}

static size_t containerd_reach(const struct launch *l, struct launch_reach *ret, size_t most,
                               bool *ret_proc)
{
    return cgroup_reach(l->cgroup, ret, most, ret_proc);
}

/* The process beside it removes everything when nobody is left to talk to. */
static void launch_see_off(struct launch *l)
{
    int status = 1;
    if (l->far.pid <= 0)
        return;
    shutdown(l->far.control, SHUT_RDWR);
    struct pollfd p = {.fd = l->far.pidfd, .events = POLLIN};
    struct error ignored;
    if (poll(&p, 1, LAUNCH_END_MS) != 1)
        remote_kill(&l->far, &ignored);
    remote_see_off(&l->far, l->cgroup, &status);
    l->removed = status == 0;
}

static int containerd_clean(struct launch *l, struct error *e)
{
    launch_see_off(l);
    int r = 0;
    if (l->journalled && !l->removed) /* only while we are not locked in does this do anything */
        r = ctr_remove(l->handler.address, l->plan->id, l->rootfs, e);
    l->removed = r == 0;
    if (r == 0)
        l->journalled = false;
    if (r == 0)
        r = cgroup_end(&l->cgroup, e);
    if (r == 0)
        root_ids_release(&l->ids);
    remote_close(&l->far);
    return r;
}

static void containerd_free(struct launch *l)
{
    if (!l)
        return;
    struct error ignored;
    if (l->plan)
        containerd_clean(l, &ignored);
    cgroup_free(l->cgroup);
    strv_free(l->shortfalls);
    plan_handler_done(&l->handler);
    free(l->rootfs);
    free(l->config);
    free(l->pid_file);
    free(l->command);
    plan_free(l->plan);
    free(l);
}

const struct launch_ops containerd_launch_ops = {
    .name = "containerd",
    .open = containerd_open,
    .wishes = containerd_wishes,
    .start = containerd_start,
    .watch = containerd_watch,
    .dispatch = containerd_dispatch,
    .pid = containerd_pid,
    .exec = containerd_exec,
    .signal = containerd_signal,
    .freeze = containerd_freeze,
    .sample = containerd_sample,
    .kill = containerd_kill,
    .shortfalls = containerd_shortfalls,
    .reach = containerd_reach,
    .clean = containerd_clean,
    .free = containerd_free,
};
