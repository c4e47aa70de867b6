#include "console/monitor.h"

#include "base/fd.h"
#include "console/monitor_parts.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { SLIM_MS = 500 };

/* --- before the start ------------------------------------------------------------------------- */

static int journal(void *data, const char *kind, const char *what, struct error *e)
{
    struct monitor *m = data;
    return state_writer_journal(m->writer, kind, what, e);
}

static void fill_record(struct monitor *m)
{
    const struct launch_wishes *w = m->wishes;
    m->record = (struct state_record){
        .id = str_dup(w->id),
        .name = str_dup(w->name),
        .profile = str_dup_or_null(w->profile),
        .boundary = str_dup_or_null(w->boundary),
        .runtime = str_dup_or_null(w->runtime),
        .image = str_dup_or_null(w->image),
        .command = w->command ? str_escape_z(w->command) : NULL,
        .snapshot = str_dup_or_null(w->snapshot),
        .accel = str_dup_or_null(w->accel),
        .labels = w->labels ? strv_copy(w->labels) : NULL,
        .phase = STATE_STARTING,
        .created_ms = real_ms(),
        .monitor_pid = getpid(),
        .terminal = w->terminal,
        .kept = m->setup->kept,
        .restarts = m->setup->restarts,
    };
}

/* Where the backend has nothing to tell of its own way, ours is told. */
static size_t own_phases(const struct monitor *m, struct launch_phase *ret)
{
    ret[0] = (struct launch_phase){"folder", m->folder_us - m->begun_us};
    ret[1] = (struct launch_phase){"boundary", loop_now_us() - m->begun_us};
    return 2;
}

static void fill_phases(struct monitor *m)
{
    struct launch_phase list[16];
    size_t count = m->ops->phases ? m->ops->phases(m->launch, list, ARRAY_SIZE(list)) : 0;
    if (!count)
        count = own_phases(m, list);
    for (size_t i = 0; i < count; i++)
        strv_take(&m->record.phases,
                  str_format("%s=%llu", list[i].name, (unsigned long long)list[i].us));
}

/* While the workload is being made: none of it has been able to say anything yet. */
static void lock_in(void *data)
{
    struct monitor *m = data;
    struct error e;
    if (m->locked || m->setup->unconfined)
        return;
    m->locked = true;
    if (monitor_confine(m, &e) < 0)
        m->lock_error = e;
}

/* The folder, its lock and its socket, hidden; then the state, the name; then for all to see. */
static int make_folder(struct monitor *m, struct error *e)
{
    struct monitor_setup *s = m->setup;
    struct dirs d = {.runtime = (char *)s->runtime_dir, .state = (char *)s->state_dir};
    int r = state_writer_open(&d, s->id, s->kept, &m->writer, e);
    if (r < 0)
        return r;
    m->env = (struct launch_env){
        .ahead = s->ahead,
        .filter = s->filter,
        .init = s->init,
        .runtime_dir = state_writer_dir(m->writer),
        .state_dir = state_writer_kept_dir(m->writer),
        /* ids are the machine's, whatever folder this root was told to use */
        .system_runtime_dir = geteuid() == 0 ? "/run/cofferdam" : s->runtime_dir,
        .rows = s->rows,
        .cols = s->cols,
        .journal = journal,
        .journal_data = m,
        .settled = lock_in,
        .settled_data = m,
    };
    r = m->ops->open(s->plan, s->plan_size, &m->env, &m->launch, e);
    if (r < 0)
        return r;
    m->wishes = m->ops->wishes(m->launch);
    if (!str_equal(m->wishes->id, s->id) || (m->wishes->keep != LAUNCH_KEEP_NEVER && !s->kept))
        return error_set(e, EINVAL, "the plan is another workload's");
    fill_record(m);
    monitor_earlier_events(m);
    r = exit_snapshot_begin(m, e);
    if (r < 0)
        return r;
    r = state_writer_file(m->writer, "plan", s->plan, s->plan_size, e);
    if (r == 0)
        r = state_writer_put(m->writer, &m->record, e);
    if (r == 0)
        r = peers_listen(m, e);
    if (r == 0)
        r = state_writer_publish(m->writer, e);
    return r;
}

/* --- the start -------------------------------------------------------------------------------- */

static void launch_ready(struct loop_watch *w, int fd, uint32_t events, void *data)
{
    struct monitor *m = data;
    m->ops->dispatch(m->launch, &life_events, m);
}

static int start(struct monitor *m, struct error *e)
{
    struct launch_streams s = {FD_NONE, FD_NONE, FD_NONE, FD_NONE};
    int r = m->ops->start(m->launch, &s, e);
    if (r < 0)
        return r;
    signal(SIGPIPE, SIG_IGN); /* it may have ended already, with input for it waiting here */
    m->record.pid = m->ops->pid(m->launch);
    int fds[4];
    size_t count = m->ops->watch(m->launch, fds);
    for (size_t i = 0; i < count; i++)
        m->launch_watches[i] = loop_watch(m->loop, fds[i], EPOLLIN, launch_ready, m);
    m->booting = r == LAUNCH_UNDER_WAY;
    if (!m->booting)
        monitor_started(m, &s);
    return 0;
}

