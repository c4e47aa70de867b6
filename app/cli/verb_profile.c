/* cofferdam profile: the stops of the dial, what they say and what they leave open. */
#include "app/cli/out.h"
#include "app/cli/settings_show.h"
#include "app/cli/verbs.h"
#include "profiles/settings.h"

#include <stdio.h>

static const char *const subverbs[] = {"list", "show", "check", "explain", NULL};

static const struct option_row options[] = {
    {"resolved", 'r', NULL, "show: every key, and where each value came from", NULL},
    {"set",      0, "SECTION.KEY=VALUE", "show, check, explain: as run --set", NULL},
    {"quiet",      'q', NULL, "list: names alone", NULL},
    {0     },
};

static int profile_assign(void *data, const char *value, struct error *e)
{
    return settings_assign(data, value, "--set", e);
}

/* One profile with the --set of the command line over it; `s` is initialised by the caller. */
static int profile_get(const struct cli *c, const struct profile_path *p, const char *name,
                       struct settings *s, struct error *e)
{
    int r = profile_load(p, name, s, e);
    return r < 0 ? r : cli_each(c, "set", profile_assign, s, e);
}

static int profile_show(const struct cli *c, const struct profile_path *p)
{
    if (c->args_count != 2)
        return cli_usage(c, "show: name one profile");
    struct settings s;
    struct error e;
    settings_init(&s);
    int status = 0;
    if (profile_get(c, p, c->args[1], &s, &e) < 0)
        status = cli_fail(c, &e);
    else
        settings_show(c, "profile", c->args[1], KEY_IN_PROFILE, &s);
    settings_done(&s);
    return status;
}

static int profile_run(struct cli *c)
{
    struct profile_path p = {0};
    struct error e;
    if (profile_path_init(&p, &e) < 0)
        return cli_fail(c, &e);
    int status;
    if (str_equal(c->args[0], "list"))
        status = settings_show_list(c, &p, "profiles");
    else if (str_equal(c->args[0], "show"))
        status = profile_show(c, &p);
    else
        status = cli_usage(c, "%s: not yet", c->args[0]);
    profile_path_done(&p);
    return status;
}

const struct verb verb_profile = {
    .name = "profile",
    .group = "Profiles",
    .usage = "list|show|check|explain [OPTION…] [PROFILE…]",
    .summary = "list profiles, show what they say, check them, explain what they leave open",
    .subverbs = subverbs,
    .options = options,
    .flags = VERB_JSON | VERB_SUBVERBS,
    .run = profile_run,
};
