/* cofferdam resume. */
#include "app/cli/tasks.h"
#include "app/cli/verbs.h"

static void resume_ask(struct task *t, void *data)
{
    client_pause(t->client, false);
}

static int resume_work(struct cli *c, const struct dirs *d, struct tasks *t, void *data)
{
    return tasks_ask_living(c, d, t, resume_ask, data);
}

static int resume_run(struct cli *c)
{
    return tasks_run(c, resume_work, NULL);
}

const struct verb verb_resume = {
    .name = "resume",
    .group = "Run",
    .usage = "WORKLOAD…",
    .summary = "let paused workloads go on",
    .flags = VERB_WORKLOADS,
    .run = resume_run,
};
