/* The monitor's half: what it asks of its own process beside a workload, and what it hears. */
#include "backends/hands/remote.h"

#include "backends/agent/agent_streams.h"
#include "backends/root/check.h"
#include "base/fd.h"
#include "base/loop.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REMOTE_ANSWER_MS = 12000 };

static void remote_late_done(struct remote_late *m)
{
    for (size_t i = 0; i < m->count; i++)
        fd_close(m->fds[i]);
    m->count = 0;
}
void remote_init(struct remote *l, const char *name)
{
    *l = (struct remote){.name = name, .pidfd = FD_NONE, .control = FD_NONE, .status = -1};
}

void remote_begin(struct remote *l)
{
    l->status = -1;
    l->why.code = 0;
    l->ended = l->silent = l->counts_refused = false;
    memset(l->refused, 0, sizeof(l->refused));
}

void remote_close(struct remote *l)
{
    while (l->late) {
        struct remote_late *m = l->late;
        l->late = m->next;
        remote_late_done(m);
        free(m);
    }
    l->silent = true;
    l->control = fd_close(l->control);
    l->pidfd = fd_close(l->pidfd);
}

int remote_kill(struct remote *l, struct error *e)
{
    if (syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        return error_errno(e, errno, "killing it");
    return 0;
}

void remote_see_off(struct remote *l, struct cgroup *cgroup, int *ret_status)
{
    struct rusage usage;
    int status = 0;
    pid_t got;
    do
        got = wait4(l->pid, &status, __WALL, &usage);
    while (got < 0 && errno == EINTR);
    if (got == l->pid)
        cgroup_note_usage(cgroup, &usage);
    l->pid = 0;
    if (ret_status)
        *ret_status = status;
}

static int remote_receive(struct remote *l, bool wait, struct remote_late *ret)
{
    if (l->silent || l->control < 0)
        return -EPIPE;
    struct pollfd p = {.fd = l->control, .events = POLLIN};
    if (wait)
        poll(&p, 1, 100);
    size_t count = ARRAY_SIZE(ret->fds);
    ssize_t n = fd_receive(l->control, &ret->message, sizeof(ret->message), ret->fds, &count);
    if (n == -EAGAIN || n == -EINTR)
        return 0;
    ret->count = n > 0 ? count : 0;
    if (n == (ssize_t)sizeof(ret->message)) {
        ret->message.error.text[sizeof(ret->message.error.text) - 1] = '\0';
        return 1;
    }
    if (n > 0)
        remote_late_done(ret);
    l->silent = true;
    return -EPIPE;
}

size_t remote_watch(const struct remote *l, int fds[4])
{
    size_t count = 0;
    if (l->control >= 0 && !l->silent)
        fds[count++] = l->control;
    if (l->pidfd >= 0 && !l->ended)
        fds[count++] = l->pidfd;
    return count;
}

static void remote_event_started(struct remote_late *m, const struct launch_events *events,
                                 void *data)
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

void remote_note_refused(struct remote *l, const struct hands_message *m)
{
    if (m->number == HANDS_ALL)
        l->counts_refused = true;
    else if (m->number < HANDS_CALLS_END && m->value > 0)
        l->refused[m->number] = (uint32_t)m->value;
}

size_t remote_refused(const struct remote *l, const uint32_t **ret)
{
    *ret = l->refused;
    return l->counts_refused ? HANDS_CALLS_END : 0;
}

static void remote_event(struct remote *l, struct remote_late *m,
                         const struct launch_events *events, void *data)
{
    const struct hands_message *h = &m->message;
    switch ((enum hands_word)h->word) {
    case HANDS_STARTED:
        remote_event_started(m, events, data);
        break;
    case HANDS_FAILED:
        events->failed(data, h->number, &h->error);
        break;
    case HANDS_EXITED:
        if (h->number == 0)
            l->status = h->value;
        if (h->number == 0 && h->error.code) {
            l->why = h->error; /* told with the end of all, which comes at once */
            break;
        }
        events->exited(data, h->number, h->value);
        break;
    case HANDS_COPIED:
        events->copy_done(data, h->number, h->error.code ? &h->error : NULL);
        break;
    case HANDS_SNAPPED:
        if (events->snapshot_done)
            events->snapshot_done(data, h->number, h->error.code ? &h->error : NULL);
        break;
    case HANDS_REFUSED:
        remote_note_refused(l, h);
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
    remote_late_done(m);
}

void remote_dispatch(struct remote *l, struct cgroup *cgroup, const struct launch_events *events,
                     void *data)
{
    while (l->late) {
        struct remote_late *m = l->late;
        l->late = m->next;
        remote_event(l, m, events, data);
        free(m);
    }
    int status = 0;
    struct rusage usage;
    bool over = l->pid > 0 && wait4(l->pid, &status, WNOHANG | __WALL, &usage) == l->pid;
    struct remote_late m;
    while (remote_receive(l, false, &m) > 0)
        remote_event(l, &m, events, data);
    if (!over)
        return;
    cgroup_note_usage(cgroup, &usage);
    l->pid = 0;
    l->last = status;
    l->silent = l->ended = true;
    bool killed = WIFSIGNALED(status);
    int result = l->status >= 0 ? l->status : killed ? 128 + WTERMSIG(status) : 125;
    struct launch_sample s = {0};
    bool full = l->why.code && cgroup && cgroup_sample(cgroup, &s) == 0 && s.oom_kills &&
                s.oom_kills != UINT64_MAX; /* the monitor's own words then */
    events->ended(data, result,
                  l->why.code && !full       ? l->why.text
                  : l->status < 0 && !killed ? "the runtime ended unasked"
                                             : NULL);
}

static int remote_ask(struct remote *l, const void *packet, size_t size, int fd, struct error *e)
{
    if (l->pid <= 0 || l->silent)
        return error_set(e, ESRCH, "it is not running");
    int r = fd_send(l->control, packet, size, &fd, fd >= 0 ? 1 : 0);
    if (r == -EAGAIN)
        return error_set(e, EBUSY, "too much is asked of it at once");
    return r < 0 ? error_errno(e, -r, "asking for it") : 0;
}

static void remote_add_strings(struct buf *b, char *const *v)
{
    for (; v && *v; v++)
        buf_add(b, *v, strlen(*v) + 1);
}

int remote_exec(struct remote *l, uint32_t console, const struct launch_exec *x, struct error *e)
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
    remote_add_strings(&b, x->argv);
    remote_add_strings(&b, x->env);
    if (b.used > HANDS_PACKET_MAX)
        return error_set(e, E2BIG, "the command and its environment are too long");
    return remote_ask(l, b.data, b.used, FD_NONE, e);
}

int remote_signal(struct remote *l, uint32_t console, int signo, struct error *e)
{
    const struct hands_message m = {.word = HANDS_SIGNAL, .number = console, .value = signo};
    return remote_ask(l, &m, sizeof(m), FD_NONE, e);
}

int remote_copy(struct remote *l, enum hands_word word, uint32_t transfer, const char *path, int fd,
                struct error *e)
{
    autoclose int mine = fd;
    const struct hands_message m = {.word = word, .number = transfer};
    autobuf b = {0};
    buf_add(&b, &m, sizeof(m));
    if (path)
        buf_add(&b, path, strlen(path) + 1);
    return remote_ask(l, b.data, b.used, mine, e);
}

int remote_pause(struct remote *l, bool frozen, struct error *e)
{
    const struct hands_message m = {.word = HANDS_PAUSE, .value = frozen};
    int r = remote_ask(l, &m, sizeof(m), FD_NONE, e);
    uint64_t end = loop_now_ms() + REMOTE_ANSWER_MS;
    struct remote_late **last = &l->late;
    while (*last)
        last = &(*last)->next;
    while (r == 0 && loop_now_ms() < end) {
        struct remote_late got;
        int n = remote_receive(l, true, &got);
        if (n < 0)
            return error_set(e, ESRCH, "it has just ended");
        if (n == 0)
            continue;
        if (got.message.word == HANDS_PAUSED) {
            if (got.message.error.code)
                *e = got.message.error;
            return -got.message.error.code;
        }
        *last = NEW(struct remote_late);
        **last = got;
        (*last)->next = NULL;
        last = &(*last)->next;
    }
    return r < 0 ? r : error_set(e, ETIMEDOUT, "%s does not answer", l->name);
}
