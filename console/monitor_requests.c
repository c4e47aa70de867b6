/* What clients ask for. */
#include "base/fd.h"
#include "console/monitor_parts.h"

#include <fcntl.h>

static bool has_started(const struct monitor *m)
{
    return m->main && m->main->started;
}

/* For DONE at the end: stop, kill, wait. */
static void tell_end(struct peer *p)
{
    struct monitor *m = p->monitor;
    int32_t status = m->main->status;
    const char *reason = m->reason ? m->reason : "";
    link_put(&p->link, WIRE_EXITED, 0, 0, &status, sizeof(status), reason, strlen(reason));
}

static void await_end(struct peer *p, uint32_t request)
{
    if (p->monitor->finished) { /* it came while the door was closing */
        tell_end(p);
        peer_done(p, request, NULL);
        return;
    }
    if (p->pending_count == PENDING_MAX) {
        struct error e;
        error_set(&e, EBUSY, "this client waits for too much at once");
        peer_done(p, request, &e);
        return;
    }
    p->pending[p->pending_count++] = request;
    if (p->waits)
        return;
    p->waits = true;
    struct console *c = p->monitor->main;
    if (c->told && !view_find(c, p))
        tell_end(p);
}

static void answer(struct peer *p, uint32_t request, int r, const struct error *e)
{
    peer_done(p, request, r < 0 ? e : NULL);
}

static void on_attach(struct peer *p, const struct wire_frame *f, struct console *c)
{
    struct wire_attach a;
    wire_get(f, &a, sizeof(a));
    a.rows = MIN(MAX(a.rows, 1), WIRE_SIZE_MAX);
    a.cols = MIN(MAX(a.cols, 1), WIRE_SIZE_MAX);
    view_add(c, p, &a);
    if (c->started && c->starter != p) /* who started it has been told */
        link_put(&p->link, WIRE_STARTED, c->number, f->request, NULL, 0, NULL, 0);
    if (c->told) {
        int32_t status = c->status;
        if (c->terminal)
            terminal_show(c);
        link_put(&p->link, WIRE_EXITED, c->number, 0, &status, sizeof(status), NULL, 0);
    }
}

/* Requests about a console the client looks at. */
static void on_view(struct peer *p, const struct wire_frame *f, struct console *c, struct view *v)
{
    struct wire_size size;
    uint32_t stream;
    bool types = c->typist == v;
    switch ((int)f->type) {
    case WIRE_DETACH:
        view_remove(c, v);
        peer_done(p, f->request, NULL);
        return;
    case WIRE_TAKE_OVER:
        v->read_only = false;
        if (!types)
            console_give(c, v);
        return;
    case WIRE_INPUT:
        if (types)
            console_input(c, f->payload, f->size);
        return;
    case WIRE_INPUT_END:
        if (types)
            console_input_end(c);
        return;
    case WIRE_OUTPUT_CLOSED:
        wire_get(f, &stream, sizeof(stream));
        if (types && !c->terminal && (stream == 1 || stream == 2))
            stream_close(&c->out[stream - 1]);
        return;
    case WIRE_RESIZE:
        wire_get(f, &size, sizeof(size));
        v->rows = MIN(MAX(size.rows, 1), WIRE_SIZE_MAX);
        v->cols = MIN(MAX(size.cols, 1), WIRE_SIZE_MAX);
        if (types)
            console_resize(c, v->rows, v->cols);
        return;
    }
}

static void on_console(struct peer *p, const struct wire_frame *f)
{
    if (f->type == WIRE_INPUT)
        p->untaken += f->size;
    struct console *c = console_find(p->monitor, f->console);
    if (!c) {
        struct error e;
        error_set(&e, ENOENT, "there is no such console (any more)");
        if (f->type == WIRE_ATTACH)
            peer_fail(p, f->console, f->request, &e);
        return;
    }
    if (f->type == WIRE_ATTACH) {
        on_attach(p, f, c);
        return;
    }
    if (f->type == WIRE_ASK_HISTORY) {
        struct wire_range r;
        wire_get(f, &r, sizeof(r));
        terminal_send_history(c, p, f->request, r.first, r.count);
        return;
    }
    struct view *v = view_find(c, p);
    if (v)
        on_view(p, f, c, v);
}

