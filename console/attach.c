#include "console/attach_inner.h"

#include "base/fd.h"
#include "base/loop.h"
#include "console/tty.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* Unsent input beyond which no more is read; output not yet written beyond which no more is asked
 * for. */
enum { INPUT_MOST = 128 * 1024, OUTPUT_MOST = 256 * 1024, READ_SIZE = 64 * 1024 };

/* --- what the monitor says --- */

static void attach_end(struct attach *a, enum attach_end how, int status)
{
    if (a->over)
        return;
    a->result->how = how;
    a->result->status = status;
    a->over = true;
}

static void on_screen(void *data, uint32_t console, struct cells *c)
{
    struct attach *a = data;
    if (console == a->console && a->result)
        attach_screen_changed(a, c);
}

static void on_stream(void *data, uint32_t console, int stream, const char *bytes, size_t size)
{
    struct attach *a = data;
    if (console != a->console || stream < 1 || stream > 2)
        return;
    struct attach_out *o = &a->out[stream - 1];
    if (!size) {
        o->eof = true;
        if (o->tty)
            filter_end(&o->filter, &o->pending);
    } else if (o->broken) {
        return;
    } else if (o->tty) {
        filter_feed(&o->filter, bytes, size, &o->pending);
    } else {
        buf_add(&o->pending, bytes, size);
    }
}

/* What the keys of the chord do, for whom it is: in a line of 80 columns. */
static void attach_help(struct attach *a, const char *why)
{
    autofree char *name = attach_chord_name(&a->keys.chord);
    struct attach_chord first = {.first = a->keys.chord.first};
    autofree char *prefix = attach_chord_name(&first);
    autofree char *text = NULL;
    if (a->may_type)
        text = str_format("%s detaches   %s %s sends %s", name, prefix, prefix, prefix);
    else if (a->o.read_only || !a->keys.chord.more)
        text = str_format("%s   %s detaches", why, name);
    else
        text = str_format("%s   %s detaches   %s t takes over", why, name, prefix);
    attach_screen_notice(a, text);
}

static void on_role(void *data, uint32_t console, bool may_type, unsigned viewers)
{
    struct attach *a = data;
    if (console != a->console || !a->result)
        return;
    bool lost = a->may_type && !may_type && !a->o.read_only;
    a->may_type = may_type;
    if (lost)
        attach_help(a, "somebody else types");
    a->render.mirrors_input = may_type;
}

static void on_history(void *data, uint32_t console, uint64_t first,
                       const struct cell *const *lines, const uint16_t *cols, size_t count)
{
    struct attach *a = data;
    if (console == a->console)
        attach_screen_history(a, first, lines, cols, count);
}

static void on_exited(void *data, uint32_t console, int status, const char *reason)
{
    struct attach *a = data;
    if (console != a->console || !a->result)
        return;
    snprintf(a->result->reason, sizeof(a->result->reason), "%s", reason ? reason : "");
    attach_end(a, ATTACH_EXITED, status);
}

static void on_failed(void *data, uint32_t console, const struct error *e)
{
    struct attach *a = data;
    if (console != a->console || !a->result)
        return;
    a->result->error = *e;
    attach_end(a, ATTACH_FAILED, 0);
}

static void on_started(void *data, uint32_t console)
{
    struct attach *a = data;
    a->started |= console == a->console;
}

/* What is to end a command that has not begun ends the wait for that: nobody may ever answer. */
static bool attach_gives_up(const struct attach *a, int signo)
{
    bool ends = signo == SIGINT || signo == SIGTERM || signo == SIGHUP || signo == SIGQUIT;
    return a->o.exec && !a->started && ends;
}

static void on_done(void *data, uint32_t request, const struct error *e)
{
    struct attach *a = data;
    if (request == a->wait_request)
        a->waited = true;
    if (request == a->signal_request && e && a->result && attach_gives_up(a, a->signal))
        attach_end(a, ATTACH_SIGNALLED, 128 + a->signal);
}

static void on_report(void *data, const char *json, size_t size)
{
    struct attach *a = data;
    if (!a->result)
        return;
    free(a->result->report);
    a->result->report = str_ndup(json, size);
}

static void on_closed(void *data, const char *why)
{
    struct attach *a = data;
    a->gone = true;
    if (a->result && !a->over) {
        error_set(&a->result->error, EPIPE, "%s", why && *why ? why : "its monitor is gone");
        attach_end(a, ATTACH_LOST, 0);
    }
}

const struct client_events *attach_events(void)
{
    static const struct client_events events = {
        .screen = on_screen,
        .stream = on_stream,
        .role = on_role,
        .history = on_history,
        .started = on_started,
        .exited = on_exited,
        .failed = on_failed,
        .done = on_done,
        .report = on_report,
        .closed = on_closed,
    };
    return &events;
}

/* --- what the person does --- */

static void attach_type(struct attach *a, const char *bytes, size_t size)
{
    if (!size)
        return;
    if (!a->may_type && a->o.terminal && a->stdin_tty)
        attach_help(a, "you only watch");
    else
        client_input(a->client, a->console, bytes, size);
}

