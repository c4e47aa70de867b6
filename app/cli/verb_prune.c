/* cofferdam prune: what is left of workloads that were killed, and what was kept of ended ones. */
#include "app/cli/out.h"
#include "app/cli/snapshot_take.h"
#include "app/cli/verbs.h"
#include "console/state.h"

#include <stdio.h>
#include <unistd.h>

// clang-format off
static const struct option_row prune_options[] = {
    {"force",   'f', NULL, "do not ask", NULL},
    {"dry-run", 'n', NULL, "only say what would be done", NULL},
    {"lost",    0,   NULL, "only those whose monitor was killed; leave what was kept", NULL},
    {0},
};
// clang-format on

static bool prune_wants(const struct cli *c, const struct state_record *r)
{
    return r->phase == STATE_LOST || (r->phase == STATE_EXITED && !cli_switch(c, "lost"));
}

static void prune_describe(const struct state_record *r, bool dry)
{
    autofree char *name = out_text(r->name), *reason = r->reason ? out_text(r->reason) : NULL;
    const char *what = r->phase == STATE_LOST ? "lost" : "ended, kept";
    printf("%s %s %s (%s%s%s)\n", dry ? "would remove" : "remove", r->id, name, what,
           reason ? ": " : "", reason ? reason : "");
}

static int prune_list(const struct cli *c, const struct dirs *d, const struct state_record *list,
                      size_t count)
{
    struct error e;
    size_t found = 0;
    int status = 0;
    bool dry = cli_switch(c, "dry-run"), force = cli_switch(c, "force");
    for (size_t i = 0; i < count; i++)
        if (prune_wants(c, &list[i])) {
            prune_describe(&list[i], dry);
            found++;
        }
    unsigned halves = snapshots_sweep(d, snapshot_clear, true);
    if (halves) {
        printf("%s %u snapshot%s that %s never finished\n", dry ? "would remove" : "remove", halves,
               halves == 1 ? "" : "s", halves == 1 ? "was" : "were");
        if (!dry)
            snapshots_sweep(d, snapshot_clear, false);
    }
    if (dry)
        return 0;
    if (found && !force && !isatty(STDIN_FILENO)) {
        error_set(&e, EPERM, "this removes files for good; without a terminal it needs --force");
        return cli_fail(c, &e);
    }
    if (found && !out_confirm(force, "Remove %zu workload%s?", found, found == 1 ? "" : "s"))
        return EXIT_OURS;
    for (size_t i = 0; i < count; i++)
        if (prune_wants(c, &list[i]) && state_clean(d, list[i].id, &e) < 0)
            status = cli_fail(c, &e);
    state_sweep(d);
    return status;
}

static int prune_run(struct cli *c)
{
    struct dirs d;
    struct error e;
    struct state_record *list;
    size_t count;
    if (c->args_count)
        return cli_usage(c, "it takes no workloads; \"cofferdam rm\" does");
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    int status;
    if (state_list(&d, &list, &count, &e) < 0) {
        status = cli_fail(c, &e);
    } else {
        status = prune_list(c, &d, list, count);
        state_list_free(list, count);
    }
    dirs_done(&d);
    return status;
}

const struct verb verb_prune = {
    .name = "prune",
    .group = "Run",
    .usage = "[OPTION…]",
    .summary = "clean up after killed monitors and remove what was kept of ended workloads",
    .options = prune_options,
    .run = prune_run,
};
