/* cofferdam ps: the workloads there are. */
#include "app/cli/foreign.h"
#include "app/cli/live.h"
#include "app/cli/out.h"
#include "app/cli/verbs.h"
#include "console/snapshots.h"
#include "console/state_json.h"

#include <stdio.h>

// clang-format off
static const struct option_row ps_options[] = {
    {"all",    'a', NULL, "ended and lost ones too", NULL},
    {"quiet",  'q', NULL, "ids only", NULL},
    {"filter", 'f', "KEY=VALUE", "label=KEY[=VALUE], state=NAME, name=PART, profile=NAME", NULL},
    {0},
};
// clang-format on

static bool has_label(const struct state_record *r, const char *label)
{
    size_t size = strlen(label);
    for (size_t i = 0; r->labels && r->labels[i]; i++)
        if (strncmp(r->labels[i], label, size) == 0 &&
            (!r->labels[i][size] || (r->labels[i][size] == '=' && !strchr(label, '='))))
            return true;
    return false;
}

/* Whether a record passes one filter: 1, 0, or -1: there is no such filter. */
static int passes(const struct state_record *r, const char *filter)
{
    const char *value = strchr(filter, '=');
    if (!value)
        return -1;
    size_t key = (size_t)(value++ - filter);
    if (key == 5 && memcmp(filter, "label", 5) == 0)
        return has_label(r, value);
    if (key == 5 && memcmp(filter, "state", 5) == 0)
        return str_equal(state_phase_name(r->phase), value);
    if (key == 4 && memcmp(filter, "name", 4) == 0)
        return r->name && strstr(r->name, value);
    if (key == 7 && memcmp(filter, "profile", 7) == 0)
        return str_equal(r->profile, value);
    return -1;
}

static int check_filter(void *data, const char *value, struct error *e)
{
    const struct state_record none = {.phase = STATE_RUNNING};
    if (passes(&none, value) < 0)
        return error_set(e, EINVAL,
                         "--filter: \"%s\" is none of label=, state=, name=, profile=", value);
    return 0;
}

struct wish {
    const struct state_record *record;
    bool wanted;
};

static int apply_filter(void *data, const char *value, struct error *e)
{
    struct wish *w = data;
    w->wanted &= passes(w->record, value) == 1;
    return 0;
}

/* Who asks for ended ones by their state wants them without --all. */
static bool wanted(const struct cli *c, const struct state_record *r)
{
    struct wish w = {r, true};
    struct error e;
    cli_each(c, "filter", apply_filter, &w, &e);
    bool any = cli_switch(c, "all") || state_phase_lives(r->phase) || r->phase == STATE_LOST ||
               cli_option(c, "filter");
    return w.wanted && any;
}

static const char *const columns_plain[] = {"ID",   "NAME",    "STATE", "PROFILE", "BOUNDARY",
                                            ">CPU", ">MEMORY", ">AGE",  "COMMAND", NULL};
static const char *const columns_from[] = {"ID",       "NAME",    "STATE",   "PROFILE",
                                           "BOUNDARY", ">CPU",    ">MEMORY", ">AGE",
                                           "FROM",     "COMMAND", NULL};

/* The name of the snapshot it was started from; its id where that is gone. */
static const char *origin(const struct snapshot_record *list, size_t count, const char *id)
{
    for (size_t i = 0; id && i < count; i++)
        if (str_equal(list[i].id, id))
            return list[i].name;
    return id;
}

static void add_row(struct out_table *t, const struct live *l, const char *from)
{
    const struct state_record *r = l->record;
    autofree char *cpu = live_text_percent(live_cpu_life(l)), *age = live_text_age(r);
    autofree char *memory = live_text_size(l->sample.memory);
    autofree char *state = r->phase == STATE_EXITED ? str_format("exited %d", r->status)
                                                    : str_dup(state_phase_name(r->phase));
    autofree char *boundary = state_boundary_text(r);
    const char *cells[] = {r->id, r->name, state, r->profile, boundary,
                           cpu,   memory,  age,   r->command, r->command};
    if (t->columns == columns_from)
        cells[8] = from;
    out_table_add(t, cells);
}

