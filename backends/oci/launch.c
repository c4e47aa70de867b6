/* A workload behind an OCI runtime as the monitor drives it. */
#include "backends/oci/internal.h"
#include "backends/oci/oci.h"

#include "backends/planned.h"
#include "backends/root/check.h"
#include "backends/root/snapshot.h"
#include "base/fd.h"

#include <string.h>
#include <unistd.h>

static int oci_clean(struct launch *l, struct error *e);
static void oci_free(struct launch *l);

static int oci_open_filter(struct launch *l, struct error *e)
{
    if (!l->whole->seccomp || l->kind != OCI_RUNSC)
        return 0;
    if (l->env.filter < 0)
        return error_set(e, ENOENT, "the system call filter is missing");
    return seccomp_cache_read(l->env.filter, l->whole, &l->filter, e);
}

static int oci_open(const char *plan, size_t size, const struct launch_env *env,
                    struct launch **ret, struct error *e)
{
    struct launch *l = NEW(struct launch);
    l->env = *env;
    remote_init(&l->far, "the runtime");
    l->scratch = l->snapshot = FD_NONE;
    root_ids_init(&l->ids);
    net_translator_init(&l->net);
    int r = plan_from_json(plan, size, &l->whole, e);
    if (r == 0)
        r = root_check_plan(l->whole, e);
    if (r == 0)
        r = plan_from_json(plan, size, &l->plan, e);
    if (r < 0) {
        oci_free(l);
        return r;
    }
    l->far.name = l->whole->runtime;
    l->kind = oci_kind_of(l->whole->runtime);
    r = oci_open_filter(l, e);
    if (r < 0) {
        oci_free(l);
        return r;
    }
    oci_lower_limits(l->whole);
    oci_share_plan(l->plan, l->kind);
    l->command = strv_join(l->whole->argv, " ");
    planned_wishes(l->whole, l->command, &l->wishes);
    *ret = l;
    return 0;
}

static const struct launch_wishes *oci_wishes(const struct launch *l)
{
    return &l->wishes;
}

/*
 * gVisor refuses to restore for one that is not root in its own namespace; of a network that leads
 * out it would bring back what its peers have forgotten.
 */
static bool oci_keeps_memory(const struct launch *l)
{
    return l->kind == OCI_RUNSC && l->whole->network != PLAN_NETWORK_PRIVATE &&
           root_ids_outside(l->plan->uid_map, l->plan->uid_map_count, 0, NULL);
}

static int oci_open_snapshot(struct launch *l, struct error *e)
{
    bool memory = l->plan->snapshot_kind == PLAN_SNAPSHOT_MEMORY;
    if (memory && !oci_keeps_memory(l))
        return error_set(e, ENOTSUP, "%s starts from no memory%s", l->whole->runtime,
                         l->kind != OCI_RUNSC ? ""
                         : l->whole->network == PLAN_NETWORK_PRIVATE
                             ? " with a network that leads out: --network none"
                             : " without an id 0 inside: isolation.user = root");
    int fd = root_snapshot_open(l->plan, &l->ids, memory, e);
    if (fd < 0 && fd != FD_NONE)
        return fd;
    l->snapshot = fd;
    return 0;
}

static int oci_make(struct launch *l, struct launch_streams *ret, struct error *e)
{
    struct cgroup_wish wish = {
        .plan = l->whole, .journal = l->env.journal, .journal_data = l->env.journal_data};
    int r = root_ids_take(l->plan, &l->env, &l->ids, e);
    if (r == 0)
        r = cgroup_make(&wish, &l->cgroup, e);
    if (r == 0)
        r = root_lowers_open(l->plan, &l->ids, &l->lowers, e);
    if (r == 0)
        r = root_lent_open(l->plan, &l->ids, &l->lent, e);
    if (r == 0)
        r = oci_open_snapshot(l, e);
    if (r == 0)
        r = oci_start_workload(l, ret, e);
    root_lowers_close(&l->lowers);
    root_lent_close(&l->lent);
    l->snapshot = fd_close(l->snapshot);
    return r;
}

static int oci_start(struct launch *l, struct launch_streams *ret_streams, struct error *e)
{
    struct error mine;
    remote_begin(&l->far);
    l->frozen = false;
    int r = oci_make(l, ret_streams, &mine);
    if (r == 0)
        return 0;
    launch_own_failure(&mine); /* of the command PID 1 speaks, inside */
    struct error ignored;
    oci_clean(l, &ignored);
    *e = mine;
    return -mine.code;
}

/* --- while it runs ------------------------------------------------------------------------------
 */

static size_t oci_watch(const struct launch *l, int fds[4])
{
    return remote_watch(&l->far, fds);
}

static void oci_dispatch(struct launch *l, const struct launch_events *events, void *data)
{
    remote_dispatch(&l->far, l->cgroup, events, data);
}

static int oci_exec(struct launch *l, uint32_t console, const struct launch_exec *x,
                    struct error *e)
{
    return remote_exec(&l->far, console, x, e);
}

