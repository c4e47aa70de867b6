/* A workload behind an OCI runtime as the monitor drives it. */
#include "backends/oci/internal.h"
#include "backends/oci/oci.h"

#include "backends/agent/agent_streams.h"
#include "backends/root/check.h"
#include "backends/root/snapshot.h"
#include "base/fd.h"
#include "base/loop.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OCI_ANSWER_MS = 12000 };

static int oci_clean(struct launch *l, struct error *e);
static void oci_free(struct launch *l);

static void oci_make_wishes(struct launch *l)
{
    const struct plan *p = l->whole;
    l->command = strv_join(p->argv, " ");
    l->wishes = (struct launch_wishes){
        .id = p->id,
        .name = p->name,
        .profile = p->profile,
        .boundary = plan_boundary_name(p->boundary),
        .runtime = p->runtime,
        .image = p->image,
        .command = l->command,
        .labels = p->labels,
        .terminal = p->terminal,
        .scrollback = p->scrollback,
        .record = p->record,
        .time_limit_ms = p->time_limit_ms,
        .idle_limit_ms = p->idle_limit_ms,
        .stop_signal = p->stop_signal,
        .stop_grace_ms = p->stop_grace_ms,
        .restart_most = p->restart_most,
        .snapshot = p->snapshot,
        .snapshot_on_exit = p->snapshot_on_exit,
        /* the same names in the same order */
        .keep = (int)p->keep,
        .restart = (int)p->restart,
    };
    _Static_assert((int)PLAN_KEEP_ALWAYS == (int)LAUNCH_KEEP_ALWAYS &&
                       (int)PLAN_KEEP_ON_FAILURE == (int)LAUNCH_KEEP_ON_FAILURE &&
                       (int)PLAN_RESTART_ALWAYS == (int)LAUNCH_RESTART_ALWAYS &&
                       (int)PLAN_RESTART_ON_FAILURE == (int)LAUNCH_RESTART_ON_FAILURE,
                   "one enum is the other");
}

static int oci_open(const char *plan, size_t size, const struct launch_env *env,
                    struct launch **ret, struct error *e)
{
    struct launch *l = NEW(struct launch);
    l->env = *env;
    l->pidfd = l->control = l->scratch = l->snapshot = FD_NONE;
    l->status = -1;
    root_ids_init(&l->ids);
    int r = plan_from_json(plan, size, &l->whole, e);
    if (r == 0)
        r = root_check_plan(l->whole, e);
    if (r == 0)
        r = plan_from_json(plan, size, &l->plan, e);
    if (r < 0) {
        oci_free(l);
        return r;
    }
    l->kind = oci_kind_of(l->whole->runtime);
    oci_lower_limits(l->whole);
    oci_share_plan(l->plan, l->kind);
    oci_make_wishes(l);
    *ret = l;
    return 0;
}

static const struct launch_wishes *oci_wishes(const struct launch *l)
{
    return &l->wishes;
}

/* gVisor refuses to restore for one that is not root in its own namespace. */
static bool oci_keeps_memory(const struct launch *l)
{
    return l->kind == OCI_RUNSC &&
           root_ids_outside(l->plan->uid_map, l->plan->uid_map_count, 0, NULL);
}

static int oci_open_snapshot(struct launch *l, struct error *e)
{
    bool memory = l->plan->snapshot_kind == PLAN_SNAPSHOT_MEMORY;
    if (memory && !oci_keeps_memory(l))
        return error_set(e, ENOTSUP, "%s starts from no memory%s", l->whole->runtime,
                         l->kind == OCI_RUNSC ? " without an id 0 inside: isolation.user = root"
                                              : "");
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
    l->status = -1;
    l->ended = l->silent = l->frozen = false;
    l->why[0] = '\0';
    int r = oci_make(l, ret_streams, &mine);
    if (r == 0)
        return 0;
    /* what set-up lacks is our failure; of the command PID 1 speaks, inside */
    if (mine.code == ENOENT || mine.code == EACCES || mine.code == ENOEXEC)
        mine.code = EIO;
    struct error ignored;
    oci_clean(l, &ignored);
    *e = mine;
    return -mine.code;
}

/* --- while it runs ------------------------------------------------------------------------------
 */

static size_t oci_watch(const struct launch *l, int fds[4])
{
    size_t count = 0;
    if (l->control >= 0 && !l->silent)
        fds[count++] = l->control;
    if (l->pidfd >= 0 && !l->ended)
        fds[count++] = l->pidfd;
    return count;
}

