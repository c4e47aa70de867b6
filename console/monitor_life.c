/* How a workload is stopped, paused, limited, and how it ends. */
#include "base/fd.h"
#include "console/monitor_parts.h"

#include <signal.h>

enum {
    DEATH_MS = 5000,  /* from main's exit to that of its PID 1, and again after a kill */
    LINGER_MS = 2000, /* for viewers of screens; owners of streams are waited for */
    RESTART_MOST_MS = 60000,
    LIMIT_AGAIN_MS = 20,
    STATE_SOON_MS = 4,
};

/* --- events of the backend -------------------------------------------------------------------- */

static void on_started(void *data, uint32_t slot, pid_t pid, struct launch_streams *s)
{
    struct monitor *m = data;
    struct console *c = console_of_slot(m, slot);
    if (c && c == m->main && m->booting) {
        monitor_started(m, s);
        return;
    }
    if (c && !c->started) {
        console_start(c, s);
        return;
    }
    fd_close(s->terminal);
    fd_close(s->in);
    fd_close(s->out);
    fd_close(s->err);
}

static void on_failed(void *data, uint32_t slot, const struct error *e)
{
    struct monitor *m = data;
    struct console *c = console_of_slot(m, slot);
    if (c && c == m->main && m->booting) {
        m->booting = false;
        m->boot_error = *e;
    }
    if (!c || c == m->main)
        return;
    if (c->starter)
        peer_fail(c->starter, c->number, c->request, e);
    c->failed = true;
}

static void on_exited(void *data, uint32_t slot, int status)
{
    struct monitor *m = data;
    struct console *c = console_of_slot(m, slot);
    if (!c || c->exited)
        return;
    if (c == m->main) {
        m->main_exited = true;
        m->status = status;
        if (!m->ended)
            loop_timer_set(m->death, DEATH_MS);
    }
    console_exit(c, status);
}

static void on_copied(void *data, uint32_t number, const struct error *e)
{
    struct monitor *m = data;
    for (struct transfer *t = m->transfers; t; t = t->next)
        if (t->number == number) {
            if (t->peer)
                peer_done(t->peer, t->request, e);
            transfer_drop(m, number);
            return;
        }
}

static void on_changes_told(void *data, uint32_t number, const char *json, const struct error *e)
{
    struct monitor *m = data;
    for (struct transfer *t = m->transfers; t && json; t = t->next)
        if (t->number == number && t->peer)
            report_send(t->peer, json);
    on_copied(data, number, e);
}

static bool keeps(const struct monitor *m)
{
    switch (m->wishes->keep) {
    case LAUNCH_KEEP_NEVER:
        return false;
    case LAUNCH_KEEP_ON_FAILURE:
        return m->status != 0;
    case LAUNCH_KEEP_ALWAYS:
        return true;
    }
    return true;
}

static bool restarts(const struct monitor *m)
{
    const struct launch_wishes *w = m->wishes;
    if (m->spare < 0 || m->stopping || m->unkillable)
        return false;
    if (w->restart_most && m->setup->restarts >= w->restart_most)
        return false;
    switch (w->restart) {
    case LAUNCH_RESTART_NO:
        return false;
    case LAUNCH_RESTART_ON_FAILURE:
        return m->status != 0;
    case LAUNCH_RESTART_ALWAYS:
        return true;
    }
    return false;
}

static bool somebody_wants_report(const struct monitor *m)
{
    bool asked = false;
    for (struct peer *p = m->peers; p; p = p->next)
        asked |= p->wants_report && !p->dead;
    return asked;
}

static bool on_report_due(void *data)
{
    struct monitor *m = data;
    return keeps(m) || restarts(m) || somebody_wants_report(m);
}

static void on_ended(void *data, int status, const char *why)
{
    struct monitor *m = data;
    if (m->ended)
        return;
    m->ended = true;
    m->holder = NULL;
    m->held = false;
    if (why && !m->reason)
        m->reason = m->ended_why = str_escape_z(why);
    loop_timer_set(m->death, 0);
    if (!m->main_exited) {
        m->main_exited = true;
        m->status = status;
    }
    for (struct console *c = m->consoles; c; c = c->next)
        console_exit(c, c == m->main ? m->status : 128 + SIGKILL);
    struct error e;
    error_set(&e, ESRCH, "the workload has ended");
    while (m->transfers)
        on_copied(m, m->transfers->number, &e);
}