static int oci_signal(struct launch *l, uint32_t console, int signo, struct error *e)
{
    return remote_signal(&l->far, console, signo, e);
}

static int oci_copy_in(struct launch *l, uint32_t transfer, const char *path, int fd,
                       struct error *e)
{
    return remote_copy(&l->far, HANDS_COPY_IN, transfer, path, fd, e);
}

static int oci_copy_out(struct launch *l, uint32_t transfer, const char *path, int fd,
                        struct error *e)
{
    return remote_copy(&l->far, HANDS_COPY_OUT, transfer, path, fd, e);
}

static pid_t oci_pid(const struct launch *l)
{
    return l->far.pid;
}

static int oci_freeze(struct launch *l, bool frozen, struct error *e)
{
    int r = cgroup_freeze(l->cgroup, frozen, e);
    if (r == -EOPNOTSUPP)
        return remote_pause(&l->far, frozen, e);
    l->frozen = frozen || r < 0;
    return r;
}

static int oci_sample(struct launch *l, struct launch_sample *ret)
{
    int r = l->cgroup ? cgroup_sample(l->cgroup, ret) : -ENODATA;
    if (r == 0)
        net_translator_sample(&l->net, &ret->network_in, &ret->network_out);
    return r;
}

static int oci_kill(struct launch *l, struct error *e)
{
    struct error ignored;
    if (l->far.pid <= 0)
        return 0;
    cgroup_kill(l->cgroup, &ignored);
    int r = remote_kill(&l->far, e);
    if (r < 0)
        return r;
    if (l->frozen)
        cgroup_freeze(l->cgroup, false, &ignored);
    l->frozen = false;
    return 0;
}

static int oci_update(struct launch *l, const struct launch_limits *x, struct error *e)
{
    return cgroup_update(l->cgroup, &l->whole->limits, x, e);
}

static int oci_changes(const struct launch *l)
{
    return l->scratch;
}

static unsigned oci_snapshots(const struct launch *l, uint64_t ret_cost[2])
{
    struct launch_sample s;
    ret_cost[0] = ret_cost[1] = UINT64_MAX;
    if (l->scratch < 0 || l->whole->read_only)
        return 0;
    if (!oci_keeps_memory(l))
        return LAUNCH_SNAPSHOT_FILES;
    if (l->cgroup && cgroup_sample(l->cgroup, &s) == 0)
        ret_cost[1] = s.memory;
    return LAUNCH_SNAPSHOT_FILES | LAUNCH_SNAPSHOT_MEMORY;
}

static int oci_snapshot(struct launch *l, uint32_t request, const struct launch_snapshot *s,
                        struct error *e)
{
    autoclose int dir = s->dir;
    if (s->kind != LAUNCH_SNAPSHOT_MEMORY)
        return error_set(e, ENOTSUP, "files alone are copied by who asks");
    if (l->frozen)
        return error_set(e, EBUSY, "it is paused; resume it first");
    return remote_copy(&l->far, HANDS_SNAPSHOT, request, NULL, TAKE_FD(dir), e);
}

static size_t oci_reach(const struct launch *l, struct launch_reach *ret, size_t most,
                        bool *ret_proc)
{
    return cgroup_reach(l->cgroup, ret, most, ret_proc);
}

static size_t oci_refused(const struct launch *l, const uint32_t **ret)
{
    return remote_refused(&l->far, ret);
}

static char *const *oci_shortfalls(const struct launch *l)
{
    static char *const none[] = {NULL};
    return l->shortfalls ? l->shortfalls : none;
}

static int oci_clean(struct launch *l, struct error *e)
{
    oci_end(l, NULL);
    net_translator_end(&l->net);
    int r = cgroup_end(&l->cgroup, e);
    root_ids_release(&l->ids);
    remote_close(&l->far);
    return r;
}

static void oci_free(struct launch *l)
{
    if (!l)
        return;
    struct error ignored;
    oci_clean(l, &ignored);
    cgroup_free(l->cgroup);
    fd_close(l->scratch);
    strv_free(l->shortfalls);
    free(l->command);
    free(l->config);
    seccomp_program_done(&l->filter);
    plan_free(l->plan);
    plan_free(l->whole);
    free(l);
}

const struct launch_ops oci_launch_ops = {
    .name = "oci",
    .init = "cofferdam-init-readable",
    .open = oci_open,
    .wishes = oci_wishes,
    .start = oci_start,
    .watch = oci_watch,
    .dispatch = oci_dispatch,
    .pid = oci_pid,
    .exec = oci_exec,
    .signal = oci_signal,
    .copy_in = oci_copy_in,
    .copy_out = oci_copy_out,
    .freeze = oci_freeze,
    .sample = oci_sample,
    .kill = oci_kill,
    .update = oci_update,
    .changes = oci_changes,
    .snapshots = oci_snapshots,
    .snapshot = oci_snapshot,
    .refused = oci_refused,
    .shortfalls = oci_shortfalls,
    .reach = oci_reach,
    .clean = oci_clean,
    .free = oci_free,
};
