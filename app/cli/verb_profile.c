/* cofferdam profile: the stops of the dial, what they say and what they leave open. */
#include "app/cli/edit.h"
#include "app/cli/explain_show.h"
#include "app/cli/launch.h"
#include "app/cli/out.h"
#include "app/cli/settings_show.h"
#include "app/cli/verbs.h"
#include "profiles/settings.h"

static const char *const subverbs[] = {"list", "show", "check", "explain", "edit", NULL};

static const struct option_row options[] = {
    {"resolved", 'r', NULL, "show: every key, and where each value came from", NULL},
    {"set",      0, "SECTION.KEY=VALUE", "show, check, explain: as run --set", NULL},
    {"quiet",      'q', NULL, "list: names alone", NULL},
    {0     },
};

static const struct edit_kind profile_files = {
    .folder = "profiles",
    .keys = KEY_IN_PROFILE,
    .template =
        "# What the keys mean: man cofferdam.ini. Start with it: cofferdam run --profile NAME\n"
        "\n[profile]\ndescription = \ninherit = " PROFILE_OF_RUN "\n"};

static int profile_assign(void *data, const char *value, struct error *e)
{
    return settings_assign(data, value, "--set", e);
}

/* One profile with the --set of the command line over it. */
static int profile_load_set(const struct cli *c, struct launching *l, const char *name,
                            struct error *e)
{
    int r = launching_load(l, name, NULL, e);
    return r < 0 ? r : cli_each(c, "set", profile_assign, &l->settings, e);
}

static int profile_show(const struct cli *c)
{
    struct launching l = {0};
    struct error e;
    int status = 0;
    if (profile_load_set(c, &l, c->args[1], &e) < 0)
        status = cli_fail(c, &e);
    else
        settings_show(c, "profile", c->args[1], KEY_IN_PROFILE, &l.settings);
    launching_done(&l);
    return status;
}

static int profile_explain(const struct cli *c)
{
    struct launching l = {0};
    struct error e;
    int status = 0;
    if (profile_load_set(c, &l, c->args[1], &e) < 0 || launching_build_any(&l, &e) < 0)
        status = cli_fail(c, &e);
    else
        explain_show(c, l.plan, launching_check(&l, NULL, NULL, &e) < 0 ? e.text : NULL);
    launching_done(&l);
    return status;
}

/* What a profile's check ends with. */
enum verdict { VERDICT_GOOD, VERDICT_REFUSED, VERDICT_BROKEN };
static const char *const verdict_names[] = {"good", "refused", "broken"};

/* The first reason, or "", goes into `*ret_why`, owned by the caller. */
static enum verdict profile_judge(const struct cli *c, const char *name, char **ret_why)
{
    struct launching l = {0};
    struct error e = {0};
    enum verdict verdict = VERDICT_GOOD;
    if (profile_load_set(c, &l, name, &e) < 0)
        verdict = VERDICT_BROKEN;
    else if (launching_build_any(&l, &e) < 0 || launching_check(&l, NULL, NULL, &e) < 0)
        verdict = VERDICT_REFUSED;
    *ret_why = str_dup(verdict == VERDICT_GOOD ? "" : e.text);
    launching_done(&l);
    return verdict;
}

/* Every profile there is, or those named; of the named ones a refusal counts as well. */
static int profile_check(const struct cli *c, const struct profile_path *p)
{
    static const char *const columns[] = {"NAME", "VERDICT", "WHY", NULL};
    struct error e;
    struct profile_entry *list = NULL;
    size_t count = 0;
    bool named = c->args_count > 1;
    if (!named && profile_list(p, "profiles", &list, &count, &e) < 0)
        return cli_fail(c, &e);
    struct out_table t = {.columns = columns};
    json_t *array = json_array();
    enum verdict worst = VERDICT_GOOD;
    for (size_t i = 0; i < (named ? c->args_count - 1 : count); i++) {
        const char *name = named ? c->args[i + 1] : list[i].name;
        autofree char *why = NULL;
        enum verdict verdict = profile_judge(c, name, &why);
        worst = MAX(worst, verdict);
        out_table_add(&t, (const char *[]){name, verdict_names[verdict], why});
        json_array_append_new(array,
                              json_pack("{s:o, s:s, s:o}", "name", out_json_string(name), "verdict",
                                        verdict_names[verdict], "why", out_json_string(why)));
    }
    if (c->json)
        out_json(json_pack("{s:O}", "profiles", array));
    else
        out_table_print(&t);
    json_decref(array);
    out_table_done(&t);
    profile_list_free(list, count);
    return worst >= (named ? VERDICT_REFUSED : VERDICT_BROKEN) ? 1 : 0;
}

static int profile_run(struct cli *c)
{
    bool edit = str_equal(c->args[0], "edit");
    bool one = str_equal(c->args[0], "show") || str_equal(c->args[0], "explain");
    if ((one || edit) && c->args_count != 2)
        return cli_usage(c, "%s: name one profile", c->args[0]);
    if (one)
        return c->args[0][0] == 's' ? profile_show(c) : profile_explain(c);
    struct profile_path p = {0};
    struct error e;
    if (profile_path_init(&p, &e) < 0)
        return cli_fail(c, &e);
    int status;
    if (str_equal(c->args[0], "list"))
        status = settings_show_list(c, &p, "profiles");
    else if (edit)
        status = edit_file(c, &p, &profile_files, c->args[1]);
    else
        status = profile_check(c, &p);
    profile_path_done(&p);
    return status;
}

const struct verb verb_profile = {
    .name = "profile",
    .group = "Profiles",
    .usage = "list|show|check|explain|edit [OPTION…] [PROFILE…]",
    .summary = "list profiles, show what they say, check, edit and explain them",
    .subverbs = subverbs,
    .options = options,
    .flags = VERB_JSON | VERB_SUBVERBS,
    .run = profile_run,
};