static void on_frozen(void *data, bool frozen)
{
    struct monitor *m = data;
    if (m->paused == frozen || m->ended || m->stopping || m->record.phase == STATE_STOPPING)
        return;
    m->paused = frozen;
    life_put_state(m, frozen ? STATE_PAUSED : STATE_RUNNING);
}

/* A guest may make it happen as often as it likes: once behind itself is enough. */
static void on_happened(void *data, const char *what)
{
    struct monitor *m = data;
    if (m->ended || monitor_noted_last(m, what))
        return;
    monitor_note(m, "%s", what);
    m->state_due = true;
    loop_timer_set(m->later, STATE_SOON_MS);
}

static void on_printed(void *data, const char *bytes, size_t size)
{
    struct monitor *m = data;
    console_log_add(&m->kernel, real_ms(), 1, bytes, size);
}

const struct launch_events life_events = {
    .started = on_started,
    .failed = on_failed,
    .exited = on_exited,
    .copy_done = on_copied,
    .snapshot_done = on_copied,
    .ended = on_ended,
    .frozen = on_frozen,
    .happened = on_happened,
    .changes_told = on_changes_told,
    .report_due = on_report_due,
    .printed = on_printed,
};

/* --- stop, kill, pause ------------------------------------------------------------------------ */

void life_put_state(struct monitor *m, enum state_phase phase)
{
    struct error e;
    m->record.phase = phase;
    monitor_note_phase(m, phase);
    m->state_due = false;
    state_writer_put(m->writer, &m->record, &e); /* a hint for others; nothing hangs on it */
}

void life_put_state_soon(struct monitor *m, enum state_phase phase)
{
    m->record.phase = phase;
    monitor_note_phase(m, phase);
    m->state_due = true;
    loop_timer_set(m->later, STATE_SOON_MS);
}

void life_settle_state(struct monitor *m)
{
    if (m->state_due && !m->ended)
        life_put_state(m, m->record.phase);
}

static int freeze(struct monitor *m, bool frozen, struct error *e)
{
    int r = m->ops->freeze(m->launch, frozen, e);
    if (r == 0)
        m->paused = frozen;
    return r;
}

int life_kill(struct monitor *m, const char *reason, struct error *e)
{
    if (m->ended) {
        m->stopping = true; /* it does not start again */
        return 0;
    }
    if (!m->main->started && !m->booting)
        return error_set(e, EAGAIN, "it is only just starting");
    if (!m->reason && !m->main_exited)
        m->reason = reason;
    m->killed = m->stopping = true;
    int r = m->ops->kill(m->launch, e);
    if (m->booting)
        return r;
    struct error ignored;
    hold_end(m, &ignored);
    if (m->paused)
        freeze(m, false, &ignored); /* a v1 freezer holds even what is killed */
    loop_timer_set(m->death, DEATH_MS);
    return r;
}

static void grace_over(struct loop_timer *t, void *data)
{
    struct monitor *m = data;
    struct error e;
    life_kill(m, m->reason, &e);
}

int life_stop(struct monitor *m, int64_t grace_ms, const char *reason, struct error *e)
{
    if (m->ended || m->main_exited || m->killed) {
        m->stopping = true;
        return 0;
    }
    if (m->booting) /* there is nobody inside yet who could be asked */
        return life_kill(m, reason, e);
    if (!m->main->started)
        return error_set(e, EAGAIN, "it is only just starting");
    uint64_t grace = grace_ms < 0 ? m->wishes->stop_grace_ms : (uint64_t)grace_ms;
    if (grace == 0)
        return life_kill(m, reason, e);
    if (!m->reason)
        m->reason = reason;
    bool first = !m->stopping;
    m->stopping = true;
    int r = m->ops->signal(m->launch, 0, m->wishes->stop_signal, e);
    if (r < 0)
        return life_kill(m, reason, e);
    if ((r = hold_end(m, e)) < 0 || (m->paused && (r = freeze(m, false, e)) < 0))
        return life_kill(m, reason, e);
    loop_timer_set(m->grace, grace);
    if (first)
        life_put_state(m, STATE_STOPPING);
    return 0;
}

