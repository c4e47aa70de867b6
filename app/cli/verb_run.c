/* cofferdam run: a command in a throw-away workload. */
#include "app/cli/launch_run.h"
#include "app/cli/verbs.h"

static const struct option_row options[] = {
    LAUNCH_OPTIONS,
    {0},
};

static int run_run(struct cli *c)
{
    struct launching l = {0};
    struct error e;
    launching_begin(&l, &e); /* what hinders it now will be said by launching_start() */
    int r = launching_options(&l, c, &e);
    if (r == 0)
        r = launching_build(&l, &e);
    if (r == 0)
        r = launching_check(&l, NULL, NULL, &e);
    int status = r < 0 ? cli_fail(c, &e) : launch_run(c, &l);
    launching_done(&l);
    return status;
}

const struct verb verb_run = {
    .name = "run",
    .group = "Run",
    .usage = "[OPTION…] [--] [COMMAND [ARGUMENT…]]",
    .summary = "run a command in a throw-away workload",
    .options = options,
    .flags = VERB_COMMAND,
    .run = run_run,
};
