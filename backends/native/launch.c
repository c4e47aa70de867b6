/* The native container as the monitor drives it. */
#include "backends/agent/agent_start.h"
#include "backends/native/ahead.h"
#include "backends/native/internal.h"
#include "backends/native/native.h"
#include "backends/planned.h"
#include "backends/root/check.h"
#include "backends/root/snapshot.h"
#include "base/fd.h"
#include "base/str.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NATIVE_START_MS = 30000 };

/* --- reading the plan ------------------------------------------------------------------------ */

static void native_free(struct launch *l);

static int native_open(const char *plan, size_t size, const struct launch_env *env,
                       struct launch **ret, struct error *e)
{
    struct launch *l = NEW(struct launch);
    l->env = *env;
    l->pidfd = l->scratch = l->snapshot = l->mounts = l->control = FD_NONE;
    l->status = -1;
    root_ids_init(&l->ids);
    net_translator_init(&l->net);
    int r = plan_from_json(plan, size, &l->plan, e);
    if (r == 0)
        r = root_check_plan(l->plan, e);
    if (r == 0 && l->plan->seccomp)
        r = env->filter < 0 ? error_set(e, ENOENT, "the system call filter is missing")
                            : seccomp_cache_read(env->filter, l->plan, &l->filter, e);
    if (r < 0) {
        native_free(l);
        return r;
    }
    l->command = strv_join(l->plan->argv, " ");
    planned_wishes(l->plan, l->command, &l->wishes);
    *ret = l;
    return 0;
}

static const struct launch_wishes *native_wishes(const struct launch *l)
{
    return &l->wishes;
}

/* --- starting -------------------------------------------------------------------------------- */

static int native_clean(struct launch *l, struct error *e);

static int native_open_snapshot(struct launch *l, struct error *e)
{
    int fd = root_snapshot_open(l->plan, &l->ids, false, e);
    if (fd < 0 && fd != FD_NONE)
        return fd;
    l->snapshot = fd;
    return 0;
}

/* The agent finds its first command waiting in the socket, so nobody waits for a greeting. */
static int native_make_agent(struct launch *l, int *ret_inside, struct error *e)
{
    int pair[2];
    int r = fd_socketpair(pair);
    if (r < 0)
        return error_errno(e, -r, "a channel to cofferdam-init");
    *ret_inside = pair[1];
    l->agent = agent_host_new(pair[0]);
    if (!l->agent)
        return error_errno(e, errno, "a channel to cofferdam-init");
    return agent_start_main(l->agent, l->plan, &l->env, e);
}

static int native_make(struct launch *l, struct error *e)
{
    const struct cgroup_wish wish = {.plan = l->plan,
                                     .journal = l->env.journal,
                                     .journal_data = l->env.journal_data,
                                     .ready = native_start_early,
                                     .undone = native_start_undone,
                                     .data = l};
    autoclose int inside = FD_NONE;
    int r = root_ids_take(l->plan, &l->env, &l->ids, e);
    if (r == 0)
        r = root_lowers_open(l->plan, &l->ids, &l->lowers, e);
    if (r == 0)
        r = root_lent_open(l->plan, &l->ids, &l->lent, e);
    if (r == 0)
        r = native_open_snapshot(l, e);
    if (r == 0)
        r = cgroup_make(&wish, &l->cgroup, e);
    if (r == 0)
        r = native_make_agent(l, &inside, e);
    if (r == 0)
        r = native_start_container(l, inside, e);
    native_start_undone(l);
    root_lowers_close(&l->lowers);
    root_lent_close(&l->lent);
    l->snapshot = fd_close(l->snapshot);
    return r;
}

static int native_start(struct launch *l, struct launch_streams *ret_streams, struct error *e)
{
    l->status = -1;
    l->agent_closed = l->ended = l->frozen = false;
    l->why[0] = '\0';
    struct error mine;
    int r = native_make(l, &mine);
    if (r < 0) {
        launch_own_failure(&mine);
    } else {
        pid_t pid;
        r = agent_host_wait_started(l->agent, NATIVE_START_MS, ret_streams, &pid, &mine);
        if (r == 0)
            return 0;
    }
    native_end(l, NULL);
    struct error ignored;
    native_clean(l, &ignored);
    *e = mine;
    return -mine.code;
}

/* --- while it runs --------------------------------------------------------------------------- */

static size_t native_watch(const struct launch *l, int fds[4])
{
    size_t count = 0;
    if (l->agent && !l->agent_closed)
        fds[count++] = agent_host_fd(l->agent);
    if (l->pidfd >= 0 && !l->ended)
        fds[count++] = l->pidfd;
    return count;
}

static pid_t native_pid(const struct launch *l)
{
    return l->pid;
}

static int native_running(const struct launch *l, struct error *e)
{
    return l->pid > 0 && !l->agent_closed ? 0 : error_set(e, ESRCH, "it is not running");
}