int life_pause(struct monitor *m, bool paused, struct error *e)
{
    if (!m->ops->freeze)
        return error_set(e, EOPNOTSUPP, "this boundary cannot pause");
    if (m->ended || m->main_exited || !m->main->started)
        return error_set(e, ESRCH, "it is not running");
    if (m->stopping)
        return error_set(e, EBUSY, "it is being stopped");
    if (m->holder)
        return error_set(e, EBUSY, "a snapshot of it is being taken");
    if (m->paused == paused)
        return 0;
    int r = freeze(m, paused, e);
    if (r == 0)
        life_put_state(m, paused ? STATE_PAUSED : STATE_RUNNING);
    return r;
}

/* --- limits ----------------------------------------------------------------------------------- */

/* On a busy machine a limit may be over before the command has begun. */
static void limit_stop(struct loop_timer *t, struct monitor *m, const char *reason)
{
    struct error e;
    if (life_stop(m, -1, reason, &e) < 0)
        loop_timer_set(t, LIMIT_AGAIN_MS);
}

static void time_is_up(struct loop_timer *t, void *data)
{
    limit_stop(t, data, "time limit");
}

static void idle_check(struct loop_timer *t, void *data)
{
    struct monitor *m = data;
    uint64_t idle = loop_now_ms() - m->active_ms;
    if (m->paused)
        loop_timer_set(t, m->wishes->idle_limit_ms);
    else if (idle < m->wishes->idle_limit_ms)
        loop_timer_set(t, m->wishes->idle_limit_ms - idle);
    else
        limit_stop(t, m, "idle limit");
}

/* Main has exited, or was killed, and PID 1 is still there. */
static void death_is_late(struct loop_timer *t, void *data)
{
    struct monitor *m = data;
    struct error e;
    if (m->ended)
        return;
    if (!m->killed) {
        life_kill(m, m->reason, &e);
        return;
    }
    m->unkillable = true;
    on_ended(m, 128 + SIGKILL, "it could not be killed; some of it may run yet");
}

static void frame_due(struct loop_timer *t, void *data)
{
    ((struct monitor *)data)->frame_armed = false;
}

static void linger_over(struct loop_timer *t, void *data)
{
    struct monitor *m = data;
    for (struct peer *p = m->peers; p; p = p->next)
        if (m->main->terminal || !m->main->typist || m->main->typist->peer != p)
            peer_kill(p);
}

static void state_is_due(struct loop_timer *t, void *data)
{
    life_settle_state(data);
}

static void restart_due(struct loop_timer *t, void *data)
{
    struct monitor *m = data;
    m->restart_waits = false;
}

void life_begin(struct monitor *m)
{
    m->grace = loop_timer_new(m->loop, grace_over, m);
    m->death = loop_timer_new(m->loop, death_is_late, m);
    m->frame = loop_timer_new(m->loop, frame_due, m);
    m->linger = loop_timer_new(m->loop, linger_over, m);
    m->restart = loop_timer_new(m->loop, restart_due, m);
    m->later = loop_timer_new(m->loop, state_is_due, m);
}

void life_limit(struct monitor *m)
{
    if (m->wishes->time_limit_ms) {
        m->time_limit = loop_timer_new(m->loop, time_is_up, m);
        loop_timer_set(m->time_limit, m->wishes->time_limit_ms);
    }
    if (m->wishes->idle_limit_ms) {
        m->idle_limit = loop_timer_new(m->loop, idle_check, m);
        m->active_ms = loop_now_ms();
        loop_timer_set(m->idle_limit, m->wishes->idle_limit_ms);
    }
}

/* --- the end ---------------------------------------------------------------------------------- */

/* The last numbers, before the control group goes; why, if the kernel's memory killer was it. */
static void last_sample(struct monitor *m, bool wanted)
{
    bool suspicious = m->status == 128 + SIGKILL && !m->reason;
    if (!wanted && !suspicious)
        return;
    m->sampled = monitor_sample(m, &m->last) == 0;
    if (suspicious && m->sampled && m->last.oom_kills && m->last.oom_kills != UINT64_MAX)
        m->reason = "out of memory";
}

static void write_report(struct monitor *m, bool kept)
{
    if (!kept && !somebody_wants_report(m))
        return;
    last_sample(m, true);
    autofree char *text = report_make(m);
    struct error e;
    if (kept)
        state_writer_file(m->writer, "report", text, strlen(text), &e);
    for (struct peer *p = m->peers; p; p = p->next)
        if (p->wants_report && !p->dead)
            report_send(p, text);
}

