#include "app/cli/launch_run.h"

#include "app/cli/report.h"
#include "console/attach.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* --- detached: only whether it started ----------------------------------------------------------
 */

struct launch_start {
    bool started;
    struct error error; /* code 0: not heard of yet */
};

static void on_started(void *data, uint32_t console)
{
    struct launch_start *s = data;
    s->started = s->started || console == 0;
}

static void on_failed(void *data, uint32_t console, const struct error *e)
{
    struct launch_start *s = data;
    if (console == 0 && !s->error.code)
        s->error = *e;
}

static void on_closed(void *data, const char *why)
{
    struct launch_start *s = data;
    if (!s->started && !s->error.code)
        error_set(&s->error, EPIPE, "%s", why && *why ? why : "its monitor is gone");
}

int launch_start_detached(struct launching *l, bool *ret_command, struct error *e)
{
    static const struct client_events events = {
        .started = on_started,
        .failed = on_failed,
        .closed = on_closed,
    };
    struct launch_start s = {0};
    struct client *client = NULL;
    pid_t monitor;
    *ret_command = false;
    int r = launching_start(l, 0, 0, &events, &s, &client, &monitor, e);
    if (r < 0)
        return r;
    for (;;) {
        client_dispatch(client);
        if (s.started || s.error.code)
            break;
        struct pollfd p = {
            .fd = client_fd(client),
            .events = POLLIN | (client_wants_write(client) ? POLLOUT : 0),
        };
        poll(&p, 1, -1);
    }
    client_free(client);
    if (s.started)
        return 0;
    *ret_command = true;
    *e = s.error;
    return -e->code;
}

static int launch_detached(const struct cli *c, struct launching *l)
{
    struct error e;
    bool command;
    if (launch_start_detached(l, &command, &e) < 0)
        return command ? cli_fail_command(c, &e) : cli_fail(c, &e);
    puts(l->id);
    return 0;
}

/* --- in the foreground ---------------------------------------------------------------------------
 */

/* To stderr, behind everything the workload said. */
static void launch_show_report(const char *json)
{
    if (!json)
        return;
    fflush(stdout);
    fputc('\n', stderr);
    report_print_text(stderr, json, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
}

static int launch_result(const struct cli *c, const struct launching *l,
                         const struct attach_result *r)
{
    switch (r->how) {
    case ATTACH_EXITED:
    case ATTACH_SIGNALLED:
        break;
    case ATTACH_DETACHED:
        if (l->plan->machine.watched)
            return 0;
        fprintf(stderr, "cofferdam %s: it goes on; cofferdam attach %s\n", c->verb->name,
                l->plan->name);
        return 0;
    case ATTACH_FAILED:
        return cli_fail_command(c, &r->error);
    case ATTACH_LOST:
        return cli_fail(c, &r->error);
    }
    if (r->reason[0]) { /* it did not end by itself */
        autofree char *reason = str_escape_z(r->reason);
        fprintf(stderr, "cofferdam %s: %s\n", c->verb->name, reason);
    }
    launch_show_report(r->report);
    return r->status;
}

/* Until attach_run() takes them: who interrupts a start must not leave a workload behind. */
void launch_hold_signals(void)
{
    static const int held[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(held); i++)
        sigaddset(&set, held[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static int launch_attached(const struct cli *c, struct launching *l)
{
    struct attach_options options = {
        .terminal = l->plan->terminal,
        .read_only = l->read_only,
        .detach_keys =
            l->detach_keys ? l->detach_keys : settings_text(&l->settings, KEY_CONSOLE_DETACH_KEYS),
        .from_start = true,
        .wait = true,
    };
    struct attach *a = attach_new(&options);
    struct client *client = NULL;
    struct attach_result result = {0};
    struct winsize size = {0};
    struct error e;
    pid_t monitor;
    launch_hold_signals();
    if (options.terminal)
        ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
    int r = launching_start(l, size.ws_row, size.ws_col, attach_events(), a, &client, &monitor, &e);
    if (r == 0 && l->report)
        client_ask_report(client);
    if (r == 0)
        r = attach_run(a, client, &result, &e);
    int status = r < 0 ? cli_fail(c, &e) : launch_result(c, l, &result);
    attach_result_done(&result);
    client_free(client);
    attach_free(a);
    return status;
}

int launch_run(const struct cli *c, struct launching *l)
{
    return l->detach ? launch_detached(c, l) : launch_attached(c, l);
}
