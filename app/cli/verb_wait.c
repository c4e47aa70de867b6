/* cofferdam wait: until workloads have ended and are cleaned up; their exit statuses. */
#include "app/cli/out.h"
#include "app/cli/tasks.h"
#include "app/cli/verbs.h"

#include <stdio.h>

static void wait_ask(struct task *t, void *data)
{
    client_wait(t->client);
}

/* A lone one's status is ours; of several each is printed. */
static int wait_tell(const struct cli *c, const struct tasks *t)
{
    int failed = tasks_report(c, t);
    for (size_t i = 0; i < t->count; i++) {
        const struct task *k = &t->of[i];
        int status = k->exited ? k->status : k->record.status;
        if (c->json)
            out_json_line(json_pack("{s:o, s:o, s:i}", "id", out_json_string(k->record.id), "name",
                                    out_json_string(k->record.name), "status", status));
        else if (t->count > 1)
            printf("%d %s\n", status, k->record.name);
        if (t->count == 1 && !failed)
            return status;
    }
    return failed;
}

static int wait_work(struct cli *c, const struct dirs *d, struct tasks *t, void *data)
{
    tasks_ask(d, t, wait_ask, data, -1);
    return wait_tell(c, t);
}

static int wait_run(struct cli *c)
{
    return tasks_run(c, wait_work, NULL);
}

const struct verb verb_wait = {
    .name = "wait",
    .group = "Run",
    .usage = "[--json] WORKLOAD…",
    .summary = "wait until workloads have ended; one's exit status becomes ours",
    .flags = VERB_WORKLOADS | VERB_JSON,
    .run = wait_run,
};
