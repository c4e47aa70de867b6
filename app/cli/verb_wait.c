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

static int wait_run(struct cli *c)
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
        tasks_ask(&d, &t, wait_ask, NULL, -1);
        status = wait_tell(c, &t);
        tasks_done(&t);
    }
    dirs_done(&d);
    return status;
}

const struct verb verb_wait = {
    .name = "wait",
    .group = "Run",
    .usage = "[--json] WORKLOAD…",
    .summary = "wait until workloads have ended; one's exit status becomes ours",
    .flags = VERB_WORKLOADS | VERB_JSON,
    .run = wait_run,
};
