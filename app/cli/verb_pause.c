/* cofferdam pause. */
#include "app/cli/tasks.h"
#include "app/cli/verbs.h"

static void pause_ask(struct task *t, void *data)
{
    client_pause(t->client, true);
}

static int pause_work(struct cli *c, const struct dirs *d, struct tasks *t, void *data)
{
    return tasks_ask_living(c, d, t, pause_ask, data);
}

static int pause_run(struct cli *c)
{
    return tasks_run(c, pause_work, NULL);
}

const struct verb verb_pause = {
    .name = "pause",
    .group = "Run",
    .usage = "WORKLOAD…",
    .summary = "stop every process of workloads where it stands",
    .flags = VERB_WORKLOADS,
    .run = pause_run,
};