static void attach_typed(struct attach *a, const char *data, size_t size)
{
    if (a->notice[0] && a->notice_until != UINT64_MAX)
        a->notice_until = 0;
    while (size && !a->over) {
        autobuf to = {0};
        enum attach_key key;
        size_t n = attach_keys_feed(&a->keys, data, size, &to, &key);
        data += n;
        size -= n;
        attach_type(a, to.data, to.used);
        switch (key) {
        case ATTACH_KEY_SEND:
            break;
        case ATTACH_KEY_DETACH:
            a->wait_request = client_detach(a->client, a->console);
            attach_end(a, ATTACH_DETACHED, 0);
            break;
        case ATTACH_KEY_TAKE_OVER:
            client_take_over(a->client, a->console);
            attach_screen_resize(a);
            break;
        case ATTACH_KEY_HELP:
            attach_help(a, "you only watch");
            break;
        }
    }
}

static void attach_read(struct attach *a)
{
    static char data[READ_SIZE];
    ssize_t n = read(STDIN_FILENO, data, sizeof(data));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        a->stdin_open = false;
        if (!a->o.read_only)
            client_input_end(a->client, a->console);
    } else if (a->o.terminal && a->stdin_tty) {
        attach_typed(a, data, (size_t)n);
    } else {
        client_input(a->client, a->console, data, (size_t)n);
    }
}

/* Stopped by the shell's user from elsewhere: the terminal is theirs meanwhile. */
static void attach_suspend(struct attach *a)
{
    attach_screen_leave(a);
    fd_write_full(STDOUT_FILENO, a->out[0].pending.data, a->out[0].pending.used);
    a->out[0].pending.used = 0;
    tty_note_screen(FD_NONE);
    tty_restore();
    kill(getpid(), SIGSTOP);
    if (a->stdin_tty)
        tty_raw(STDIN_FILENO);
    attach_screen_resize(a);
}

static void attach_signal(struct attach *a)
{
    struct signalfd_siginfo info;
    if (read(a->signals, &info, sizeof(info)) != sizeof(info))
        return;
    int signo = (int)info.ssi_signo;
    if (signo == SIGWINCH || signo == SIGCONT) {
        if (a->o.terminal)
            attach_screen_resize(a);
    } else if (signo == SIGTSTP) {
        if (a->o.terminal && !a->plain)
            attach_suspend(a);
        else
            kill(getpid(), SIGSTOP);
    } else if (!a->o.terminal || a->plain) {
        uint32_t request = client_signal(a->client, a->console, signo);
        if (attach_gives_up(a, signo) || !attach_gives_up(a, a->signal)) {
            a->signal = signo;
            a->signal_request = request;
        }
    } else {
        attach_end(a, ATTACH_SIGNALLED, 128 + signo);
    }
}

/* --- the loop --- */

static void attach_broken(struct attach *a, int stream)
{
    struct attach_out *o = &a->out[stream - 1];
    o->broken = true;
    o->pending.used = 0;
    if (a->o.terminal)
        attach_end(a, ATTACH_SIGNALLED, 128 + SIGPIPE);
    else
        client_output_closed(a->client, a->console, stream);
}

/* Writes what can be written at once: poll(2) promises a pipe room for PIPE_BUF bytes, no more. */
static void attach_write(struct attach *a, int stream)
{
    struct attach_out *o = &a->out[stream - 1];
    struct pollfd room = {.fd = o->fd, .events = POLLOUT};
    size_t done = 0;
    do {
        size_t rest = o->pending.used - done;
        ssize_t n = write(o->fd, o->pending.data + done, o->file ? rest : MIN(rest, (size_t)4096));
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            attach_broken(a, stream);
            return;
        }
        if (n < 0)
            break;
        done += (size_t)n;
    } while (done < o->pending.used && (o->file || poll(&room, 1, 0) == 1));
    buf_drop(&o->pending, done);
}

static size_t attach_pending(const struct attach *a)
{
    return a->out[0].pending.used + a->out[1].pending.used;
}

static int attach_poll(struct attach *a, int timeout)
{
    bool full = attach_pending(a) > OUTPUT_MOST;
    bool reads = a->stdin_open && !a->over && client_backlog(a->client) < INPUT_MOST;
    struct pollfd fds[] = {
        {.fd = reads ? STDIN_FILENO : -1,                  .events = POLLIN           },
        {.fd = a->gone ? -1 : client_fd(a->client),        .events = full ? 0 : POLLIN},
        {.fd = a->signals,                                 .events = POLLIN           },
        {.fd = a->out[0].pending.used ? a->out[0].fd : -1, .events = POLLOUT          },
        {.fd = a->out[1].pending.used ? a->out[1].fd : -1, .events = POLLOUT          },
    };
    if (client_wants_write(a->client))
        fds[1].events |= POLLOUT;
    int n = poll(fds, ARRAY_SIZE(fds), timeout);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    if (fds[2].revents)
        attach_signal(a);
    if (fds[3].revents)
        attach_write(a, 1);
    if (fds[4].revents)
        attach_write(a, 2);
    if (fds[0].revents)
        attach_read(a);
    if (fds[1].revents && !a->gone)
        client_dispatch(a->client);
    return 0;
}