static int native_exec(struct launch *l, uint32_t console, const struct launch_exec *x,
                       struct error *e)
{
    int r = native_running(l, e);
    if (r == 0 && x->cwd)
        r = root_check_cwd(x->cwd, e);
    return r < 0 ? r : agent_start_exec(l->agent, l->plan, console, x, e);
}

static int native_signal(struct launch *l, uint32_t console, int signo, struct error *e)
{
    int r = native_running(l, e);
    return r < 0 ? r : agent_host_signal(l->agent, console, signo, e);
}

static int native_copy_in(struct launch *l, uint32_t transfer, const char *path, int fd,
                          struct error *e)
{
    autoclose int mine = fd;
    int r = native_running(l, e);
    return r < 0 ? r : agent_host_copy_in(l->agent, transfer, path, TAKE_FD(mine), e);
}

static int native_copy_out(struct launch *l, uint32_t transfer, const char *path, int fd,
                           struct error *e)
{
    autoclose int mine = fd;
    int r = native_running(l, e);
    return r < 0 ? r : agent_host_copy_out(l->agent, transfer, path, TAKE_FD(mine), e);
}

static int native_freeze(struct launch *l, bool frozen, struct error *e)
{
    int r = native_running(l, e);
    if (r < 0)
        return r;
    r = cgroup_freeze(l->cgroup, frozen, e);
    if (r == -EOPNOTSUPP)
        return agent_host_freeze(l->agent, frozen, e);
    l->frozen = frozen || r < 0;
    return r;
}

static int native_sample(struct launch *l, struct launch_sample *ret)
{
    int r = l->cgroup ? cgroup_sample(l->cgroup, ret) : -ENODATA;
    if (r == 0)
        net_translator_sample(&l->net, &ret->network_in, &ret->network_out);
    return r;
}

/* PID 1 takes everything inside with it; the control group also gets what is still being born. */
static int native_kill(struct launch *l, struct error *e)
{
    if (l->pid <= 0)
        return 0;
    struct error ignored;
    cgroup_kill(l->cgroup, &ignored);
    if (syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        return error_errno(e, errno, "killing PID 1");
    native_thaw(l);
    return 0;
}

static int native_update(struct launch *l, const struct launch_limits *x, struct error *e)
{
    return cgroup_update(l->cgroup, &l->plan->limits, x, e);
}

static int native_changes(const struct launch *l)
{
    return l->scratch;
}

/* Files only, which who asks copies; what that costs has to be counted by them as well. */
static unsigned native_snapshots(const struct launch *l, uint64_t ret_cost[2])
{
    ret_cost[0] = ret_cost[1] = UINT64_MAX;
    return l->scratch >= 0 && !l->plan->read_only ? LAUNCH_SNAPSHOT_FILES : 0;
}

/* The control group's parents, to remove it; the ids folder, to give the range back. */
static size_t native_reach(const struct launch *l, struct launch_reach *ret, size_t most,
                           bool *ret_proc)
{
    return cgroup_reach(l->cgroup, ret, most, ret_proc);
}

static char *const *native_shortfalls(const struct launch *l)
{
    static char *const none[] = {NULL};
    return l->shortfalls ? l->shortfalls : none;
}

/* --- after the end --------------------------------------------------------------------------- */

static int native_clean(struct launch *l, struct error *e)
{
    native_end(l, NULL);
    net_translator_end(&l->net);
    int r = cgroup_end(&l->cgroup, e);
    root_ids_release(&l->ids);
    agent_host_free(l->agent);
    l->agent = NULL;
    l->agent_closed = true;
    l->pidfd = fd_close(l->pidfd);
    return r;
}

static void native_free(struct launch *l)
{
    if (!l)
        return;
    struct error ignored;
    native_clean(l, &ignored);
    cgroup_free(l->cgroup);
    fd_close(l->scratch);
    fd_close(l->mounts);
    seccomp_program_done(&l->filter);
    strv_free(l->shortfalls);
    free(l->command);
    plan_free(l->plan);
    free(l);
}

const struct launch_ops native_launch_ops = {
    .name = "native",
    .foresee = native_foresee,
    .open = native_open,
    .wishes = native_wishes,
    .start = native_start,
    .watch = native_watch,
    .dispatch = native_dispatch,
    .pid = native_pid,
    .exec = native_exec,
    .signal = native_signal,
    .copy_in = native_copy_in,
    .copy_out = native_copy_out,
    .freeze = native_freeze,
    .sample = native_sample,
    .kill = native_kill,
    .update = native_update,
    .changes = native_changes,
    .snapshots = native_snapshots,
    .shortfalls = native_shortfalls,
    .reach = native_reach,
    .clean = native_clean,
    .free = native_free,
};
