/* cofferdam task: another verb for the terminal interface, which hears how far it is. */
#include "app/cli/progress.h"
#include "app/cli/verbs.h"

static int task_run(struct cli *c)
{
    const struct verb *v = c->command ? verb_find(c->command[0]) : NULL;
    if (!v)
        return cli_usage(c, "which verb?");
    progress_as_records();
    return verb_call(v, c->command + 1);
}

const struct verb verb_task = {
    .name = "task",
    .group = "Run",
    .usage = "VERB [ARGUMENT…]",
    .summary = "for the terminal interface: a verb that says how far it is",
    .flags = VERB_COMMAND | VERB_HIDDEN,
    .run = task_run,
};