static void add_foreign(struct out_table *t, const json_t *domains)
{
    size_t i;
    const json_t *one;
    json_array_foreach(domains, i, one)
    {
        const char *stale = json_string_value(json_object_get(one, "stale"));
        const char *uri = json_string_value(json_object_get(one, "uri"));
        const char *state = json_string_value(json_object_get(one, "state"));
        const char *uuid = json_string_value(json_object_get(one, "uuid"));
        autofree char *name =
            str_format(FOREIGN_PREFIX "%s", json_string_value(json_object_get(one, "name")));
        autofree char *memory =
            live_text_size((uint64_t)json_integer_value(json_object_get(one, "memory")));
        autofree char *id = str_ndup(uuid ? uuid : "", 8);
        autofree char *shown = stale ? str_format("%s?", state) : str_dup_or_null(state);
        autofree char *place = str_ndup(uri, strcspn(uri, "?"));
        const char *cells[] = {id,   name,   shown, NULL,       place,
                               NULL, memory, NULL,  "not ours", "not ours"};
        if (t->columns == columns_from)
            cells[8] = NULL;
        out_table_add(t, cells);
    }
}

/* Where each was started from is a column only where there is something to say. */
static void print_table(const struct dirs *d, const struct live *list, size_t count,
                        const json_t *domains)
{
    struct out_table t = {.columns = columns_plain};
    struct snapshot_record *snapshots = NULL;
    size_t snapshots_count = 0;
    struct error ignored;
    for (size_t i = 0; i < count; i++)
        if (list[i].record->snapshot)
            t.columns = columns_from;
    if (t.columns == columns_from)
        snapshots_list(d, &snapshots, &snapshots_count, &ignored);
    for (size_t i = 0; i < count; i++)
        add_row(&t, &list[i], origin(snapshots, snapshots_count, list[i].record->snapshot));
    add_foreign(&t, domains);
    out_table_print(&t);
    out_table_done(&t);
    snapshots_list_free(snapshots, snapshots_count);
}

static void print_json(const struct live *list, size_t count, json_t *domains)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *j = live_record_json(list[i].record);
        if (list[i].sampled)
            json_object_set_new(j, "sample", state_sample_to_json(&list[i].sample));
        json_array_append_new(array, j);
    }
    json_t *all = json_pack("{s:o}", "workloads", array);
    if (domains)
        json_object_set(all, "domains", domains);
    out_json(all);
}

static void show(const struct cli *c, const struct dirs *d, struct foreign_question *q,
                 struct state_record *list, size_t count)
{
    struct tasks t;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (wanted(c, &list[i]))
            list[kept++] = list[i];
        else
            state_record_done(&list[i]);
    tasks_of(&t, list, kept);
    if (cli_switch(c, "quiet")) {
        for (size_t i = 0; i < t.count; i++)
            printf("%s\n", t.of[i].record.id);
    } else {
        struct live *live;
        live_ask(d, &t, &live);
        json_t *domains = q ? foreign_hear(c, d, q) : NULL;
        if (c->json)
            print_json(live, t.count, domains);
        else
            print_table(d, live, t.count, domains);
        json_decref(domains);
        free(live);
    }
    tasks_done(&t);
}

static int ps_run(struct cli *c)
{
    struct dirs d;
    struct error e;
    struct state_record *list;
    size_t count;
    if (c->args_count)
        return cli_usage(c, "it takes no workloads; --filter name=PART does");
    if (cli_each(c, "filter", check_filter, NULL, &e) < 0 || dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    int status = 0;
    bool others = !cli_option(c, "filter") && !cli_switch(c, "quiet");
    struct foreign_question *q = others ? foreign_begin(false) : NULL; /* who is the slowest */
    if (state_list(&d, &list, &count, &e) < 0)
        status = cli_fail(c, &e);
    else
        show(c, &d, q, list, count);
    fflush(stdout);
    foreign_end(q);
    dirs_done(&d);
    return status;
}

const struct verb verb_ps = {
    .name = "ps",
    .group = "Watch",
    .usage = "[OPTION…]",
    .summary = "list workloads with their state and what they use",
    .options = ps_options,
    .flags = VERB_JSON,
    .run = ps_run,
};
