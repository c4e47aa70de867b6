/* cofferdam top: `stats --watch` by the name people try first. */
#include "app/cli/verbs.h"

static int top_run(struct cli *c)
{
    return verb_stats.run(c); /* which knows by the verb that it shall go on */
}

const struct verb verb_top = {
    .name = "top",
    .group = "Watch",
    .usage = "[OPTION…] [WORKLOAD…]",
    .summary = "the same each second, until interrupted or nothing runs",
    .flags = VERB_JSON | VERB_WORKLOADS,
    .run = top_run,
};
