/* cofferdam workload: files that name a profile and a command, to be run again and again. */
#include "app/cli/edit.h"
#include "app/cli/out.h"
#include "app/cli/settings_show.h"
#include "app/cli/verbs.h"
#include "profiles/entries.h"

#include <stdio.h>

static const char *const subverbs[] = {"list", "show", "edit", NULL};

static const struct option_row options[] = {
    {"resolved", 'r', NULL, "show: every key, and where each value came from", NULL},
    {"quiet",      'q', NULL, "list: names alone", NULL},
    {0     },
};

static const char template[] =
    "# What the keys mean: man cofferdam.ini. Start it with: cofferdam run --workload NAME\n"
    "\n"
    "[workload]\n"
    "profile = " PROFILE_OF_RUN "\n"
    "command = \n";

static const struct edit_kind workload_files = {
    .folder = "workloads", .keys = KEY_IN_WORKLOAD, .template = template};

static int workload_show(const struct cli *c, const struct profile_path *p, const char *name)
{
    struct settings s;
    struct error e;
    settings_init(&s);
    int status = 0;
    if (workload_load(p, name, &s, &e) < 0)
        status = cli_fail(c, &e);
    else
        settings_show(c, "workload", name, KEY_IN_PROFILE | KEY_IN_WORKLOAD, &s);
    settings_done(&s);
    return status;
}

static int workload_run(struct cli *c)
{
    bool list = str_equal(c->args[0], "list");
    if (c->args_count != (list ? 1 : 2))
        return cli_usage(c, list ? "list: takes no name" : "%s: name one workload file",
                         c->args[0]);
    struct profile_path p = {0};
    struct error e;
    if (profile_path_init(&p, &e) < 0)
        return cli_fail(c, &e);
    int status;
    if (list)
        status = settings_show_list(c, &p, "workloads");
    else if (str_equal(c->args[0], "show"))
        status = workload_show(c, &p, c->args[1]);
    else
        status = edit_file(c, &p, &workload_files, c->args[1]);
    profile_path_done(&p);
    return status;
}

const struct verb verb_workload = {
    .name = "workload",
    .group = "Profiles",
    .usage = "list|show|edit [OPTION…] [WORKLOAD-FILE]",
    .summary = "list, show and edit workload files",
    .subverbs = subverbs,
    .options = options,
    .flags = VERB_JSON | VERB_SUBVERBS,
    .run = workload_run,
};