/* A monitor that has not got to it may drop what was typed by somebody who is gone already. */
static bool attach_waits(const struct attach *a, uint64_t until)
{
    if (a->waited || a->gone)
        return false;
    return a->result->how == ATTACH_DETACHED ? loop_now_ms() < until
                                             : a->o.wait && a->result->how == ATTACH_EXITED;
}

/* After the end: the last lines, what is still to be written, and the cleaning up if that is waited
 * for. */
static void attach_drain(struct attach *a)
{
    bool lines = a->o.terminal && a->result->how == ATTACH_EXITED;
    attach_screen_leave(a);
    uint64_t until = loop_now_ms() + 2000;
    while (lines && a->cells) {
        if (!a->asked)
            attach_screen_lines(a, true);
        if (!a->asked || a->gone || loop_now_ms() >= until)
            break;
        if (attach_poll(a, 200) < 0)
            break;
    }
    if (lines && a->asked) { /* no answer came: the screen at least */
        a->asked = false;
        a->next_line = a->cells->history;
        attach_screen_lines(a, true);
    }
    while (attach_pending(a) || client_wants_write(a->client) || attach_waits(a, until)) {
        if (a->gone && !attach_pending(a))
            break;
        if (attach_poll(a, a->result->how == ATTACH_DETACHED ? 200 : -1) < 0)
            break;
    }
    tty_note_screen(FD_NONE);
    tty_restore();
}

static int attach_take_signals(sigset_t *old)
{
    static const int taken[] = {SIGHUP,  SIGINT,   SIGQUIT, SIGTERM, SIGUSR1,
                                SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
        sigaddset(&set, taken[i]);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, old);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void attach_ask(struct attach *a)
{
    uint16_t rows, cols;
    tty_size(a->out[0].tty ? STDOUT_FILENO : STDIN_FILENO, &rows, &cols);
    if (a->o.exec) {
        struct client_exec x = *a->o.exec;
        x.rows = rows;
        x.cols = cols;
        a->console = client_exec(a->client, &x);
    } else {
        a->console = a->o.console;
        client_attach(a->client, a->console, a->o.read_only, rows, cols);
    }
    if (a->o.wait)
        a->wait_request = client_wait(a->client);
}

static void attach_take_streams(struct attach *a)
{
    a->stdin_open = !a->o.read_only || a->o.terminal;
    a->stdin_tty = isatty(STDIN_FILENO);
    for (int i = 0; i < 2; i++) {
        struct attach_out *o = &a->out[i];
        o->fd = i ? STDERR_FILENO : STDOUT_FILENO;
        struct stat st;
        o->file = fstat(o->fd, &st) == 0 && S_ISREG(st.st_mode);
        o->tty = !o->file && isatty(o->fd);
    }
    /* Asking for the locale takes longer than some workloads do. */
    if (a->o.terminal || a->out[0].tty || a->out[1].tty)
        render_terminal_detect(&a->terminal);
    filter_init(&a->out[0].filter, &a->terminal);
    filter_init(&a->out[1].filter, &a->terminal);
    a->plain = a->o.terminal && (a->terminal.dumb || !a->out[0].tty);
    if (a->plain && !a->out[0].tty)
        a->terminal.colours = RENDER_MONO;
}

int attach_run(struct attach *a, struct client *c, struct attach_result *ret, struct error *e)
{
    *ret = (struct attach_result){.how = ATTACH_LOST};
    if (attach_chord_parse(a->o.detach_keys, &a->keys.chord, e) < 0)
        return -e->code;
    sigset_t old;
    a->signals = attach_take_signals(&old);
    if (a->signals < 0)
        return error_errno(e, errno, "signalfd");
    a->client = c;
    a->result = ret;
    a->may_type = !a->o.read_only;
    attach_take_streams(a);
    if (a->o.terminal) {
        if (a->stdin_tty)
            (a->plain ? tty_silent : tty_raw)(STDIN_FILENO);
        attach_screen_begin(a);
    }
    attach_ask(a);
    int r = 0;
    while (!a->over && r == 0) {
        r = attach_poll(a, a->o.terminal ? attach_screen_timeout(a) : -1);
        if (a->o.terminal && !a->over)
            attach_screen_draw(a);
    }
    attach_drain(a);
    ret->dropped = a->out[0].filter.dropped + a->out[1].filter.dropped;
    a->signals = fd_close(a->signals);
    sigprocmask(SIG_SETMASK, &old, NULL);
    a->result = NULL;
    return r < 0 ? error_errno(e, -r, "poll") : 0;
}

struct attach *attach_new(const struct attach_options *o)
{
    struct attach *a = NEW(struct attach);
    a->o = *o;
    a->signals = FD_NONE;
    return a;
}

void attach_free(struct attach *a)
{
    if (!a)
        return;
    render_done(&a->render);
    buf_done(&a->out[0].pending);
    buf_done(&a->out[1].pending);
    fd_close(a->signals);
    free(a);
}

void attach_result_done(struct attach_result *r)
{
    free(r->report);
    r->report = NULL;
}
