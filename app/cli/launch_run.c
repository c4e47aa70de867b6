#include "app/cli/launch_run.h"

#include "app/cli/foreground.h"
#include "app/cli/report.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* It ended, but not by itself. */
static void launch_say_reason(const struct cli *c, const struct foreground *f)
{
    if (!f->reason)
        return;
    autofree char *reason = str_escape_z(f->reason);
    fflush(stdout);
    fprintf(stderr, "cofferdam %s: %s\n", c->verb->name, reason);
}

/* To stderr, behind everything the workload said. */
static void launch_show_report(const char *json)
{
    if (!json)
        return;
    fflush(stdout);
    fputc('\n', stderr);
    report_print_text(stderr, json, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
}

static int launch_detached(const struct cli *c, const struct launching *l, struct foreground *f,
                           struct client *client)
{
    struct error e;
    if (foreground_await_start(f, client, &e) < 0)
        return cli_fail_command(c, &e);
    puts(l->id);
    return 0;
}

static int launch_streams(const struct cli *c, const struct launching *l, struct foreground *f,
                          struct client *client)
{
    struct error e;
    client_attach(client, 0, false, 0, 0);
    if (l->report)
        client_ask_report(client);
    f->wait = client_wait(client);
    if (foreground_run(f, client, &e) < 0)
        return cli_fail_command(c, &e);
    launch_say_reason(c, f);
    launch_show_report(f->report);
    return f->status;
}

int launch_run(const struct cli *c, const struct launching *l)
{
    struct foreground f;
    struct client *client = NULL;
    struct error e;
    struct winsize size = {0};
    pid_t monitor;
    if (l->plan->terminal && !l->detach)
        ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
    foreground_init(&f, 0);
    foreground_block_signals();
    int status;
    if (launching_start(l, size.ws_row, size.ws_col, &foreground_events, &f, &client, &monitor,
                        &e) < 0)
        status = cli_fail(c, &e);
    else if (l->detach)
        status = launch_detached(c, l, &f, client);
    else
        status = launch_streams(c, l, &f, client);
    client_free(client);
    foreground_done(&f);
    return status;
}