void monitor_started(struct monitor *m, struct launch_streams *s)
{
    const struct console *c = m->main;
    m->booting = false;
    m->record.started_ms = real_ms();
    fill_phases(m);
    console_start(m->main, s);
    bool resized = c->rows != MAX(m->setup->rows, 1) || c->cols != MAX(m->setup->cols, 1);
    if (c->terminal && resized && m->ops->resize)
        m->ops->resize(m->launch, c->slot, c->rows, c->cols);
}

static void flush_for(struct peer *p, int ms)
{
    uint64_t end = loop_now_ms() + (uint64_t)ms;
    while (link_send(&p->link) == 1 && loop_now_ms() < end) {
        struct pollfd f = {.fd = p->link.fd, .events = POLLOUT};
        poll(&f, 1, (int)(end - loop_now_ms()));
    }
}

/* Nobody is there to hear why it did not start again, so it stays to be looked at. */
static bool is_to_be_seen(const struct monitor *m)
{
    return m->setup->restarts && m->writer && m->wishes && m->main &&
           m->wishes->keep != LAUNCH_KEEP_NEVER;
}

static void keep_failure(struct monitor *m, const struct error *why)
{
    struct error e;
    autofree char *shown = str_escape_z(m->ops->clean(m->launch, &e) < 0 ? e.text : why->text);
    free(m->record.reason);
    m->record.reason = str_format("could not start again: %s", shown);
    m->reason = m->record.reason;
    m->record.ended_ms = real_ms();
    m->status = m->record.status = 125;
    m->record.kept = true;
    autofree char *report = report_make(m);
    state_writer_file(m->writer, "report", report, strlen(report), &e);
    life_put_state(m, STATE_EXITED);
    state_writer_keep(m->writer, true);
    state_writer_remove(m->writer);
}

/* Nothing stays of a first start that failed, and whoever asked for it hears why. */
static void give_up(struct monitor *m, const struct error *why)
{
    struct error e;
    if (is_to_be_seen(m)) {
        keep_failure(m, why);
    } else if (m->launch) {
        if (m->ops->clean(m->launch, &e) < 0 && m->writer) {
            /* what is left stands in the journal, for `prune` */
            state_writer_keep(m->writer, true);
            life_put_state(m, STATE_EXITED);
        } else if (m->writer) {
            state_writer_keep(m->writer, false);
            state_writer_remove(m->writer);
        }
    } else if (m->writer) {
        state_writer_keep(m->writer, false);
        state_writer_remove(m->writer);
    }
    for (struct peer *p = m->peers; p; p = p->next) {
        peer_fail(p, 0, 0, why);
        flush_for(p, 1000);
    }
}

/* --- while it runs ---------------------------------------------------------------------------- */

static void got_signal(struct loop_watch *w, int fd, uint32_t events, void *data)
{
    struct signalfd_siginfo info;
    struct error e;
    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        life_stop(data, -1, "its monitor was asked to end", &e);
}

static void signals_of_ours(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

static int open_signals(struct monitor *m)
{
    sigset_t set;
    signals_of_ours(&set);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0)
        m->signals_watch = loop_watch(m->loop, fd, EPOLLIN, got_signal, m);
    return fd;
}