/* What a terminal showed, to the log of those that went before. */
static void keep_screen(struct monitor *m)
{
    struct console_log file;
    console_log_init(&file, state_writer_kept_dir(m->writer));
    terminal_add_log(m->main, &file);
    console_log_done(&file);
}

/* The last of what a guest's kernel printed: chunks, as in the other logs. */
static void keep_kernel(struct monitor *m)
{
    struct error e;
    if (m->kernel.chunks.used)
        state_writer_file(m->writer, "kernel", m->kernel.chunks.data, m->kernel.chunks.used, &e);
}

static void remove_all(struct monitor *m, bool kept)
{
    struct error e;
    if (m->ops->clean(m->launch, &e) < 0) {
        /* the folder stays, and with it the journal: `prune` tries again */
        m->clean_failed = str_escape_z(e.text);
        free(m->record.reason);
        m->record.reason = str_format("not cleaned up: %s", m->clean_failed);
        life_put_state(m, STATE_EXITED);
        return;
    }
    if (kept) {
        if (m->main->terminal && state_writer_kept_dir(m->writer) >= 0)
            keep_screen(m);
        keep_kernel(m);
        life_put_state(m, STATE_EXITED);
        state_writer_sync(m->writer);
    }
    state_writer_keep(m->writer, kept);
    state_writer_remove(m->writer);
}

static void answer_waiters(struct monitor *m)
{
    struct error e;
    if (m->clean_failed)
        error_set(&e, EIO, "it has ended, but was not cleaned up: %s", m->clean_failed);
    for (struct peer *p = m->peers; p; p = p->next) {
        for (size_t i = 0; i < p->pending_count; i++)
            peer_done(p, p->pending[i], m->clean_failed ? &e : NULL);
        p->pending_count = 0;
    }
}

static void finish(struct monitor *m)
{
    bool kept = keeps(m), again = restarts(m);
    m->record.ended_ms = real_ms();
    m->record.status = m->status;
    last_sample(m, false);
    if (m->reason) {
        free(m->record.reason);
        m->record.reason = str_dup(m->reason);
    }
    m->record.kept = kept || again;
    write_report(m, kept || again);
    if (!again)
        exit_snapshot_take(m);
    remove_all(m, kept || again);
    answer_waiters(m);
    peers_stop_listening(m);
    m->finished = true;
    loop_timer_set(m->linger, LINGER_MS);
    if (again && !m->clean_failed)
        spare_go(m);
}

/* A second, then twice as long each time, so that what cannot start does not burn the machine. */
static void wait_to_restart(struct monitor *m)
{
    uint64_t ms = 1000;
    for (unsigned i = 0; i < m->setup->restarts && ms < RESTART_MOST_MS; i++)
        ms *= 2;
    m->restart_waits = m->restart_waited = true;
    loop_timer_set(m->restart, MIN(ms, (uint64_t)RESTART_MOST_MS));
    free(m->record.reason);
    m->record.reason = str_format("it ended with status %d and starts again soon", m->status);
    life_put_state(m, STATE_RESTARTING);
}

void life_ended_at_start(struct monitor *m)
{
    on_ended(m, 128 + SIGKILL, NULL);
}

bool life_is_over(const struct monitor *m)
{
    if (!m->finished)
        return false;
    /* Who looks at the screen may still want what has scrolled off it, as long as `linger` lets it.
     */
    bool shows = m->main->terminal && !m->restart_waited;
    for (const struct peer *p = m->peers; p; p = p->next)
        if (!p->dead && (!p->greeted || link_backlog(&p->link) || p->log.active ||
                         (shows && view_find(m->main, p))))
            return false;
    return true;
}

/* What came before it had begun. */
static void signal_late(struct console *c)
{
    const struct monitor *m = c->monitor;
    struct error ignored;
    if (!c->signals_due || !c->started || c->exited)
        return;
    for (int signo = 1; signo <= 64; signo++)
        if (c->signals_due & UINT64_C(1) << (signo - 1))
            m->ops->signal(m->launch, c->slot, signo, &ignored);
    c->signals_due = 0;
}

void life_round(struct monitor *m)
{
    for (struct console *c = m->consoles, *next; c; c = next) {
        next = c->next;
        signal_late(c);
        if (c != m->main && (c->told || c->failed))
            console_free(c);
    }
    if (m->finished || !m->ended || !m->main->told)
        return;
    if (restarts(m) && !m->restart_waited)
        wait_to_restart(m);
    if (!m->restart_waits || m->stopping)
        finish(m);
}
