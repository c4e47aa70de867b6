/* cofferdam kill: everything inside at once, or one signal to the command. */
#include "app/cli/tasks.h"
#include "app/cli/verbs.h"
#include "profiles/forms.h"

#include <signal.h>

// clang-format off
static const struct option_row kill_options[] = {
    {"signal", 's', "SIGNAL", "send this to the command instead of killing everything inside", NULL},
    {0},
};
// clang-format on

static void kill_ask(struct task *t, void *data)
{
    int signo = *(const int *)data;
    if (signo == SIGKILL)
        client_kill(t->client);
    else
        client_signal(t->client, 0, signo);
}

static int kill_work(struct cli *c, const struct dirs *d, struct tasks *t, void *data)
{
    return tasks_ask_living(c, d, t, kill_ask, data);
}

static int kill_run(struct cli *c)
{
    const char *name = cli_option(c, "signal");
    int signo = SIGKILL;
    if (name && form_signal(name, &signo) < 0)
        return cli_usage(c, "--signal: there is no signal \"%s\"", name);
    return tasks_run(c, kill_work, &signo);
}

const struct verb verb_kill = {
    .name = "kill",
    .group = "Run",
    .usage = "[OPTION…] WORKLOAD…",
    .summary = "end workloads at once, or send their command a signal",
    .options = kill_options,
    .flags = VERB_WORKLOADS,
    .run = kill_run,
};