static void oci_event_started(struct oci_late *m, const struct launch_events *events, void *data)
{
    struct launch_streams s;
    struct error e;
    if (agent_streams_check(m->fds, m->count, m->count == 1, &s) < 0) {
        error_set(&e, EPROTO, "the runtime's streams are none");
        events->failed(data, m->message.number, &e);
        return;
    }
    m->count = 0; /* the receiver's now */
    events->started(data, m->message.number, m->message.value, &s);
}

static void oci_event(struct launch *l, struct oci_late *m, const struct launch_events *events,
                      void *data)
{
    const struct hands_message *h = &m->message;
    switch ((enum hands_word)h->word) {
    case HANDS_STARTED:
        oci_event_started(m, events, data);
        break;
    case HANDS_FAILED:
        events->failed(data, h->number, &h->error);
        break;
    case HANDS_EXITED:
        if (h->number == 0)
            l->status = h->value;
        events->exited(data, h->number, h->value);
        break;
    case HANDS_COPIED:
        events->copy_done(data, h->number, h->error.code ? &h->error : NULL);
        break;
    case HANDS_SNAPPED:
        if (events->snapshot_done)
            events->snapshot_done(data, h->number, h->error.code ? &h->error : NULL);
        break;
    case HANDS_SNAPSHOT:
    case HANDS_PAUSED: /* nobody waits for it any more */
    case HANDS_EXEC:
    case HANDS_SIGNAL:
    case HANDS_COPY_IN:
    case HANDS_COPY_OUT:
    case HANDS_PAUSE:
        break;
    }
    oci_late_done(m);
}

static void oci_dispatch(struct launch *l, const struct launch_events *events, void *data)
{
    while (l->late) {
        struct oci_late *m = l->late;
        l->late = m->next;
        oci_event(l, m, events, data);
        free(m);
    }
    int status = 0;
    struct rusage usage;
    bool over = l->pid > 0 && wait4(l->pid, &status, WNOHANG | __WALL, &usage) == l->pid;
    struct oci_late m;
    while (oci_receive(l, false, &m) > 0)
        oci_event(l, &m, events, data);
    if (!over)
        return;
    cgroup_note_usage(l->cgroup, &usage);
    l->pid = 0;
    l->silent = l->ended = true;
    bool killed = WIFSIGNALED(status);
    int result = l->status >= 0 ? l->status : killed ? 128 + WTERMSIG(status) : 125;
    events->ended(data, result, l->status < 0 && !killed ? "the runtime ended unasked" : NULL);
}

static pid_t oci_pid(const struct launch *l)
{
    return l->pid;
}

static int oci_ask(struct launch *l, const void *packet, size_t size, int fd, struct error *e)
{
    if (l->pid <= 0 || l->silent)
        return error_set(e, ESRCH, "it is not running");
    int r = fd_send(l->control, packet, size, &fd, fd >= 0 ? 1 : 0);
    if (r == -EAGAIN)
        return error_set(e, EBUSY, "too much is asked of it at once");
    return r < 0 ? error_errno(e, -r, "asking for it") : 0;
}

static void oci_add_strings(struct buf *b, char *const *v)
{
    for (; v && *v; v++)
        buf_add(b, *v, strlen(*v) + 1);
}

static int oci_exec(struct launch *l, uint32_t console, const struct launch_exec *x,
                    struct error *e)
{
    int r = x->cwd ? root_check_cwd(x->cwd, e) : 0;
    if (r < 0)
        return r;
    const struct hands_message m = {.word = HANDS_EXEC, .number = console};
    const struct hands_exec head = {
        .argc = (uint32_t)strv_length(x->argv),
        .envc = (uint32_t)strv_length(x->env),
        .rows = x->rows,
        .cols = x->cols,
        .terminal = x->terminal,
    };
    const char *cwd = x->cwd ? x->cwd : "", *user = x->user ? x->user : "";
    autobuf b = {0};
    buf_add(&b, &m, sizeof(m));
    buf_add(&b, &head, sizeof(head));
    buf_add(&b, cwd, strlen(cwd) + 1);
    buf_add(&b, user, strlen(user) + 1);
    oci_add_strings(&b, x->argv);
    oci_add_strings(&b, x->env);
    if (b.used > HANDS_PACKET_MAX)
        return error_set(e, E2BIG, "the command and its environment are too long");
    return oci_ask(l, b.data, b.used, FD_NONE, e);
}

static int oci_signal(struct launch *l, uint32_t console, int signo, struct error *e)
{
    const struct hands_message m = {.word = HANDS_SIGNAL, .number = console, .value = signo};
    return oci_ask(l, &m, sizeof(m), FD_NONE, e);
}

static int oci_copy(struct launch *l, enum hands_word word, uint32_t transfer, const char *path,
                    int fd, struct error *e)
{
    autoclose int mine = fd;
    const struct hands_message m = {.word = word, .number = transfer};
    autobuf b = {0};
    buf_add(&b, &m, sizeof(m));
    buf_add(&b, path, strlen(path) + 1);
    return oci_ask(l, b.data, b.used, mine, e);
}

