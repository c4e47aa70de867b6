/*
 * cofferdam launch: what the terminal interface starts workloads with. As `run --detach`, but the
 * console is attached before its first byte and the connection goes to the interface, so that even
 * the shortest command is seen.
 */
#include "app/cli/interface.h"
#include "app/cli/launch_run.h"
#include "app/cli/open_plan.h"
#include "app/cli/verbs.h"
#include "base/fd.h"

#include <stdio.h>

static const struct option_row options[] = {
    {"open",  0, "FILE", "run this file, as open does", "file"},
    LAUNCH_OPTIONS,
    {0},
};

/* From here on the other side hears how it goes, a start that fails too. */
static int launch_handed(struct launching *l, struct error *e)
{
    static const struct client_events none = {0};
    struct interface_size size;
    struct client *client = NULL;
    pid_t monitor;
    int r = fd_read_full(INTERFACE_FD, &size, sizeof(size));
    if (r < 0)
        return error_errno(e, -r, "who is to have its console does not say how large it is");
    r = launching_start(l, size.rows, size.cols, &none, NULL, &client, &monitor, e);
    if (r < 0)
        return r;
    client_attach(client, 0, false, size.rows, size.cols);
    int fd = client_fd(client);
    r = fd_send(INTERFACE_FD, l->plan->name, strlen(l->plan->name) + 1, &fd, 1);
    client_free(client);
    return r < 0 ? error_errno(e, -r, "cannot hand its console over") : 0;
}

static int launch_plan(struct launching *l, const struct cli *c, struct error *e)
{
    const char *file = cli_option(c, "open"), *profile = cli_option(c, "profile");
    if (file)
        return open_plan(l, c, file, profile ? profile : LAUNCH_PROFILE_DEFAULT, e);
    int r = launching_options(l, c, e);
    if (r == 0)
        r = launching_build(l, e);
    return r == 0 ? launching_check(l, NULL, NULL, e) : r;
}

static int launch_run_verb(struct cli *c)
{
    struct launching l = {0};
    struct error e;
    int r = fd_cloexec(INTERFACE_FD, 1);
    if (r < 0)
        return cli_usage(c, "this is for the terminal interface; see run --detach");
    launching_begin(&l, &e); /* what hinders it now will be said by launching_start() */
    r = launch_plan(&l, c, &e);
    if (r == 0)
        r = launch_handed(&l, &e);
    if (r == 0)
        puts(l.id);
    launching_done(&l);
    return r < 0 ? cli_fail(c, &e) : 0;
}

const struct verb verb_launch = {
    .name = "launch",
    .group = "Run",
    .usage = "[OPTION…] [--] [COMMAND [ARGUMENT…]]",
    .summary = "for the terminal interface: run --detach, the console handed over",
    .options = options,
    .flags = VERB_COMMAND | VERB_HIDDEN,
    .run = launch_run_verb,
};
