/* cofferdam resume. */
#include "app/cli/tasks.h"
#include "app/cli/verbs.h"

static void resume_ask(struct task *t, void *data)
{
    client_pause(t->client, false);
}

static int resume_run(struct cli *c)
{
    struct dirs d;
    struct tasks t;
    struct error e;
    if (!c->args_count)
        return cli_usage(c, "a workload is needed");
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    int status;
    if (tasks_find(&d, c->args, c->args_count, &t, &e) < 0) {
        status = cli_fail(c, &e);
    } else {
        tasks_ask(&d, &t, resume_ask, NULL, -1);
        for (size_t i = 0; i < t.count; i++)
            if (!state_phase_lives(t.of[i].record.phase))
                t.of[i].result = error_set(&t.of[i].error, ESRCH, "it is not running");
        status = tasks_report(c, &t);
        tasks_done(&t);
    }
    dirs_done(&d);
    return status;
}

const struct verb verb_resume = {
    .name = "resume",
    .group = "Run",
    .usage = "WORKLOAD…",
    .summary = "let paused workloads go on",
    .flags = VERB_WORKLOADS,
    .run = resume_run,
};