static void on_exec(struct peer *p, const struct wire_frame *f)
{
    struct monitor *m = p->monitor;
    struct wire_command w;
    struct error e;
    if (wire_decode_exec(f, &w) < 0) {
        peer_kill(p);
        return;
    }
    uint32_t slot = 1;
    while (slot < CONSOLES_MAX && console_of_slot(m, slot))
        slot++;
    int r = 0;
    if (!m->ops->exec)
        r = error_set(&e, EOPNOTSUPP, "this boundary cannot run a further command");
    else if (!has_started(m) || m->main_exited || m->ended)
        r = error_set(&e, ESRCH, "the workload is not running");
    else if (m->paused)
        r = error_set(&e, EBUSY, "the workload is paused; resume it first");
    else if (slot == CONSOLES_MAX)
        r = error_set(&e, EBUSY, "%d commands run in it already", CONSOLES_MAX - 1);
    else if (!f->console || console_find(m, f->console))
        r = error_set(&e, EEXIST, "that console's number is taken");
    if (r < 0) {
        peer_fail(p, f->console, f->request, &e);
        return;
    }
    autofree char **argv = mem_zero(w.head.argc + 1, sizeof(char *));
    autofree char **env = mem_zero(w.head.envc + 1, sizeof(char *));
    const char *at = w.strings;
    for (uint32_t i = 0; i < w.head.argc; i++, at += strlen(at) + 1)
        argv[i] = (char *)at;
    for (uint32_t i = 0; i < w.head.envc; i++, at += strlen(at) + 1)
        env[i] = (char *)at;
    struct console *c = console_new(m, f->console, slot, w.head.terminal);
    autofree char *words = strv_join(argv, " ");
    c->command = str_escape_z(words);
    c->starter = p;
    c->request = f->request;
    c->rows = MIN(MAX(w.head.rows, 1), WIRE_SIZE_MAX);
    c->cols = MIN(MAX(w.head.cols, 1), WIRE_SIZE_MAX);
    struct wire_attach a = {c->rows, c->cols, false};
    view_add(c, p, &a);
    struct launch_exec x = {
        argv, env, *w.cwd ? w.cwd : NULL, *w.user ? w.user : NULL, c->terminal, c->rows, c->cols};
    if (m->ops->exec(m->launch, slot, &x, &e) < 0) {
        peer_fail(p, f->console, f->request, &e);
        console_free(c);
    }
}

uint32_t transfer_new(struct peer *p, uint32_t request)
{
    struct monitor *m = p->monitor;
    struct transfer *t = NEW(struct transfer);
    *t = (struct transfer){m->transfers, ++m->transfers_made, request, p};
    m->transfers = t;
    return t->number;
}

void transfer_drop(struct monitor *m, uint32_t number)
{
    for (struct transfer **at = &m->transfers; *at; at = &(*at)->next) {
        struct transfer *t = *at;
        if (t->number != number)
            continue;
        *at = t->next;
        free(t);
        return;
    }
}

static void on_copy(struct peer *p, const struct wire_frame *f, int fd)
{
    struct monitor *m = p->monitor;
    struct error e;
    autofree char *path = str_ndup(f->payload, f->size);
    bool in = f->type == WIRE_COPY_IN;
    if (in ? !m->ops->copy_in : !m->ops->copy_out)
        error_set(&e, EOPNOTSUPP, "this boundary cannot copy files while it runs");
    else if (!has_started(m) || m->ended)
        error_set(&e, ESRCH, "the workload is not running");
    else if (m->paused)
        error_set(&e, EBUSY, "the workload is paused; resume it first");
    else {
        uint32_t number = transfer_new(p, f->request);
        int own = TAKE_FD(fd);
        int r = in ? m->ops->copy_in(m->launch, number, path, own, &e)
                   : m->ops->copy_out(m->launch, number, path, own, &e);
        if (r == 0 && in) /* what is only read changes nothing */
            monitor_note(m, "copied into it: %s", path);
        if (r == 0)
            return;
        transfer_drop(m, number);
    }
    fd_close(fd);
    peer_done(p, f->request, &e);
}

/* What a guest has to be asked for comes as a list, not as a folder. */
static void ask_changes(struct peer *p, const struct wire_frame *f)
{
    struct monitor *m = p->monitor;
    struct error e;
    int r = 0;
    if (!has_started(m) || m->main_exited || m->ended)
        r = error_set(&e, ESRCH, "the workload is not running");
    else if (m->paused)
        r = error_set(&e, EBUSY, "the workload is paused; resume it first");
    if (r == 0) {
        r = m->ops->ask_changes(m->launch, transfer_new(p, f->request), &e);
        if (r < 0)
            transfer_drop(m, m->transfers_made);
    }
    if (r < 0)
        peer_done(p, f->request, &e);
}

static void on_changes(struct peer *p, const struct wire_frame *f)
{
    struct monitor *m = p->monitor;
    struct error e;
    if (m->ops->ask_changes) {
        ask_changes(p, f);
        return;
    }
    int fd = has_started(m) && m->ops->changes ? m->ops->changes(m->launch) : FD_NONE;
    int own = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : FD_NONE;
    if (own < 0)
        error_set(&e, ENOTSUP, "this boundary keeps no changes apart");
    else if (link_put_fd(&p->link, WIRE_DESCRIPTOR, f->request, NULL, 0, own) == 0)
        return;
    else
        error_set(&e, EBUSY, "too many descriptors are on their way");
    peer_done(p, f->request, &e);
}

static void on_log(struct peer *p, const struct wire_frame *f)
{
    struct wire_ask_log a;
    wire_get(f, &a, sizeof(a));
    p->log.active = true;
    p->log.follow = a.follow;
    p->log.kernel = a.which == 1;
    p->log.request = f->request;
    p->log.since_ms = a.since_ms;
    p->log.at = 0;
    struct console *c = p->monitor->main;
    p->log.line = c->terminal ? terminal_line_at(c, a.since_ms) : 0;
}

