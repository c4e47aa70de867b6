/* cofferdam profile: the stops of the dial, what they say and what they leave open. */
#include "app/cli/explain_show.h"
#include "app/cli/out.h"
#include "app/cli/settings_show.h"
#include "app/cli/verbs.h"
#include "app/plan/plan.h"
#include "profiles/settings.h"

#include <unistd.h>

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

/* The plan of a launch with this profile, here and now; what it would run does not matter. */
static int profile_plan(const char *name, const struct settings *s, const struct plan_host *host,
                        struct plan **ret, struct error *e)
{
    autofree char *cwd = getcwd(NULL, 0);
    char *const argv[] = {(char[]){"true"}, NULL};
    const struct plan_request request = {
        .id = "000000000000", .profile = name, .argv = argv, .cwd = cwd};
    return plan_build(s, &request, host, ret, e);
}

static int profile_explain(const struct cli *c, const struct profile_path *p)
{
    if (c->args_count != 2)
        return cli_usage(c, "explain: name one profile");
    struct settings s;
    struct plan_host host = {0};
    struct plan *plan = NULL;
    struct error e;
    settings_init(&s);
    int r = profile_get(c, p, c->args[1], &s, &e);
    if (r == 0)
        r = plan_host_read(&host, &e);
    if (r == 0)
        r = profile_plan(c->args[1], &s, &host, &plan, &e);
    if (r == 0)
        explain_show(c, plan);
    plan_free(plan);
    plan_host_done(&host);
    settings_done(&s);
    return r < 0 ? cli_fail(c, &e) : 0;
}

/* What a profile's check ends with. */
enum verdict { VERDICT_GOOD, VERDICT_REFUSED, VERDICT_BROKEN };
static const char *const verdict_names[] = {"good", "refused", "broken"};

/* The first reason, or "", into `*ret_why`, owned by the caller. */
static enum verdict profile_judge(const struct cli *c, const struct profile_path *p,
                                  const char *name, const struct plan_host *host, char **ret_why)
{
    struct settings s;
    struct plan *plan = NULL;
    struct plan_finding *findings = NULL;
    size_t count = 0;
    struct error e = {0};
    enum verdict verdict = VERDICT_GOOD;
    settings_init(&s);
    if (profile_get(c, p, name, &s, &e) < 0)
        verdict = VERDICT_BROKEN;
    else if (profile_plan(name, &s, host, &plan, &e) < 0 ||
             plan_check(plan, host, &findings, &count, &e) < 0)
        verdict = VERDICT_REFUSED;
    const char *mend = NULL;
    for (size_t i = count; i > 0; i--)
        if (findings[i - 1].weight == PLAN_REFUSES)
            mend = findings[i - 1].mend;
    *ret_why = mend && verdict == VERDICT_REFUSED ? str_format("%s (%s)", e.text, mend)
                                                  : str_dup(verdict ? e.text : "");
    plan_findings_free(findings, count);
    plan_free(plan);
    settings_done(&s);
    return verdict;
}

/* Every profile there is, or those named; of the named ones a refusal counts as well. */
static int profile_check(const struct cli *c, const struct profile_path *p)
{
    static const char *const columns[] = {"NAME", "VERDICT", "WHY", NULL};
    struct error e;
    struct plan_host host = {0};
    struct profile_entry *list = NULL;
    size_t count = 0;
    bool named = c->args_count > 1;
    if (plan_host_read(&host, &e) < 0 ||
        (!named && profile_list(p, "profiles", &list, &count, &e) < 0)) {
        plan_host_done(&host);
        return cli_fail(c, &e);
    }
    struct out_table t = {.columns = columns};
    json_t *array = json_array();
    enum verdict worst = VERDICT_GOOD;
    for (size_t i = 0; i < (named ? c->args_count - 1 : count); i++) {
        const char *name = named ? c->args[i + 1] : list[i].name;
        autofree char *why = NULL;
        enum verdict verdict = profile_judge(c, p, name, &host, &why);
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
    plan_host_done(&host);
    return worst >= (named ? VERDICT_REFUSED : VERDICT_BROKEN) ? 1 : 0;
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
    else if (str_equal(c->args[0], "check"))
        status = profile_check(c, &p);
    else
        status = profile_explain(c, &p);
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
