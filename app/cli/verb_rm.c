/* cofferdam rm: what is kept of ended workloads; with --force running ones too. */
#include "app/cli/out.h"
#include "app/cli/tasks.h"
#include "app/cli/verbs.h"

#include <stdio.h>
#include <unistd.h>

// clang-format off
static const struct option_row rm_options[] = {
    {"force",   'f', NULL, "kill those that run, and do not ask", NULL},
    {"dry-run", 'n', NULL, "only say what would be done", NULL},
    {0},
};
// clang-format on

static void rm_ask(struct task *t, void *data)
{
    client_kill(t->client);
}

static int rm_refuse_living(const struct tasks *t, struct error *e)
{
    for (size_t i = 0; i < t->count; i++)
        if (state_phase_lives(t->of[i].record.phase))
            return error_set(e, EBUSY, "%s is %s; stop it first, or use --force",
                             t->of[i].record.name, state_phase_name(t->of[i].record.phase));
    return 0;
}

static int rm_remove(const struct cli *c, const struct dirs *d, struct tasks *t)
{
    tasks_ask(d, t, rm_ask, NULL, -1);
    for (size_t i = 0; i < t->count; i++) {
        struct task *k = &t->of[i];
        if (k->result == 0)
            k->result = state_clean(d, k->record.id, &k->error);
    }
    return tasks_report(c, t);
}

static int rm_tasks(struct cli *c, const struct dirs *d, struct tasks *t, void *data)
{
    struct error e;
    bool force = cli_switch(c, "force");
    if (!force && rm_refuse_living(t, &e) < 0)
        return cli_fail(c, &e);
    if (cli_switch(c, "dry-run")) {
        for (size_t i = 0; i < t->count; i++)
            printf("would remove %s (%s, %s)\n", t->of[i].record.name, t->of[i].record.id,
                   state_phase_name(t->of[i].record.phase));
        return 0;
    }
    if (!force && !isatty(STDIN_FILENO)) {
        error_set(&e, EPERM, "this removes files for good; without a terminal it needs --force");
        return cli_fail(c, &e);
    }
    if (!out_confirm(force, "Remove %zu workload%s and what was kept of %s?", t->count,
                     t->count == 1 ? "" : "s", t->count == 1 ? "it" : "them"))
        return EXIT_OURS;
    return rm_remove(c, d, t);
}

static int rm_run(struct cli *c)
{
    return tasks_run(c, rm_tasks, NULL);
}

const struct verb verb_rm = {
    .name = "rm",
    .group = "Run",
    .usage = "[OPTION…] WORKLOAD…",
    .summary = "remove ended workloads and what was kept of them",
    .options = rm_options,
    .flags = VERB_WORKLOADS,
    .run = rm_run,
};
