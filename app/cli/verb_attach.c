/* cofferdam attach: this terminal becomes a running workload's. */
#include "app/cli/foreign_attach.h"
#include "app/cli/running.h"
#include "app/cli/verbs.h"
#include "console/attach.h"
#include "console/state.h"

#include <stdio.h>

// clang-format off
static const struct option_row attach_options_rows[] = {
    {"read-only",   'r', NULL, "only look", NULL},
    {"detach-keys", 0,   "KEYS", "what leaves it running (default: its console.detach-keys)", "docker|tmux"},
    {0},
};
// clang-format on

static int attach_status(const struct cli *c, const struct attach_result *r)
{
    switch (r->how) {
    case ATTACH_EXITED:
        if (r->reason[0])
            fprintf(stderr, "cofferdam: it ended: %s\n", r->reason);
        return r->status;
    case ATTACH_SIGNALLED:
        return r->status;
    case ATTACH_DETACHED:
        return 0;
    case ATTACH_FAILED:
    case ATTACH_LOST:
        return cli_fail(c, &r->error);
    }
    return EXIT_OURS;
}

static int attach_to(const struct cli *c, const struct dirs *d, const struct state_record *r,
                     void *data)
{
    struct error e;
    if (!state_phase_lives(r->phase)) {
        const char *it = r->phase == STATE_LOST ? "lost" : "no longer running";
        error_set(&e, ESRCH, r->kept ? "%s is %s; its output: cofferdam logs %s" : "%s is %s",
                  r->name, it, r->name);
        return cli_fail(c, &e);
    }
    autofree char *planned = state_plan_text(d, r->id, "detach_keys");
    const char *keys = cli_option(c, "detach-keys");
    struct attach_options o = {.read_only = cli_switch(c, "read-only"),
                               .terminal = r->terminal,
                               .detach_keys = keys ? keys : planned};
    struct attach *a = attach_new(&o);
    struct client *client = NULL;
    struct attach_result result = {0};
    autofree char *path = state_socket_path(d, r->id);
    int status;
    if (client_connect(path, attach_events(), a, &client, &e) < 0 ||
        attach_run(a, client, &result, &e) < 0) {
        error_wrap(&e, "%s", r->name);
        status = cli_fail(c, &e);
    } else {
        status = attach_status(c, &result);
        attach_result_done(&result);
    }
    client_free(client);
    attach_free(a);
    return status;
}

static int attach_verb_run(struct cli *c)
{
    if (c->args_count == 1 && foreign_is(c->args[0]))
        return foreign_attach(c, attach_to);
    return workload_verb(c, attach_to, NULL);
}

const struct verb verb_attach = {
    .name = "attach",
    .group = "Run",
    .usage = "[OPTION…] WORKLOAD",
    .summary = "take this terminal to a running workload",
    .options = attach_options_rows,
    .flags = VERB_WORKLOADS,
    .run = attach_verb_run,
};
