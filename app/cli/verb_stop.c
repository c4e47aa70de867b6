/* cofferdam stop: the signal the plan names, its grace, then a kill. */
#include "app/cli/tasks.h"
#include "app/cli/verbs.h"

// clang-format off
static const struct option_row stop_options[] = {
    {"time", 't', "DURATION", "how long it may take before it is killed (default: the plan's)", NULL},
    {0},
};
// clang-format on

static void stop_ask(struct task *t, void *data)
{
    client_stop(t->client, *(const int64_t *)data);
}

/* One that has ended already is as it was asked to be. */
static int stop_work(struct cli *c, const struct dirs *d, struct tasks *t, void *data)
{
    tasks_ask(d, t, stop_ask, data, -1);
    return tasks_report(c, t);
}

static int stop_run(struct cli *c)
{
    uint64_t ms;
    int64_t grace = -1;
    const char *time = cli_option(c, "time");
    if (time && str_to_duration(time, &ms) < 0)
        return cli_usage(c, "--time: \"%s\" is no duration", time);
    if (time)
        grace = (int64_t)MIN(ms, (uint64_t)INT64_MAX);
    return tasks_run(c, stop_work, &grace);
}

const struct verb verb_stop = {
    .name = "stop",
    .group = "Run",
    .usage = "[OPTION…] WORKLOAD…",
    .summary = "ask workloads to end, and kill those that do not",
    .options = stop_options,
    .flags = VERB_WORKLOADS,
    .run = stop_run,
};
