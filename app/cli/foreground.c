#include "app/cli/foreground.h"

#include "base/fd.h"
#include "base/str.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Beyond this much that the workload has not taken we read no more of our input. */
enum { INPUT_BACKLOG = 128 * 1024, INPUT_CHUNK = 64 * 1024 };

/* --- what the monitor says
 * ------------------------------------------------------------------------ */

static void on_stream(void *data, uint32_t console, int stream, const char *bytes, size_t size)
{
    struct foreground *f = data;
    if (console != f->console || stream < 1 || stream > 2 || !size)
        return;
    if (stream_out_write(&f->out[stream - 1], bytes, size) < 0)
        f->broken[stream - 1] = true;
}

static void on_started(void *data, uint32_t console)
{
    struct foreground *f = data;
    if (console == f->console)
        f->started = true;
}

static void on_exited(void *data, uint32_t console, int status, const char *reason)
{
    struct foreground *f = data;
    if (console != f->console || f->exited)
        return;
    f->exited = true;
    f->status = status;
    f->reason = str_dup_or_null(reason);
}

static void on_failed(void *data, uint32_t console, const struct error *e)
{
    struct foreground *f = data;
    if (console != f->console || f->started || f->failed)
        return;
    f->failed = true;
    f->error = *e;
}

static void on_done(void *data, uint32_t request, const struct error *e)
{
    struct foreground *f = data;
    if (f->wait && request == f->wait)
        f->waited = true;
}

static void on_report(void *data, const char *json, size_t size)
{
    struct foreground *f = data;
    free(f->report);
    f->report = str_ndup(json, size);
}

static void on_closed(void *data, const char *why)
{
    struct foreground *f = data;
    f->closed = true;
    if (!f->error.code)
        error_set(&f->error, EPIPE, "the workload's monitor is gone%s%s", why ? ": " : "",
                  why ? why : "");
}

const struct client_events foreground_events = {
    .stream = on_stream,
    .started = on_started,
    .exited = on_exited,
    .failed = on_failed,
    .done = on_done,
    .report = on_report,
    .closed = on_closed,
};

/* --- our side
 * --------------------------------------------------------------------------------------- */

static void foreground_signals(sigset_t *set)
{
    static const int passed[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    sigemptyset(set);
    for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
        sigaddset(set, passed[i]);
}

void foreground_block_signals(void)
{
    sigset_t set;
    foreground_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void foreground_init(struct foreground *f, uint32_t console)
{
    *f = (struct foreground){.console = console};
    stream_out_init(&f->out[0], STDOUT_FILENO);
    stream_out_init(&f->out[1], STDERR_FILENO);
}

void foreground_done(struct foreground *f)
{
    for (size_t i = 0; i < ARRAY_SIZE(f->out); i++)
        stream_out_done(&f->out[i]);
    free(f->reason);
    free(f->report);
    f->reason = f->report = NULL;
}

static bool foreground_over(const struct foreground *f)
{
    if (f->closed || f->failed)
        return true;
    return f->exited && (f->waited || !f->wait);
}

static int foreground_result(const struct foreground *f, struct error *e)
{
    if (f->exited && !f->failed)
        return 0;
    *e = f->error;
    return -e->code;
}

struct foreground_pump {
    struct foreground *f;
    struct client *c;
    int signals;  /* owned */
    bool input;   /* ours is open yet */
    char *buffer; /* owned; INPUT_CHUNK */
};

static void pump_signals(struct foreground_pump *p)
{
    struct signalfd_siginfo info;
    while (read(p->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        client_signal(p->c, p->f->console, (int)info.ssi_signo);
}

static void pump_input(struct foreground_pump *p)
{
    if (!p->buffer)
        p->buffer = mem_alloc(INPUT_CHUNK);
    ssize_t n = read(STDIN_FILENO, p->buffer, INPUT_CHUNK);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0) {
        client_input(p->c, p->f->console, p->buffer, (size_t)n);
        return;
    }
    client_input_end(p->c, p->f->console);
    p->input = false;
}

static void pump_broken(struct foreground_pump *p)
{
    for (int i = 0; i < 2; i++) {
        if (p->f->broken[i])
            client_output_closed(p->c, p->f->console, i + 1);
        p->f->broken[i] = false;
    }
}

/* One round: waits for whatever comes first. */
static int pump_step(struct foreground_pump *p)
{
    bool room = p->input && !p->f->exited && client_backlog(p->c) < INPUT_BACKLOG;
    struct pollfd fds[] = {
        {.fd = client_fd(p->c),          .events = POLLIN | (client_wants_write(p->c) ? POLLOUT : 0)},
        {.fd = p->signals,               .events = POLLIN                                           },
        {.fd = room ? STDIN_FILENO : -1, .events = POLLIN                                           },
    };
    if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
        return errno == EINTR ? 0 : -errno;
    if (fds[1].revents)
        pump_signals(p);
    if (fds[2].revents)
        pump_input(p);
    client_dispatch(p->c);
    pump_broken(p);
    return 0;
}

int foreground_run(struct foreground *f, struct client *c, struct error *e)
{
    sigset_t set;
    foreground_signals(&set);
    autoclose int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        return error_errno(e, errno, "signalfd");
    struct foreground_pump p = {.f = f, .c = c, .signals = signals, .input = true};
    client_dispatch(c);
    int r = 0;
    while (r == 0 && !foreground_over(f))
        r = pump_step(&p);
    free(p.buffer);
    return r < 0 ? error_errno(e, -r, "waiting") : foreground_result(f, e);
}

int foreground_await_start(struct foreground *f, struct client *c, struct error *e)
{
    while (!f->started && !f->failed && !f->closed) {
        client_dispatch(c);
        struct pollfd fd = {
            .fd = client_fd(c),
            .events = POLLIN | (client_wants_write(c) ? POLLOUT : 0),
        };
        if (f->started || f->failed || f->closed)
            break;
        if (poll(&fd, 1, -1) < 0 && errno != EINTR)
            return error_errno(e, errno, "waiting");
    }
    if (f->started && !f->failed)
        return 0;
    *e = f->error;
    return -e->code;
}