static int oci_copy_in(struct launch *l, uint32_t transfer, const char *path, int fd,
                       struct error *e)
{
    return oci_copy(l, HANDS_COPY_IN, transfer, path, fd, e);
}

static int oci_copy_out(struct launch *l, uint32_t transfer, const char *path, int fd,
                        struct error *e)
{
    return oci_copy(l, HANDS_COPY_OUT, transfer, path, fd, e);
}

/* Everything else that comes meanwhile is kept for dispatch(). */
static int oci_pause_by_hand(struct launch *l, bool frozen, struct error *e)
{
    const struct hands_message m = {.word = HANDS_PAUSE, .value = frozen};
    int r = oci_ask(l, &m, sizeof(m), FD_NONE, e);
    uint64_t end = loop_now_ms() + OCI_ANSWER_MS;
    struct oci_late **last = &l->late;
    while (*last)
        last = &(*last)->next;
    while (r == 0 && loop_now_ms() < end) {
        struct oci_late got;
        int n = oci_receive(l, true, &got);
        if (n < 0)
            return error_set(e, ESRCH, "it has just ended");
        if (n == 0)
            continue;
        if (got.message.word == HANDS_PAUSED) {
            if (got.message.error.code)
                *e = got.message.error;
            return -got.message.error.code;
        }
        *last = NEW(struct oci_late);
        **last = got;
        (*last)->next = NULL;
        last = &(*last)->next;
    }
    return r < 0 ? r : error_set(e, ETIMEDOUT, "%s does not answer", l->whole->runtime);
}

static int oci_freeze(struct launch *l, bool frozen, struct error *e)
{
    int r = cgroup_freeze(l->cgroup, frozen, e);
    if (r == -EOPNOTSUPP)
        return oci_pause_by_hand(l, frozen, e);
    l->frozen = frozen || r < 0;
    return r;
}

static int oci_sample(struct launch *l, struct launch_sample *ret)
{
    return l->cgroup ? cgroup_sample(l->cgroup, ret) : -ENODATA;
}

static int oci_kill(struct launch *l, struct error *e)
{
    struct error ignored;
    if (l->pid <= 0)
        return 0;
    cgroup_kill(l->cgroup, &ignored);
    if (syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        return error_errno(e, errno, "killing it");
    if (l->frozen)
        cgroup_freeze(l->cgroup, false, &ignored);
    l->frozen = false;
    return 0;
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
    const struct hands_message m = {.word = HANDS_SNAPSHOT, .number = request};
    if (s->kind != LAUNCH_SNAPSHOT_MEMORY)
        return error_set(e, ENOTSUP, "files alone are copied by who asks");
    if (l->frozen)
        return error_set(e, EBUSY, "it is paused; resume it first");
    return oci_ask(l, &m, sizeof(m), dir, e);
}

static size_t oci_reach(const struct launch *l, struct launch_reach *ret, size_t most,
                        bool *ret_proc)
{
    int parents[CGROUP_JOINS_MAX + 1];
    size_t count = cgroup_parents(l->cgroup, parents, MIN(most, ARRAY_SIZE(parents)));
    for (size_t i = 0; i < count; i++)
        ret[i] = (struct launch_reach){.fd = parents[i], .how = LAUNCH_REACH_REMOVE};
    *ret_proc = cgroup_reads_proc(l->cgroup);
    return count;
}

static char *const *oci_shortfalls(const struct launch *l)
{
    static char *const none[] = {NULL};
    return l->shortfalls ? l->shortfalls : none;
}

static int oci_clean(struct launch *l, struct error *e)
{
    oci_end(l, NULL);
    int r = l->cgroup ? cgroup_clean(l->cgroup, e) : 0;
    if (r == 0) {
        cgroup_free(l->cgroup);
        l->cgroup = NULL;
    }
    root_ids_release(&l->ids);
    while (l->late) {
        struct oci_late *m = l->late;
        l->late = m->next;
        oci_late_done(m);
        free(m);
    }
    l->silent = true;
    l->control = fd_close(l->control);
    l->pidfd = fd_close(l->pidfd);
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
    plan_free(l->plan);
    plan_free(l->whole);
    free(l);
}

const struct launch_ops oci_launch_ops = {
    .name = "oci",
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
    .changes = oci_changes,
    .snapshots = oci_snapshots,
    .snapshot = oci_snapshot,
    .shortfalls = oci_shortfalls,
    .reach = oci_reach,
    .clean = oci_clean,
    .free = oci_free,
};