static void on_state(struct peer *p, const struct wire_frame *f)
{
    json_t *j = report_state(p->monitor);
    autofree char *text = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    if (text && strlen(text) <= WIRE_FRAME_MAX)
        link_put(&p->link, WIRE_STATE, 0, f->request, text, strlen(text), NULL, 0);
}

static void on_sample(struct peer *p, const struct wire_frame *f)
{
    struct wire_sample s;
    report_sample(p->monitor, &s);
    link_put(&p->link, WIRE_SAMPLE, 0, f->request, &s, sizeof(s), NULL, 0);
}

/* Requests about the workload as a whole. */
static void on_workload(struct peer *p, const struct wire_frame *f)
{
    struct monitor *m = p->monitor;
    struct error e;
    uint32_t number;
    int64_t grace;
    int r;
    switch ((int)f->type) {
    case WIRE_SIGNAL: {
        wire_get(f, &number, sizeof(number));
        struct console *c = console_find(m, f->console);
        bool begins = c && c != m->main && !c->started;
        if (!c || (!c->started && !begins) || c->exited)
            r = error_set(&e, ESRCH, "it is not running");
        else if (number < 1 || number > 64)
            r = error_set(&e, EINVAL, "there is no signal %u", number);
        else if (c->started)
            r = m->ops->signal(m->launch, c->slot, (int)number, &e);
        else
            r = error_set(&e, EAGAIN, "it has not begun yet; the signal is sent when it does");
        if (r == -EAGAIN && begins)
            c->signals_due |= UINT64_C(1) << (number - 1);
        answer(p, f->request, r, &e);
        return;
    }
    case WIRE_STOP:
        wire_get(f, &grace, sizeof(grace));
        if (life_stop(m, grace, "stopped", &e) < 0)
            peer_done(p, f->request, &e);
        else
            await_end(p, f->request);
        return;
    case WIRE_KILL:
        if (life_kill(m, "killed", &e) < 0)
            peer_done(p, f->request, &e);
        else
            await_end(p, f->request);
        return;
    case WIRE_PAUSE:
        wire_get(f, &number, sizeof(number));
        answer(p, f->request, life_pause(m, number, &e), &e);
        return;
    case WIRE_UPDATE: {
        struct wire_limits w;
        wire_get(f, &w, sizeof(w));
        const struct launch_limits x = {w.which, w.cpu_milli, w.memory, w.pids, w.io_weight, 0};
        answer(p, f->request, life_update(m, &x, &e), &e);
        return;
    }
    }
}

void request_handle(struct peer *p, const struct wire_frame *f, int fd)
{
    life_settle_state(p->monitor);
    switch (f->type) {
    case WIRE_ATTACH:
    case WIRE_DETACH:
    case WIRE_TAKE_OVER:
    case WIRE_INPUT:
    case WIRE_INPUT_END:
    case WIRE_OUTPUT_CLOSED:
    case WIRE_RESIZE:
    case WIRE_ASK_HISTORY:
        on_console(p, f);
        break;
    case WIRE_SIGNAL:
    case WIRE_STOP:
    case WIRE_KILL:
    case WIRE_PAUSE:
    case WIRE_UPDATE:
        on_workload(p, f);
        break;
    case WIRE_WAIT:
        await_end(p, f->request);
        break;
    case WIRE_ASK_STATE:
        on_state(p, f);
        break;
    case WIRE_ASK_SAMPLE:
        on_sample(p, f);
        break;
    case WIRE_ASK_LOG:
        on_log(p, f);
        break;
    case WIRE_ASK_CHANGES:
        on_changes(p, f);
        break;
    case WIRE_ASK_REPORT:
        p->wants_report = true;
        break;
    case WIRE_COPY_IN:
    case WIRE_COPY_OUT:
        on_copy(p, f, TAKE_FD(fd));
        break;
    case WIRE_EXEC:
        on_exec(p, f);
        break;
    case WIRE_HOLD:
        on_hold(p, f);
        break;
    case WIRE_SNAPSHOT:
        on_snapshot(p, f, TAKE_FD(fd));
        break;
    case WIRE_HELLO:
    case WIRE_SCREEN:
    case WIRE_LINES:
    case WIRE_HISTORY:
    case WIRE_STREAM:
    case WIRE_ROLE:
    case WIRE_STARTED:
    case WIRE_EXITED:
    case WIRE_FAILED:
    case WIRE_STATE:
    case WIRE_DONE:
    case WIRE_LOG:
    case WIRE_REPORT:
    case WIRE_DESCRIPTOR:
    case WIRE_INPUT_TAKEN:
    case WIRE_SAMPLE:
    case WIRE_TYPE_COUNT:
        peer_kill(p); /* a second HELLO; the decoder keeps the others out */
        break;
    }
    fd_close(fd);
}