/* Only when it has started: the workload must inherit neither a blocked nor an ignored signal. */
static void take_signals(void)
{
    sigset_t set;
    signals_of_ours(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void open_record(struct monitor *m)
{
    int dir = state_writer_kept_dir(m->writer);
    console_log_init(&m->log, m->wishes->terminal ? FD_NONE : dir);
    console_log_load(&m->log, m->setup->earlier);
    console_log_init(&m->kernel, FD_NONE);
    m->kernel.most = LOG_KERNEL;
    m->log_own = m->log.base + m->log.chunks.used;
    if (m->wishes->record && m->wishes->terminal && dir >= 0)
        m->record_file =
            openat(dir, "record", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/*
 * A monitor waits for days. What the start has touched and the loop does not need goes back to the
 * kernel: pages of the program are the file's and come again by themselves.
 */
static void slim(struct loop_timer *t, void *data)
{
    extern char __executable_start[], etext[];
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)__executable_start + page - 1) & ~(page - 1);
    uintptr_t to = (uintptr_t)etext & ~(page - 1);
    malloc_trim(0);
    if (to > from)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

static bool somebody_is_busy(const struct monitor *m)
{
    for (const struct peer *p = m->peers; p; p = p->next)
        if (p->busy && !p->blocked && !p->dead)
            return true;
    return false;
}

static void serve(struct monitor *m)
{
    for (;;) {
        life_round(m);
        peers_round(m);
        if (m->ended)
            for (size_t i = 0; i < ARRAY_SIZE(m->launch_watches); i++) {
                loop_unwatch(m->launch_watches[i]);
                m->launch_watches[i] = NULL;
            }
        if (life_is_over(m))
            return;
        bool now =
            somebody_is_busy(m) || (m->ended && m->main->told && !m->finished && !m->restart_waits);
        if (loop_step(m->loop, now ? 0 : -1) < 0)
            return;
    }
}

/* A monitor that cannot lock itself in does not stay with a stranger's output. */
static void check_lock(struct monitor *m)
{
    struct error ignored;
    if (!m->lock_error.code)
        return;
    error_wrap(&m->lock_error, "its monitor could not confine itself");
    free(m->ended_why);
    m->reason = m->ended_why = str_dup(m->lock_error.text);
    life_kill(m, m->reason, &ignored);
}

/* Nothing of it can be seen yet but that it is on its way; whoever asks is answered. */
static int boot(struct monitor *m, struct error *e)
{
    take_signals();
    life_put_state(m, STATE_STARTING); /* its process is known now */
    while (m->booting) {
        peers_round(m);
        if (loop_step(m->loop, -1) < 0)
            return error_errno(e, errno, "waiting for its start");
    }
    if (m->boot_error.code && m->killed)
        life_ended_at_start(m);
    else if (m->boot_error.code)
        *e = m->boot_error;
    return m->killed ? 0 : -m->boot_error.code;
}

static void run(struct monitor *m)
{
    /* who started it to leave it may look at its state next; who attached wants to see it at once
     */
    bool left_alone = !m->main->views;
    take_signals();
    if (left_alone)
        life_put_state(m, STATE_RUNNING);
    for (struct peer *p = m->peers; p; p = p->next)
        link_send(&p->link);
    if (!left_alone)
        life_put_state_soon(m, STATE_RUNNING);
    life_limit(m);
    lock_in(m);
    check_lock(m);
    struct loop_timer *later = loop_timer_new(m->loop, slim, m);
    loop_timer_set(later, SLIM_MS);
    serve(m);
    loop_timer_free(later);
}

static void done(struct monitor *m)
{
    peers_free(m);
    while (m->consoles)
        console_free(m->consoles);
    loop_timer_free(m->time_limit);
    loop_timer_free(m->idle_limit);
    loop_timer_free(m->grace);
    loop_timer_free(m->frame);
    loop_timer_free(m->death);
    loop_timer_free(m->linger);
    loop_timer_free(m->restart);
    loop_timer_free(m->later);
    loop_free(m->loop);
    if (m->launch)
        m->ops->free(m->launch);
    state_writer_free(m->writer);
    snapshot_writer_free(m->exit_snapshot, NULL);
    console_log_done(&m->log);
    console_log_done(&m->kernel);
    state_record_done(&m->record);
    fd_close(m->listener);
    fd_close(m->record_file);
    fd_close(m->setup->filter);
    fd_close(m->setup->init);
    fd_close(m->setup->plan_fd);
    fd_close(m->setup->earlier);
    free(m->clean_failed);
    free(m->ended_why);
    fd_close(m->spare); /* the last thing: who starts anew finds nothing of ours */
}

int monitor_run(const struct launch_ops *ops, struct monitor_setup *setup)
{
    struct monitor m = {
        .ops = ops,
        .setup = setup,
        .listener = FD_NONE,
        .record_file = FD_NONE,
        .spare = FD_NONE,
        .log = {.dir = FD_NONE, .file = FD_NONE},
        .kernel = {.dir = FD_NONE, .file = FD_NONE},
        .begun_us = loop_now_us(),
    };
    struct error e;
    int signals = FD_NONE;
    m.loop = loop_new();
    if (!m.loop)
        return 125;
    struct peer *first = setup->client >= 0 ? peer_add(&m, TAKE_FD(setup->client)) : NULL;
    int r = make_folder(&m, &e);
    m.folder_us = loop_now_us();
    if (r == -ENOENT || r == -EACCES || r == -ENOEXEC)
        e.code = EIO; /* those are for the command: see launch_ops.start */
    if (r == 0) {
        m.main = console_new(&m, 0, 0, m.wishes->terminal);
        m.main->starter = first;
        m.main->rows = MAX(setup->rows, 1);
        m.main->cols = MAX(setup->cols, 1);
        open_record(&m);
        if (first)
            peer_receive(first); /* it attaches before the first byte is read */
        signals = open_signals(&m);
        if (spare_fork(&m, &e) < 0)
            m.spare = FD_NONE;
        r = start(&m, &e);
        if (r == 0)
            life_begin(&m);
        if (r == 0 && m.booting)
            r = boot(&m, &e);
    }
    if (r == 0)
        run(&m);
    else
        give_up(&m, &e);
    loop_unwatch(m.signals_watch);
    fd_close(signals);
    done(&m);
    return r == 0 ? 0 : 125;
}
