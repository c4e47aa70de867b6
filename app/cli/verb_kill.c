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

static int kill_run(struct cli *c)
{
    struct dirs d;
    struct tasks t;
    struct error e;
    const char *name = cli_option(c, "signal");
    int signo = SIGKILL;
    if (name && form_signal(name, &signo) < 0)
        return cli_usage(c, "--signal: there is no signal \"%s\"", name);
    if (!c->args_count)
        return cli_usage(c, "a workload is needed");
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    int status;
    if (tasks_find(&d, c->args, c->args_count, &t, &e) < 0) {
        status = cli_fail(c, &e);
    } else {
        tasks_ask(&d, &t, kill_ask, &signo, -1);
        for (size_t i = 0; i < t.count; i++)
            if (!state_phase_lives(t.of[i].record.phase))
                t.of[i].result = error_set(&t.of[i].error, ESRCH, "it is not running");
        status = tasks_report(c, &t);
        tasks_done(&t);
    }
    dirs_done(&d);
    return status;
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
